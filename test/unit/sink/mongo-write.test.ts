import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Db, MongoServerError } from "mongodb";
import type { Insert, Operation } from "../../../src/sink/operations.ts";
import type { Outcome } from "../../../src/sink/target.ts";
import { type InTime, inTime } from "../../../src/sink/targets/in-time.ts";
import { write } from "../../../src/sink/targets/mongo-write.ts";

const IN_TIME = inTime(10_000);

function insert(database: Db, collection: string, operations: readonly Operation[], ordered: boolean, within: InTime) {
  return write({ database, collection, inTime: within }, operations, ordered);
}

/** What a document of the test makes the server do. */
type Fate = "good" | "there" | "duplicate-elsewhere" | "invalid" | "too-deep" | "stepping-down";

interface InsertCommand {
  readonly documents: readonly { readonly _id: string; readonly fate: Fate }[];
  readonly ordered: boolean;
}

const WRITE_ERRORS: Partial<Record<Fate, { code: number; errmsg: string; keyPattern?: object }>> = {
  there: { code: 11000, errmsg: "E11000 index: _id_ dup key", keyPattern: { _id: 1 } },
  "duplicate-elsewhere": { code: 11000, errmsg: "E11000 index: a_1 dup key", keyPattern: { a: 1 } },
  invalid: { code: 121, errmsg: "Document failed validation" },
  "stepping-down": { code: 189, errmsg: "primary stepped down" },
};

/** MongoDB as it answers inserts and look-ups of ids; `namesIndexes` false makes it answer as FerretDB does. */
class Server {
  readonly ids = new Set<string>();
  readonly order: string[] = [];
  commands = 0;
  lookups = 0;
  setLookups = 0;
  concern: { errmsg: string; code: number } | undefined;
  readonly namesIndexes: boolean;
  readonly db: Db;

  constructor({ namesIndexes = true } = {}) {
    this.namesIndexes = namesIndexes;
    this.db = {
      command: async (command: InsertCommand) => this.#insert(command),
      collection: () => ({
        findOne: async ({ _id }: { _id: string }) => {
          this.lookups++;
          return this.ids.has(_id) ? { _id } : null;
        },
        find: ({ _id }: { _id: { $in: string[] } }) => ({
          toArray: async () => {
            this.setLookups++;
            return _id.$in.filter((id) => this.ids.has(id)).map((id) => ({ _id: id }));
          },
        }),
      }),
    } as unknown as Db;
  }

  #insert({ documents, ordered }: InsertCommand): object {
    this.commands++;
    if (documents.some(({ fate }) => fate === "too-deep")) {
      throw new MongoServerError({ message: "BSONObj exceeded maximum nested object depth", code: 15 });
    }
    const writeErrors: object[] = [];
    for (const [index, { _id, fate }] of documents.entries()) {
      const error = WRITE_ERRORS[this.ids.has(_id) ? "there" : fate === "there" ? "good" : fate];
      if (error === undefined) {
        this.ids.add(_id);
        this.order.push(_id);
        continue;
      }
      const { keyPattern: _, ...unnamed } = error;
      const named = this.namesIndexes ? error : { ...unnamed, errmsg: unnamed.errmsg.replace(/ index.*/, "") };
      writeErrors.push({ index, ...named });
      if (ordered) break;
    }
    const concern = this.concern === undefined ? {} : { writeConcernError: this.concern };
    return { ok: 1, n: documents.length - writeErrors.length, writeErrors, ...concern };
  }
}

function operation(i: number, fate: Fate): Insert & Operation {
  const id = `id-${i}`;
  return { kind: "insert", id, document: { _id: id, fate }, bytes: 10 };
}

const DONE: Partial<Record<Fate, Outcome["kind"]>> = {
  good: "written",
  there: "already-written",
  "duplicate-elsewhere": "data-error",
  invalid: "data-error",
  "too-deep": "data-error",
};

const FATE = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Fate>("good") },
  { weight: 3, arbitrary: fc.constant<Fate>("there") },
  { weight: 1, arbitrary: fc.constantFrom<Fate>("duplicate-elsewhere", "invalid", "too-deep") },
);

test("whatever the batch, each operation ends with the outcome it must, and ordered ones in their order", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(FATE, { minLength: 1, maxLength: 80, size: "max" }),
      fc.boolean(),
      fc.boolean(),
      async (fates, ordered, namesIndexes) => {
        const server = new Server({ namesIndexes });
        const operations = fates.map((fate, i) => operation(i, fate));
        for (const [i, fate] of fates.entries()) if (fate === "there") server.ids.add(`id-${i}`);
        const ended = new Map<string, Outcome["kind"]>();
        let pending = operations;
        for (let attempts = 0; pending.length > 0; attempts++) {
          assert.ok(attempts <= fates.length, "it makes no progress");
          const outcomes = await insert(server.db, "c", pending, ordered, IN_TIME);
          assert.equal(outcomes.length, pending.length);
          for (const [i, { kind }] of outcomes.entries()) {
            if (kind !== "not-attempted") ended.set((pending[i] as Insert).id, kind);
          }
          pending = pending.filter((_, i) => outcomes[i]?.kind === "not-attempted");
          if (!ordered) assert.deepEqual(pending, []);
        }
        assert.deepEqual(
          operations.map(({ id }) => ended.get(id)),
          fates.map((fate) => DONE[fate]),
        );
        if (ordered) {
          const numbers = server.order.map((id) => Number(id.slice(3)));
          assert.deepEqual(
            numbers,
            numbers.toSorted((a, b) => a - b),
          );
        }
      },
    ),
    { numRuns: 300 },
  );
});

test("an error that passes leaves its document to be tried again, and in an ordered batch those behind it", async () => {
  const operations = (["good", "stepping-down", "good"] as const).map((fate, i) => operation(i, fate));
  const kinds = async (ordered: boolean) =>
    (await insert(new Server().db, "c", operations, ordered, IN_TIME)).map(({ kind }) => kind);
  assert.deepEqual(await kinds(false), ["written", "transient", "written"]);
  assert.deepEqual(await kinds(true), ["written", "transient", "not-attempted"]);
});

test("a replay takes one look-up of a set where the server names indexes, and single ones where it would scan", async () => {
  const operations = Array.from({ length: 200 }, (_, i) => operation(i, "good"));
  const mongo = new Server();
  const ferret = new Server({ namesIndexes: false });
  for (const server of [mongo, ferret]) {
    await insert(server.db, "c", operations, true, IN_TIME);
    const outcomes = await insert(server.db, "c", operations, true, IN_TIME);
    assert.ok(outcomes.every(({ kind }) => kind === "already-written"));
    assert.equal(server.commands, 2);
  }
  assert.deepEqual([mongo.lookups, mongo.setLookups], [0, 1]);
  assert.deepEqual([ferret.lookups, ferret.setLookups], [200, 0]);
});

test("what too few nodes have acknowledged is tried again, and found", async () => {
  const server = new Server();
  server.concern = { code: 64, errmsg: "waiting for replication timed out" };
  const operations = [operation(0, "good"), operation(1, "invalid"), operation(2, "good")];
  const first = await insert(server.db, "c", operations, false, IN_TIME);
  assert.deepEqual(
    first.map(({ kind }) => kind),
    ["transient", "data-error", "transient"],
  );
  server.concern = undefined;
  const second = await insert(server.db, "c", [operation(0, "good"), operation(2, "good")], false, IN_TIME);
  assert.ok(second.every(({ kind }) => kind === "already-written"));
});

test("an error of the whole command decides by its class", async () => {
  const failing = (error: unknown) => ({ command: async () => Promise.reject(error) }) as unknown as Db;
  const operations = [operation(0, "good"), operation(1, "good")];
  const away = await insert(failing(new MongoServerError({ message: "no", code: 91 })), "c", operations, true, IN_TIME);
  assert.ok(away.every(({ kind }) => kind === "transient"));
  const refused = failing(new MongoServerError({ message: "not authorized", code: 13 }));
  await assert.rejects(insert(refused, "c", operations, true, IN_TIME), { code: "DATABASE_REFUSED", retryable: false });
  const surprise = new TypeError("undefined is not a function");
  await assert.rejects(insert(failing(surprise), "c", operations, true, IN_TIME), (error) => error === surprise);
});

test("a command that is never answered ends in time, and is told to", async () => {
  let told: AbortSignal | undefined;
  const silent = {
    command: (_: unknown, { signal }: { signal: AbortSignal }) => {
      told = signal;
      return new Promise(() => {});
    },
  } as unknown as Db;
  const outcomes = await insert(silent, "c", [operation(0, "good"), operation(1, "good")], true, inTime(20));
  assert.ok(outcomes.every(({ kind }) => kind === "transient"));
  assert.equal(told?.aborted, true);
});
