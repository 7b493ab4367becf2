/** The model `latest` on a real database: what replaces what, what survives a late replay, and what can't be told. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Document } from "mongodb";
import { latestModel } from "../../src/sink/models/latest.ts";
import type { DecodedRecord } from "../../src/sink/models/model.ts";
import type { Latest, Operation, VersionOrder } from "../../src/sink/operations.ts";
import type { Outcome } from "../../src/sink/target.ts";
import { type MongoTarget, openMongoTarget } from "../../src/sink/targets/mongo.ts";
import { consume, kafkaOf, makeTopic, produceAll, until } from "../helpers/kafka.ts";
import { SpillwayProcess } from "../helpers/process.ts";
import { type TestServices, testServices, uniqueName } from "../helpers/services.ts";
import { TestDatabase } from "../helpers/test-database.ts";

const EACH = { timeout: 3 * 60_000 };
const SOURCE = "AAAAAAAAAAAAAAAAAAAAAQ-0";

/** As the model would make it of a record at an offset. */
function state(id: string, order: VersionOrder, fields: Document = {}, source = SOURCE): Latest & { bytes: number } {
  const version = { source, order };
  return { kind: "latest", id, version, document: { ...fields, _id: id, _spillway: version }, bytes: 100 };
}

/** By the model itself. */
function tombstone(key: string, offset: bigint): Operation {
  const record = { topic: "t", partition: 0, offset, timestamp: 0n, key: Buffer.from(key), value: null, headers: [] };
  const [topicId, partition] = ["AAAAAAAAAAAAAAAAAAAAAQ", 0];
  const decoded = { record, origin: { topicId, partition, offset }, value: null } as unknown as DecodedRecord;
  const planned = latestModel(() => "c", "value")(decoded);
  assert.ok("length" in planned && planned[0] !== undefined);
  return planned[0].operation;
}

function kinds(outcomes: readonly Outcome[]): string[] {
  return outcomes.map((outcome) => (outcome.kind === "data-error" ? outcome.code : outcome.kind));
}

describe("the model latest on a real database", () => {
  let services: TestServices;
  let database: TestDatabase;
  let target: MongoTarget;

  before(async () => {
    services = await testServices();
    database = new TestDatabase(services.mongoUrl, "latest");
    target = openMongoTarget({ url: services.mongoUrl, database: database.name });
  }, EACH);

  after(async () => {
    await database?.[Symbol.asyncDispose]();
    await target?.[Symbol.asyncDispose]();
  }, EACH);

  const stored = (collection: string) => database.collection(collection);
  const standing = async (collection: string, id: string): Promise<Document | null> =>
    await stored(collection).findOne({ _id: id }, { useBigInt64: true });
  const write = async (collection: string, ...operations: readonly Operation[]) =>
    kinds(await target.write(collection, operations, true));

  it("a newer state replaces, an equal or older one changes nothing", EACH, async () => {
    const collection = uniqueName("order");
    assert.deepEqual(await write(collection, state("a", 5n, { n: 5, only: true })), ["written"]);
    assert.deepEqual(await write(collection, state("a", 5n, { n: 50 })), ["already-written"]);
    assert.deepEqual(await write(collection, state("a", 4n, { n: 4 })), ["already-written"]);
    assert.deepEqual((await standing(collection, "a"))?.["n"], 5);
    assert.deepEqual(await write(collection, state("a", 2n ** 53n + 1n, { n: 6 })), ["written"]);
    assert.deepEqual(await write(collection, state("a", 2n ** 53n, { n: 7 })), ["already-written"]);
    const version = { source: SOURCE, order: 2n ** 53n + 1n };
    assert.deepEqual(await standing(collection, "a"), { _id: "a", n: 6, _spillway: version });
  });

  it("of a batch each goes its own way, and what stands behind one that is there already goes on", EACH, async () => {
    const collection = uniqueName("batch");
    await write(collection, state("b", 10n), state("d", 10n));
    const batch = [state("a", 1n), state("b", 9n), state("c", 1n), state("d", 11n)];
    const outcomes = kinds(await target.write(collection, batch, false));
    assert.deepEqual(outcomes, ["written", "already-written", "written", "written"]);
  });

  it("what is of another origin, or of none of this model, is left alone: a data error", EACH, async () => {
    const collection = uniqueName("unlike");
    await stored(collection).insertOne({ _id: "foreign", n: 1 });
    await write(collection, state("other", 5n, {}, "BBBBBBBBBBBBBBBBBBBBBB-0"));
    for (const id of ["foreign", "other"]) {
      assert.deepEqual(await write(collection, state(id, 9n, { n: 9 })), ["mongodb-unlike-version"]);
      assert.notEqual((await standing(collection, id))?.["n"], 9);
    }
  });

  it("a tombstone stays as a marker, so that a late replay resurrects nothing", EACH, async () => {
    const collection = uniqueName("tombstone");
    await write(collection, state("k", 1n, { n: 1 }));
    assert.deepEqual(await write(collection, tombstone("k", 3n)), ["written"]);
    assert.deepEqual(await write(collection, state("k", 2n, { n: 2 })), ["already-written"]);
    const marker = { _id: "k", _spillway: { source: SOURCE, order: 3n, deleted: true } };
    assert.deepEqual(BigInt((await standing(collection, "k"))?.["_spillway"].order), 3n);
    assert.equal((await standing(collection, "k"))?.["_spillway"].deleted, marker._spillway.deleted);
    assert.equal((await standing(collection, "k"))?.["n"], undefined);
    assert.deepEqual(await write(collection, state("k", 4n, { n: 4 })), ["written"]);
    assert.equal((await standing(collection, "k"))?.["_spillway"].deleted, undefined);
  });

  it("a state that the server can't parse takes none of its batch with it", EACH, async () => {
    for (const [ordered, behind] of [
      [false, "written"],
      [true, "not-attempted"],
    ] as const) {
      const collection = uniqueName("unparsed");
      const batch = [state("a", 1n, { n: 1 }), state("b", 1n, { $set: { n: 1 } }), state("c", 1n, { n: 1 })];
      const outcomes = kinds(await target.write(collection, batch, ordered));
      assert.deepEqual(outcomes, ["written", "mongodb-52", behind]);
      assert.equal((await standing(collection, "a"))?.["n"], 1);
      assert.equal((await standing(collection, "c")) !== null, !ordered);
    }
  });

  it("versions by a field: numbers of any kind, texts by their bytes, and never one with the other", EACH, async () => {
    const field = (id: string, order: VersionOrder) => state(id, order, {}, "field:at");
    const collection = uniqueName("field");
    const steps: readonly (readonly [VersionOrder, string])[] = [
      [1, "written"],
      [1.5, "written"],
      [1, "already-written"],
      [2n ** 60n, "written"],
      [2n ** 60n - 1n, "already-written"],
      [1e300, "written"],
      [2n ** 62n, "already-written"],
      ["2", "mongodb-unlike-version"],
    ];
    for (const [order, outcome] of steps) {
      assert.deepEqual(await write(collection, field("number", order)), [outcome], String(order));
    }
    const texts: readonly (readonly [string, string])[] = [
      ["2026-01-02", "written"],
      ["2026-01-10", "written"],
      ["2026-01-09", "already-written"],
      ["é", "written"],
      ["z", "already-written"],
    ];
    for (const [order, outcome] of texts) {
      assert.deepEqual(await write(collection, field("text", order)), [outcome], order);
    }
    assert.deepEqual(await write(collection, field("text", 5)), ["mongodb-unlike-version"]);
  });

  it("a duplicate on another unique index is a data error, whether the document is there or not", EACH, async () => {
    const collection = uniqueName("unique");
    await stored(collection).createIndex({ email: 1, "at.n": 1 }, { unique: true });
    const of = (id: string, order: bigint, email: string) => state(id, order, { email, at: { n: 1 } });
    await write(collection, of("a", 1n, "a"), of("b", 1n, "b"));
    assert.deepEqual(await write(collection, of("c", 2n, "a")), ["mongodb-11000"]);
    assert.equal(await standing(collection, "c"), null);
    const batch = [of("d", 2n, "d"), of("b", 2n, "a"), of("e", 2n, "e"), of("b", 3n, "bb"), of("f", 1n, "bb")];
    const outcomes = kinds(await target.write(collection, batch, false));
    // FerretDB fails behind what it has done, and is asked again.
    const inDatabase = outcomes.map((kind) => kind.replace("already-", ""));
    assert.deepEqual(inDatabase, ["written", "mongodb-11000", "written", "written", "mongodb-11000"]);
    const ordered = await write(collection, of("g", 1n, "g"), of("d", 3n, "e"), of("h", 1n, "h"));
    assert.deepEqual(ordered.slice(1), ["mongodb-11000", "not-attempted"]);
    const update = (email: string) =>
      ({ kind: "update", filter: { _id: "b" }, update: { $set: { email } }, upsert: false, bytes: 10 }) as const;
    assert.deepEqual(await write(collection, update("a")), ["mongodb-11000"]);
    assert.deepEqual(await write(collection, update("b")), ["written"]);
    assert.equal((await standing(collection, "b"))?.["email"], "b");
  });

  it(
    "two writers of one key: whoever comes last in time, the newest state stands, and nobody is told of an error",
    EACH,
    async () => {
      const collection = uniqueName("race");
      const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
      const writer = async (orders: readonly number[]) => {
        const outcomes: Outcome[] = [];
        for (const order of orders) {
          outcomes.push(
            ...(await target.write(
              collection,
              keys.map((key) => state(key, BigInt(order))),
              false,
            )),
          );
        }
        return outcomes;
      };
      const outcomes = (await Promise.all([writer([1, 3, 5, 7]), writer([2, 4, 6, 8])])).flat();
      assert.deepEqual(
        [...new Set(kinds(outcomes))].toSorted().filter((kind) => !/written/.test(kind)),
        [],
      );
    },
  );

  it("takes no longer where there are many documents: no write reads the whole table", EACH, async (t) => {
    const collection = uniqueName("many");
    const perWrite: number[] = [];
    for (const size of [1_000, 10_000]) {
      for (let from = (await stored(collection).countDocuments()) as number; from < size; from += 500) {
        const batch = Array.from({ length: 500 }, (_, i) => state(`key-${from + i}`, 1n, { text: "x".repeat(100) }));
        assert.deepEqual([...new Set(kinds(await target.write(collection, batch, false)))], ["written"]);
      }
      const began = performance.now();
      const again = Array.from({ length: 500 }, (_, i) => state(`key-${i * 2}`, BigInt(size), { text: "y" }));
      assert.deepEqual([...new Set(kinds(await target.write(collection, again, false)))], ["written"]);
      perWrite.push((performance.now() - began) / again.length);
    }
    const [few = 0, many = 0] = perWrite;
    t.diagnostic(`${few.toFixed(2)} ms a write among 1,000 documents, ${many.toFixed(2)} ms among 10,000`);
    // Reading the whole table takes ten times as long for ten times the documents.
    assert.ok(many < 6 * few, `${many} ms against ${few} ms`);
  });

  it(
    "by the command: a collection for each value of a field, indexes made at the start, tombstones kept out",
    EACH,
    async () => {
      const kafka = kafkaOf(services.brokers);
      const topic = uniqueName("by-field");
      await makeTopic(kafka, { topic, partitions: 1 });
      const record = (key: string, value: object | null) => {
        return {
          key: Buffer.from(key),
          value: value === null ? null : Buffer.from(JSON.stringify(value)),
          timestamp: 1,
        };
      };
      await produceAll(kafka, topic, [
        record("a", { symbol: "btc", n: 1 }),
        record("a", { symbol: "btc", n: 2 }),
        record("b", { symbol: "eth", n: 3 }),
        record("c", { n: 4 }),
        record("d", null),
      ]);
      const places = [
        "--brokers",
        services.brokers.join(),
        "--mongo-url",
        services.mongoUrl,
        "--database",
        database.name,
      ];
      const names = ["--topic", topic, "--collection", "by-{value.symbol}", "--model", "latest"];
      await using sink = new SpillwayProcess([
        "sink",
        ...places,
        ...names,
        "--index",
        "by-btc=symbol+-n",
        "--index",
        "by-eth=n!",
      ]);
      await until("all that can be written is", async () => (await standing("by-eth", "b")) !== null);
      const dead = await consume(kafka, `${topic}.dead-letter`, 2);
      assert.deepEqual(dead.map(({ key }) => String(key)).toSorted(), ["c", "d"]);
      await sink.stop();
      assert.deepEqual([(await standing("by-btc", "a"))?.["n"], (await standing("by-eth", "b"))?.["n"]], [2, 3]);
      const indexes = async (name: string) =>
        (await stored(name).indexes()).map(({ key, unique = false }) => `${Object.entries(key).join(" ")} ${unique}`);
      assert.deepEqual(await indexes("by-btc"), ["_id,1 false", "symbol,1 n,-1 false"]);
      assert.deepEqual(await indexes("by-eth"), ["_id,1 false", "n,1 true"]);
    },
  );
});
