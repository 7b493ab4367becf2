/**
 * A sink before a real database whose answers are altered on their way: partly failed, lost, late, an outage of many
 * kinds. What became of each record is read from the database itself; what was asked of it is counted at the proxy.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Document } from "mongodb";
import type { NewRecord } from "../../src/record-batch/batch-builder.ts";
import { insertModel } from "../../src/sink/models/insert.ts";
import { latestModel } from "../../src/sink/models/latest.ts";
import type { SinkOptions } from "../../src/sink/options.ts";
import { runSink } from "../../src/sink/sink.ts";
import { openMongoTarget } from "../../src/sink/targets/mongo.ts";
import { until } from "../helpers/kafka.ts";
import { testServices, uniqueName } from "../helpers/services.ts";
import { TestDatabase } from "../helpers/test-database.ts";
import { type Fault, type SeenCommand, WireProxy, type WriteError } from "../helpers/wire-proxy.ts";
import {
  type MemoryParts,
  MemoryTopic,
  memberOf,
  memoryGeneration,
  memoryParts,
  numbered,
  sinkOptions,
  TOPIC_ID,
} from "../unit/sink/memory.ts";

const EACH = { timeout: 2 * 60_000 };
const MODELS = ["insert", "latest"] as const;
type ModelName = (typeof MODELS)[number];

const idOf = (offset: number, partition = 0) => `${TOPIC_ID}-${partition}-${offset}`;
const codesOf = ({ deadLetters }: MemoryParts) =>
  new Map(deadLetters.buried.map(({ record, reason }) => [Number(record.offset), reason.code]));

/** Of an insert or a `latest`. */
function idIn(statement: Document): string {
  return String(statement["_id"] ?? statement["u"]?._id);
}

describe("a sink whose database answers strangely", () => {
  let database: TestDatabase;
  let proxy: WireProxy;
  let url: string;

  before(async () => {
    const { mongoUrl } = await testServices();
    const { host } = new URL(mongoUrl);
    proxy = await WireProxy.open(host);
    url = mongoUrl.replace(host, proxy.address);
    database = new TestDatabase(mongoUrl, "replies");
  }, EACH);

  after(async () => {
    await database?.[Symbol.asyncDispose]();
    await proxy?.[Symbol.asyncDispose]();
  }, EACH);

  const stored = (collection: string) => database.collection(collection);

  interface Run extends MemoryParts {
    readonly collection: string;
    readonly ended: Promise<void>;
    /** All documents, in the order in which they came to be. */
    documents(): Promise<readonly Document[]>;
  }

  /** Runs a sink over the partitions, to their ends. */
  async function sink(
    model: ModelName,
    partitions: readonly (readonly NewRecord[])[],
    { collection = uniqueName(model), ...options }: Partial<SinkOptions> & { readonly collection?: string } = {},
  ): Promise<Run> {
    proxy.seen.length = 0;
    const topic = new MemoryTopic(partitions);
    const target = openMongoTarget({
      url,
      database: database.name,
      writeTimeoutMs: 600,
      serverSelectionTimeoutMs: 2_000,
    });
    const made = model === "insert" ? insertModel : latestModel;
    const parts = memoryParts(topic, memberOf(memoryGeneration(topic.positions())), {
      target: target as never,
      model: made(() => collection, "value"),
    });
    const backoff = { retryBackoff: { baseMs: 20, maxMs: 300 }, drainDeadlineMs: 90_000 };
    const ended = runSink(parts, sinkOptions({ writers: 1, batchRecords: 100, ...backoff, ...options })).finally(
      async () => {
        proxy.rule = () => undefined;
        await target[Symbol.asyncDispose]();
      },
    );
    ended.catch(() => {});
    return { ...parts, collection, ended, documents: () => stored(collection).find({}).toArray() };
  }

  /** Fails statements by the offset of their record; of those that pass, each once. */
  function failing(errors: ReadonlyMap<string, WriteError>, passing: ReadonlySet<string>): typeof proxy.rule {
    const spent = new Set<string>();
    return ({ name, statements, ordered }) => {
      if (name !== "insert" && name !== "update") return undefined;
      const failures = new Map<number, WriteError>();
      for (const [place, statement] of statements.entries()) {
        const id = idIn(statement);
        const error = errors.get(id);
        if (error === undefined || spent.has(id)) continue;
        failures.set(place, error);
      }
      // Of an ordered command only the first is reached.
      const reached = ordered ? Math.min(...failures.keys()) : statements.length;
      for (const [place, statement] of statements.entries()) {
        if (failures.has(place) && place <= reached && passing.has(idIn(statement))) spent.add(idIn(statement));
      }
      return failures.size === 0 ? undefined : { kind: "part", failures };
    };
  }

  for (const [how, keyOf] of [
    ["unordered", (i: number) => `key-${i}`],
    ["ordered, since a key repeats", () => "key"],
  ] as const) {
    it(`insert, ${how}: each operation that failed goes the way of its error`, EACH, async () => {
      const collection = uniqueName("partly");
      const there = [9, 10].map((i) => ({ _id: idOf(i), key: keyOf(i), sequence: i }));
      await stored(collection).insertMany(there);
      const errors: readonly [number, WriteError][] = [
        [1, { code: 121, errmsg: "Document failed validation" }],
        [3, { code: 112, errmsg: "WriteConflict" }],
        [5, { code: 11000, errmsg: "E11000 duplicate key", keyPattern: { email: 1 } }],
        [7, { code: 11000, errmsg: "E11000 duplicate key" }],
        [9, { code: 11000, errmsg: "E11000 duplicate key", keyPattern: { _id: 1 } }],
        [10, { code: 11000, errmsg: "E11000 duplicate key" }],
        [11, { code: 424_242, errmsg: "nobody knows" }],
        [13, { code: 10107, errmsg: "not primary" }],
      ];
      proxy.rule = failing(new Map(errors.map(([i, error]) => [idOf(i), error])), new Set([idOf(3), idOf(13)]));
      const run = await sink("insert", [Array.from({ length: 20 }, (_, i) => numbered(keyOf(i), i))], { collection });
      await run.ended;
      const dead = [
        [1, "mongodb-121"],
        [5, "mongodb-11000"],
        [7, "mongodb-11000"],
        [11, "mongodb-424242"],
      ] as const;
      assert.deepEqual(new Map([...codesOf(run)].toSorted(([a], [b]) => a - b)), new Map(dead));
      const sequences = (await run.documents()).map(({ sequence }) => sequence);
      const expected = Array.from({ length: 20 }, (_, i) => i).filter((i) => !dead.some(([offset]) => offset === i));
      assert.deepEqual(
        sequences.toSorted((a, b) => a - b),
        expected,
      );
      const written = sequences.slice(there.length);
      if (how !== "unordered")
        assert.deepEqual(
          written,
          written.toSorted((a, b) => a - b),
        );
      assert.equal(run.stats.recordsAlreadyWritten, there.length);
    });
  }

  it("latest: each operation that failed goes the way of its error", EACH, async () => {
    const collection = uniqueName("partly");
    const version = (order: number) => ({ source: `${TOPIC_ID}-0`, order: BigInt(order) });
    await stored(collection).insertMany([
      { _id: "k3", sequence: -1, _spillway: { source: `${TOPIC_ID}-0`, order: 0n } },
      { _id: "k4", sequence: -1, _spillway: { source: "another-0", order: 0n } },
    ]);
    const errors: readonly [string, WriteError][] = [
      ["k1", { code: 121, errmsg: "Document failed validation" }],
      ["k2", { code: 112, errmsg: "WriteConflict" }],
      // Another writer was there a moment ago.
      ["k3", { code: 11000, errmsg: "E11000 duplicate key", keyPattern: { _id: 1 } }],
      ["k5", { code: 11000, errmsg: "E11000 duplicate key", keyPattern: { email: 1 } }],
    ];
    proxy.rule = failing(new Map(errors), new Set(["k2", "k3"]));
    const run = await sink("latest", [Array.from({ length: 8 }, (_, i) => numbered(`k${i}`, i))], { collection });
    await run.ended;
    const dead = [
      [1, "mongodb-121"],
      [4, "mongodb-unlike-version"],
      [5, "mongodb-11000"],
    ] as const;
    assert.deepEqual(new Map([...codesOf(run)].toSorted(([a], [b]) => a - b)), new Map(dead));
    const states = new Map(
      (await run.documents()).map(({ _id, sequence, _spillway: { source, order } }) => [
        _id,
        { sequence, source, order: BigInt(order) },
      ]),
    );
    for (const i of [0, 2, 3, 6, 7]) assert.deepEqual(states.get(`k${i}`), { sequence: i, ...version(i) });
    assert.equal(states.size, 6);
    assert.equal(states.get("k4")?.sequence, -1, "what another wrote is left alone");
  });

  it("latest: a duplicate that names no index, met in a race, is no data error; one that stays is", EACH, async () => {
    const collection = uniqueName("race");
    await stored(collection).insertOne({ _id: "k1", sequence: -1, _spillway: { source: `${TOPIC_ID}-0`, order: 0n } });
    const unnamed = { code: 11000, errmsg: "E11000 duplicate key" };
    const errors = new Map(["k1", "k2", "k3"].map((key) => [key, unnamed]));
    proxy.rule = failing(errors, new Set(["k1", "k2"]));
    const run = await sink("latest", [Array.from({ length: 5 }, (_, i) => numbered(`k${i}`, i))], { collection });
    await run.ended;
    assert.deepEqual(codesOf(run), new Map([[3, "mongodb-11000"]]));
    const states = new Map((await run.documents()).map(({ _id, sequence }) => [_id, sequence]));
    assert.deepEqual(new Map([...states].toSorted()), new Map([0, 1, 2, 4].map((i) => [`k${i}`, i])));
  });

  it("an index that can't be made, since documents or another index are in its way, is no outage", EACH, async () => {
    const indexes = [{ collection: uniqueName("in-the-way"), fields: [["email", 1]], unique: true }] as const;
    await using target = openMongoTarget({ url, database: database.name, indexes });
    for (const code of [67, 85, 86, 11000]) {
      proxy.rule = ({ name }) => {
        return name === "createIndexes" ? { kind: "answer", reply: { ok: 0, code, errmsg: "no" } } : undefined;
      };
      await assert.rejects(target.prepare(), { code: "DATABASE_REFUSED" }, String(code));
    }
    proxy.rule = () => undefined;
    assert.deepEqual(await target.prepare(), { kind: "available" });
  });

  const LOSSES: readonly (readonly [string, Fault])[] = [
    ["lost with their connection", { kind: "lose" }],
    ["swallowed", { kind: "lose", silent: true }],
    ["later than anyone waits", { kind: "delay", ms: 800 }],
  ];
  for (const model of MODELS) {
    it(`${model}: answers that are lost, or too late, make nothing double and no state wrong`, EACH, async () => {
      for (const [how, fault] of LOSSES) {
        let writes = 0;
        let lost = 0;
        proxy.rule = ({ name }) => {
          if (name !== "insert" && name !== "update") return undefined;
          if (++writes % 4 !== 2 || lost >= 4) return undefined;
          lost++;
          return fault;
        };
        const partitions = [0, 1].map((p) => Array.from({ length: 300 }, (_, i) => numbered(`key-${p}-${i % 23}`, i)));
        const run = await sink(model, partitions, { writers: 4, batchRecords: 20 });
        await run.ended;
        assert.ok(lost >= 3, `${lost} were lost`);
        assert.equal(run.deadLetters.buried.length, 0, how);
        assertStands(model, partitions, await run.documents());
      }
    });
  }

  const ALL = (error: WriteError) => (command: SeenCommand) => {
    return { kind: "part", failures: new Map(command.statements.map((_, place) => [place, error])) } as const;
  };
  const answers = (reply: Document) => () => ({ kind: "answer", reply }) as const;
  const OUTAGES: readonly (readonly [string, (command: SeenCommand) => Fault])[] = [
    [
      "a primary that isn't one",
      answers({ ok: 0, code: 10107, codeName: "NotWritablePrimary", errmsg: "not primary" }),
    ],
    [
      "a primary that steps down",
      answers({ ok: 0, code: 189, codeName: "PrimarySteppedDown", errmsg: "stepping down" }),
    ],
    ["a disk that is full", answers({ ok: 0, code: 14031, codeName: "OutOfDiskSpace", errmsg: "no space" })],
    ["a disk that is full, document by document", ALL({ code: 14031, errmsg: "no space" })],
    [
      "a write concern that isn't met",
      () => ({
        kind: "change",
        change: (reply) => ({
          ...reply,
          writeConcernError: { code: 64, codeName: "WriteConcernTimeout", errmsg: "waited" },
        }),
      }),
    ],
  ];
  const WRITERS = 8;
  const OUTAGE_MS = 1_200;
  for (const [i, [what, fault]] of OUTAGES.entries()) {
    const model = MODELS[i % 2] as ModelName;
    it(`${what} (${model}): no dead letters, few commands, and a recovery that begins with one`, EACH, async () => {
      let isAway = false;
      proxy.rule = (command) => {
        if (command.name !== "insert" && command.name !== "update") return undefined;
        // Slow enough that writes side by side are seen as such.
        return isAway ? fault(command) : { kind: "delay", ms: 30 };
      };
      const partitions = [0, 1, 2].map((p) =>
        Array.from({ length: 1_200 }, (_, n) => numbered(`key-${p}-${n % 40}`, n)),
      );
      const run = await sink(model, partitions, { writers: WRITERS, batchRecords: 20, inFlightRecords: 1_000 });
      await until("work under way", () => proxy.writes().length >= WRITERS);
      isAway = true;
      const [before, began] = [proxy.seen.length, performance.now()];
      await until("an outage that has lasted", () => performance.now() - began > OUTAGE_MS);
      isAway = false;
      const [tried, asked] = [proxy.writes(before).length, proxy.seen.length - before];
      const recovery = proxy.seen.length;
      await run.ended;
      // Each writer once or twice, and then one attempt for each time that the database said it was back.
      assert.ok(tried <= 2 * WRITERS + (asked - tried), `${tried} writes, ${asked} commands`);
      assert.ok(asked < 3 * WRITERS + 20, `${asked} commands in ${OUTAGE_MS} ms`);

      const after = proxy.writes(recovery);
      const [first] = after;
      assert.equal(first?.sideBySide, 1, "the recovery begins with one write");
      for (const { sideBySide, answeredBefore } of after) {
        const succeeded = answeredBefore - (first?.answeredBefore ?? 0);
        assert.ok(sideBySide <= 2 ** succeeded, `${sideBySide} side by side after ${succeeded} that succeeded`);
      }
      assert.ok(
        after.some(({ sideBySide }) => sideBySide > WRITERS / 2),
        "it grows to full width again",
      );
      assert.equal(run.deadLetters.buried.length, 0);
      assertStands(model, partitions, await run.documents());
    });
  }
});

/** All records are there in the order of their keys (insert), or the newest of each key is (latest). */
function assertStands(model: ModelName, partitions: readonly (readonly NewRecord[])[], documents: readonly Document[]) {
  const all = partitions.flatMap((records, partition) =>
    records.map(({ value }, offset) => ({ id: idOf(offset, partition), ...JSON.parse(String(value)) })),
  );
  if (model === "latest") {
    const newest = Object.fromEntries(all.map(({ key, sequence }) => [key, sequence]));
    assert.deepEqual(Object.fromEntries(documents.map(({ _id, sequence }) => [_id, sequence])), newest);
    return;
  }
  assert.deepEqual(documents.map(({ _id }) => _id).toSorted(), all.map(({ id }) => id).toSorted());
  for (const [key, ofKey] of Map.groupBy(documents, (document) => document["key"] as string)) {
    const sequences = ofKey.map(({ sequence }) => sequence as number);
    assert.deepEqual(
      sequences,
      sequences.toSorted((a, b) => a - b),
      key,
    );
  }
}
