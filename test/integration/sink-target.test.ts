import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { Document } from "mongodb";
import { freePort } from "../../services/ports.ts";
import type { FaultyProxy } from "../../services/toxiproxy/client.ts";
import { decodeJson } from "../../src/decode/json.ts";
import { SpillwayError } from "../../src/errors.ts";
import { insertModel } from "../../src/sink/models/insert.ts";
import type { Operation } from "../../src/sink/operations.ts";
import { runSink } from "../../src/sink/sink.ts";
import type { Outcome } from "../../src/sink/target.ts";
import { type MongoTarget, openMongoTarget } from "../../src/sink/targets/mongo.ts";
import { bsonOf, insertOf } from "../helpers/operations.ts";
import { type TestServices, testServices, uniqueName } from "../helpers/services.ts";
import { TestDatabase } from "../helpers/test-database.ts";
import { MemoryTopic, memberOf, memoryGeneration, memoryParts, numbered, sinkOptions } from "../unit/sink/memory.ts";

const START = { timeout: 20 * 60_000 };
const EACH = { timeout: 2 * 60_000 };

function operation(id: string, fields: Document = {}): Operation {
  const document = { ...fields, _id: id };
  return { kind: "insert", id, document, bytes: sizeOf(document) };
}

/** As JSON, which is what records hold. */
function sizeOf(document: Document): number {
  return JSON.stringify(document, (_, value) => (typeof value === "bigint" ? String(value) : value)).length;
}

/** `count` operations with the ids <prefix>-0 and so on. */
function operations(count: number, prefix = "id"): Operation[] {
  return Array.from({ length: count }, (_, i) => operation(`${prefix}-${i}`, { n: i }));
}

function kinds(outcomes: readonly Outcome[]): string[] {
  return outcomes.map(({ kind }) => kind);
}

function all(kind: Outcome["kind"], count: number): string[] {
  return new Array<string>(count).fill(kind);
}

describe("MongoDB as a target", () => {
  let services: TestServices;
  let database: TestDatabase;
  let target: MongoTarget;

  before(async () => {
    services = await testServices();
    database = new TestDatabase(services.mongoUrl, "sink");
    target = openMongoTarget({ url: services.mongoUrl, database: database.name, writeTimeoutMs: 60_000 });
  }, START);

  after(async () => {
    await database?.[Symbol.asyncDispose]();
    await target?.[Symbol.asyncDispose]();
  }, EACH);

  const stored = (collection: string) => database.collection(collection);
  const proxied = async (): Promise<{ proxy: FaultyProxy; url: string }> => {
    const { host } = new URL(services.mongoUrl);
    const proxy = await services.toxiproxy.createProxy({ name: uniqueName("mongo"), upstream: host });
    return { proxy, url: services.mongoUrl.replace(host, proxy.address) };
  };

  it("writes a batch, ordered or not", EACH, async () => {
    const collection = uniqueName("bulk");
    assert.deepEqual(await target.check(), { kind: "available" });
    assert.deepEqual(await target.write(collection, [], true), []);
    assert.deepEqual(kinds(await target.write(collection, operations(500, "a"), false)), all("written", 500));
    assert.deepEqual(kinds(await target.write(collection, operations(500, "b"), true)), all("written", 500));
    assert.equal(await stored(collection).countDocuments(), 1_000);
  });

  it("writes what was sent, exactly", EACH, async () => {
    const collection = uniqueName("exact");
    const text = '{"__proto__":{"x":1},"n":9007199254740993,"f":-1.5,"e":"","":null,"l":[{"a":true}],"u":"é😀\\u0000"}';
    const decoded = decodeJson(Buffer.from(text));
    assert.equal(decoded.kind, "value");
    if (decoded.kind !== "value") return;
    await target.write(collection, [operation("exact", decoded.value as Document)], false);
    const found: Document = (await stored(collection).findOne({ _id: "exact" }, { useBigInt64: true })) ?? {};
    assert.equal(found["_id"], "exact");
    assert.deepEqual(Object.getOwnPropertyDescriptor(found, "__proto__")?.value, { x: 1 });
    assert.equal(found["n"], 9007199254740993n);
    assert.deepEqual(
      [found["f"], found["e"], found[""], found["l"], found["u"]],
      [-1.5, "", null, [{ a: true }], "é😀\0"],
    );
  });

  it("finds what was written before, in an unordered batch", EACH, async () => {
    const collection = uniqueName("replay");
    const batch = operations(40);
    await target.write(
      collection,
      batch.filter((_, i) => i % 3 === 0),
      false,
    );
    const outcomes = await target.write(collection, batch, false);
    assert.deepEqual(
      kinds(outcomes),
      batch.map((_, i) => (i % 3 === 0 ? "already-written" : "written")),
    );
    assert.deepEqual(kinds(await target.write(collection, batch, false)), all("already-written", 40));
    assert.equal(await stored(collection).countDocuments(), 40);
  });

  it("finds what was written before, in an ordered batch, without an attempt for each", EACH, async () => {
    const collection = uniqueName("replay-ordered");
    const batch = operations(300);
    await target.write(collection, batch.slice(0, 200), true);
    const outcomes = await target.write(collection, batch, true);
    assert.deepEqual(kinds(outcomes).slice(0, 200), all("already-written", 200));
    assert.deepEqual(kinds(outcomes).slice(200), all("not-attempted", 100));
    assert.deepEqual(kinds(await target.write(collection, batch.slice(200), true)), all("written", 100));
    assert.deepEqual(kinds(await target.write(collection, batch, true)), all("already-written", 300));
  });

  it("takes a duplicate on another index for what it is: a data error", EACH, async () => {
    const collection = uniqueName("unique");
    await stored(collection).createIndex({ email: 1 }, { unique: true });
    const batch = [
      operation("u1", { email: "a" }),
      operation("u2", { email: "a" }),
      operation("u3", { email: "b" }),
      operation("u4", { email: "b" }),
      operation("u5", { email: "c" }),
    ];
    const unordered = await target.write(collection, batch, false);
    assert.deepEqual(kinds(unordered), ["written", "data-error", "written", "data-error", "written"]);
    assert.equal(unordered[1]?.kind === "data-error" && unordered[1].code, "mongodb-11000");
    // Now all that is there is found, and what is still refused is still no duplicate of its own.
    assert.deepEqual(kinds(await target.write(collection, batch, false)), [
      "already-written",
      "data-error",
      "already-written",
      "data-error",
      "already-written",
    ]);
    const fresh = [operation("u6", { email: "d" }), operation("u7", { email: "d" }), operation("u8", { email: "e" })];
    const ordered = await target.write(collection, fresh, true);
    assert.deepEqual(kinds(ordered), ["written", "data-error", "not-attempted"]);
    assert.deepEqual(kinds(await target.write(collection, fresh.slice(2), true)), ["written"]);
  });

  for (const ordered of [false, true]) {
    const how = ordered ? "ordered" : "unordered";
    it(`finds a document of 20 MB among good ones (${how})`, EACH, async () => {
      const collection = uniqueName("large");
      const batch = operations(10);
      batch[4] = operation("large", { text: "x".repeat(20_000_000) });
      const outcomes = await target.write(collection, batch, ordered);
      assert.deepEqual(kinds(outcomes.slice(0, 5)), [...all("written", 4), "data-error"]);
      assert.deepEqual(kinds(outcomes.slice(5)), all(ordered ? "not-attempted" : "written", 5));
      assert.equal(outcomes[4]?.kind === "data-error" && outcomes[4].code, "bson-too-large");
      assert.equal(await stored(collection).countDocuments(), ordered ? 4 : 9);
    });

    it(`finds documents that BSON can't hold among good ones (${how})`, EACH, async () => {
      const collection = uniqueName("unfit");
      const batch = operations(6);
      batch[0] = operation("nul", { ["a\0b"]: 1 });
      batch[3] = operation("type", { a: { _bsontype: "Long" } });
      const outcomes = await target.write(collection, batch, ordered);
      const rest = ordered ? all("not-attempted", 5) : ["written", "written", "data-error", "written", "written"];
      assert.deepEqual(kinds(outcomes), ["data-error", ...rest]);
      assert.equal(outcomes[0]?.kind === "data-error" && outcomes[0].code, "bson-invalid");
    });

    it(`sends what is more than a message may hold in several (${how})`, EACH, async () => {
      const collection = uniqueName("messages");
      const batch = Array.from({ length: 3 }, (_, i) => operation(`m${i}`, { text: "x".repeat(9_000_000) }));
      assert.deepEqual(kinds(await target.write(collection, batch, ordered)), all("written", 3));
      assert.deepEqual(kinds(await target.write(collection, batch, ordered)), all("already-written", 3));
    });
  }

  it("sends what is BSON already in several messages too, among documents that are not", EACH, async () => {
    const collection = uniqueName("bson");
    const small = Array.from({ length: 150 }, (_, i) => bsonOf(insertOf(`s${i}`, { n: i, text: "x".repeat(10_000) })));
    const sized: readonly Operation[] = small.map((one) => ({ ...one, bytes: 10_000 }));
    const batch = [...sized, operation("large", { text: "x".repeat(1_000_000) }), ...operations(5)];
    for (const ordered of [true, false]) {
      const place = `${collection}-${ordered}`;
      assert.deepEqual(kinds(await target.write(place, batch, ordered)), all("written", 156));
      assert.equal(await stored(place).countDocuments(), 156);
      assert.deepEqual(await stored(place).findOne({ _id: "s7" }), { _id: "s7", n: 7, text: "x".repeat(10_000) });
    }
  });

  it("says that a database is away, within the time set", EACH, async () => {
    const url = `mongodb://127.0.0.1:${await freePort()}/`;
    await using away = openMongoTarget({ url, serverSelectionTimeoutMs: 300 });
    const startedAt = performance.now();
    assert.equal((await away.check()).kind, "away");
    assert.deepEqual(kinds(await away.write("c", operations(3), true)), all("transient", 3));
    assert.ok(performance.now() - startedAt < 5_000);
  });

  it("takes a lost answer for an outage, and finds afterwards what was written", EACH, async () => {
    const collection = uniqueName("lost");
    const { proxy, url } = await proxied();
    await using behind = openMongoTarget({
      url,
      database: database.name,
      writeTimeoutMs: 1_000,
      serverSelectionTimeoutMs: 1_000,
    });
    assert.deepEqual(await behind.check(), { kind: "available" });
    const fault = await proxy.freeze({ direction: "downstream" });
    const batch = operations(20);
    const lost = await behind.write(collection, batch, true);
    assert.deepEqual(kinds(lost), all("transient", 20));
    assert.ok(lost.every((outcome) => outcome.kind === "transient" && outcome.isLate === true));
    await proxy.remove(fault);
    assert.equal(await stored(collection).countDocuments(), 20);
    const outcomes = await behind.write(collection, batch, true);
    assert.deepEqual(kinds(outcomes), all("already-written", 20));
    await proxy.delete();
  });

  it("goes on when a connection that was cut is back", EACH, async () => {
    const collection = uniqueName("cut");
    const { proxy, url } = await proxied();
    await using behind = openMongoTarget({ url, database: database.name, serverSelectionTimeoutMs: 1_000 });
    assert.deepEqual(kinds(await behind.write(collection, operations(5, "a"), false)), all("written", 5));
    await proxy.cut();
    const refused = await behind.write(collection, operations(5, "b"), false);
    assert.deepEqual(kinds(refused), all("transient", 5));
    assert.ok(
      refused.every((outcome) => !("isLate" in outcome)),
      "nobody was late: nobody is there",
    );
    assert.equal((await behind.check()).kind, "away");
    await proxy.restore();
    for (;;) {
      const outcomes = await behind.write(collection, operations(5, "b"), false);
      if (kinds(outcomes)[0] !== "transient") break;
    }
    assert.equal(await stored(collection).countDocuments(), 10);
    await proxy.delete();
  });

  it("says that it isn't let in, and not with which password", EACH, async () => {
    const url = services.mongoUrl.replace("mongodb://", "mongodb://somebody:s3cr3t-s3cr3t@");
    await using stranger = openMongoTarget({ url, database: database.name });
    const isRefusal = (error: unknown): boolean => {
      assert.ok(error instanceof SpillwayError, String(error));
      assert.equal(error.code, "DATABASE_REFUSED");
      assert.doesNotMatch(`${error.message} ${error.stack} ${String(error.cause)}`, /s3cr3t/);
      return true;
    };
    await assert.rejects(stranger.check(), isRefusal);
    await assert.rejects(stranger.write("c", operations(2), false), isRefusal);
  });

  it("ends on a collection that can't be", EACH, async () => {
    await assert.rejects(target.write("a$b", operations(2), true), { code: "DATABASE_REFUSED" });
  });

  it("is written to by a sink through a cut, each record once, and replayed without a trace", EACH, async () => {
    const count = 1_500;
    const { proxy, url } = await proxied();
    await using behind = openMongoTarget({
      url,
      database: database.name,
      serverSelectionTimeoutMs: 2_000,
      writeTimeoutMs: 3_000,
    });
    const partitions = [0, 1, 2].map((p) =>
      Array.from({ length: count / 3 }, (_, i) => numbered(`key-${p}-${i % 50}`, i)),
    );
    const topic = new MemoryTopic(partitions);
    const collection = uniqueName("run");
    const model = insertModel(() => collection, "value");
    const options = sinkOptions({ inFlightRecords: 600, batchRecords: 50, batchTimeoutMs: 50 });
    const generation = memoryGeneration(topic.positions());
    const parts = memoryParts(topic, memberOf(generation), { target: behind as never, model });
    const running = runSink(parts, options);
    try {
      while (parts.stats.recordsWritten < count / 4) await pause(1);
      await proxy.cut();
      while (parts.stats.retries < 2) await pause(1);
      await proxy.restore();
      await running;
    } finally {
      generation.end();
    }
    assert.equal(await stored(collection).countDocuments(), count);
    assert.equal(parts.deadLetters.buried.length, 0);
    assert.equal(parts.stats.recordsWritten + parts.stats.recordsAlreadyWritten, count);
    assert.deepEqual([...generation.committed.values()], new Array(3).fill(BigInt(count / 3)));

    const again = memoryParts(topic, memberOf(memoryGeneration(topic.positions())), { target: target as never, model });
    await runSink(again, options);
    assert.equal(again.stats.recordsAlreadyWritten, count);
    assert.equal(await stored(collection).countDocuments(), count);
    await proxy.delete();
  });
});
