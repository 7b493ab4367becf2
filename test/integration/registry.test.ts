import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { COMPATIBILITY, SchemaRegistry, SchemaType } from "@kafkajs/confluent-schema-registry";
import { type Document, MongoClient } from "mongodb";
import { type Services, startServices } from "../../services/services.ts";
import type { FaultyProxy } from "../../services/toxiproxy/client.ts";
import { Brokers } from "../../src/kafka/cluster.ts";
import { LATEST, offsetsAt } from "../../src/kafka/offsets.ts";
import type { KafkaOptions } from "../../src/kafka/options.ts";
import { httpDouble } from "../helpers/http-double.ts";
import { consume, kafkaOf, makeTopic, produceAll, startOf, testLog, until } from "../helpers/kafka.ts";
import { QUICK_SESSION, SpillwayProcess } from "../helpers/process.ts";
import { type TestServices, testServices, uniqueName } from "../helpers/services.ts";

const START = { timeout: 20 * 60_000 };
const EACH = { timeout: 3 * 60_000 };
const PARTITIONS = 2;
/** So that a try comes soon after an outage. */
const QUICK_RETRIES = ["--retry-base-ms", "50", "--retry-max-ms", "500", "--registry-timeout-ms", "700"];

const ORDER = { type: "record", name: "Order", namespace: "test", fields: [{ name: "n", type: "long" }] };
const PROTO = `syntax = "proto3"; package test; import "google/protobuf/timestamp.proto";
  message Trade { int64 big = 1; repeated sint32 many = 2; google.protobuf.Timestamp at = 3; }`;

describe("a sink and a schema registry", () => {
  let shared: TestServices;
  let own: Services;
  let proxy: FaultyProxy;
  let kafka: KafkaOptions;
  let mongo: MongoClient;
  let sink: SpillwayProcess;
  /** The counterpart: the package's own client and serializers. */
  let registry: SchemaRegistry;
  const database = uniqueName("registry");
  const orders = uniqueName("orders");
  const prices = uniqueName("prices");
  const deadLetters = `${orders}.dead-letter`;
  /** Key and reason of all dead letters that there should be. */
  let buriedReasons: readonly (readonly [string, string])[] = [];

  before(async () => {
    shared = await testServices();
    own = await startServices({ registry: true });
    const { host, pathname } = new URL(own.registryUrl);
    proxy = await shared.toxiproxy.createProxy({ name: uniqueName("registry"), upstream: host });
    registry = new SchemaRegistry({ host: own.registryUrl });
    kafka = kafkaOf(shared.brokers);
    for (const topic of [orders, prices]) await makeTopic(kafka, { topic, partitions: PARTITIONS });
    mongo = new MongoClient(shared.mongoUrl, { useBigInt64: true });
    sink = startSink([
      ...["--route", `${orders}=orders,${prices}=prices`, "--value-format", "registry"],
      ...["--registry-url", `http://${proxy.address}${pathname}`],
    ]);
  }, START);

  after(async () => {
    await sink?.[Symbol.asyncDispose]();
    await mongo?.db(database).dropDatabase();
    await mongo?.close();
    await proxy?.delete();
    await own?.stop();
  }, EACH);

  const startSink = (args: readonly string[]) =>
    new SpillwayProcess(["sink", ...args, "--database", database, ...QUICK_RETRIES, ...QUICK_SESSION], {
      SPILLWAY_BROKERS: shared.brokers.join(),
      SPILLWAY_MONGO_URL: shared.mongoUrl,
    });
  const produce = (topic: string, values: Readonly<Record<string, Buffer>>) =>
    produceAll(
      kafka,
      topic,
      Object.entries(values).map(([key, value]) => ({ key: Buffer.from(key), value, timestamp: Date.now() })),
    );
  /** Waits for the documents that the query finds; without what they are named by. */
  const documents = async (query: Document, count: number, collection = "orders"): Promise<readonly Document[]> => {
    const found = mongo.db(database).collection(collection).find(query).project({ _id: 0 });
    return await until(`${count} documents ${JSON.stringify(query)}: ${sink.log}`, async () => {
      const all = await found.clone().toArray();
      return all.length >= count && all;
    });
  };
  const countOf = async (topic: string): Promise<number> => {
    await using brokers = new Brokers(kafka, testLog);
    const ends = await offsetsAt(brokers, await startOf(kafka, topic), LATEST, "read_committed");
    return ends.reduce((sum, { offset }) => sum + Number(offset), 0);
  };
  const avro = async (name: string, fields: readonly object[] = []) => {
    const schema = JSON.stringify({
      ...ORDER,
      name,
      fields: [...ORDER.fields, { name: "kind", type: "string" }, ...fields],
    });
    const subject = `${orders}-${name}`;
    return (
      await registry.register({ type: SchemaType.AVRO, schema }, { subject, compatibility: COMPATIBILITY.BACKWARD })
    ).id;
  };

  it("writes Avro, JSON Schema and Protobuf of one topic, exactly", EACH, async () => {
    const order = await avro("Order");
    const schema = JSON.stringify({
      $schema: "http://json-schema.org/draft-07/schema#",
      type: "object",
      properties: { n: { type: "integer" }, kind: { type: "string" } },
      required: ["n"],
    });
    const json = await registry.register({ type: SchemaType.JSON, schema }, { subject: uniqueName("json") });
    const proto = await registry.register(
      { type: SchemaType.PROTOBUF, schema: PROTO },
      { subject: uniqueName("proto") },
    );
    const exact = Buffer.from('{"n":9007199254740993,"kind":"json","__proto__":{"x":1}}');
    const trade = Buffer.from("08ffffffffffffffff7f1203010204".concat("1a02080c"), "hex");
    await produce(orders, {
      a: await registry.encode(order, { n: 7, kind: "avro" }),
      b: await registry.encode(json.id, { n: 8, kind: "json" }),
      c: Buffer.concat([frame(json.id), exact]),
      d: Buffer.concat([frame(order), Buffer.from("ffffffffffffffffff01", "hex"), Buffer.from("\u0008avro")]),
      e: Buffer.concat([frame(proto.id), Buffer.from([0]), trade]),
    });
    const byNumber = (a: Document, b: Document) => Number(BigInt(a["n"]) - BigInt(b["n"]));
    assert.deepEqual((await documents({ kind: "avro" }, 2)).toSorted(byNumber), [
      { n: -(2n ** 63n), kind: "avro" },
      { n: 7, kind: "avro" },
    ]);
    const [small, large] = (await documents({ kind: "json" }, 2)).toSorted(byNumber);
    assert.deepEqual(small, { n: 8, kind: "json" });
    assert.equal(large?.["n"], 9007199254740993n);
    assert.deepEqual(Object.getOwnPropertyDescriptor(large, "__proto__")?.value, { x: 1 });
    const [found] = await documents({ big: { $exists: true } }, 1);
    assert.deepEqual(found, { big: 2n ** 63n - 1n, many: [-1, 1, 2], at: { seconds: 12, nanos: 0 } });
  });

  it("follows a schema that evolves while it runs", EACH, async () => {
    const first = await avro("Evolving");
    await produce(orders, { k: await registry.encode(first, { n: 1, kind: "evolving" }) });
    await documents({ kind: "evolving" }, 1);
    const second = await avro("Evolving", [{ name: "more", type: ["null", "double"], default: null }]);
    assert.notEqual(second, first);
    await produce(orders, {
      k: await registry.encode(second, { n: 2, kind: "evolving", more: 0.5 }),
      l: await registry.encode(first, { n: 3, kind: "evolving" }),
    });
    const all = (await documents({ kind: "evolving" }, 3)).toSorted((a, b) => a["n"] - b["n"]);
    assert.deepEqual(
      all.map(({ n, more }) => [n, more]),
      [
        [1, undefined],
        [2, 0.5],
        [3, undefined],
      ],
    );
  });

  it("buries what can't be decoded, each with its reason, and goes on", EACH, async () => {
    const id = await avro("Poison");
    const good = await registry.encode(id, { n: 1, kind: "good" });
    const poison = {
      "unknown-schema": Buffer.concat([frame(2_000_000_000), good.subarray(5)]),
      "wrong-magic-byte": Buffer.from('{"n":1}'),
      truncated: good.subarray(0, -1),
      "trailing-bytes": Buffer.concat([good, Buffer.from([0])]),
      "invalid-utf8": Buffer.concat([frame(id), Buffer.from([2, 2, 0xff])]),
    };
    await produce(orders, { ...poison, good });
    assert.deepEqual(await documents({ kind: "good" }, 1), [{ n: 1, kind: "good" }]);
    const buried = await consume(kafka, deadLetters, Object.keys(poison).length);
    buriedReasons = buried.map(({ key, value, headers }) => {
      const code = headers.find((header) => header.key === "spillway-error-code")?.value;
      const original: Buffer | undefined = poison[String(key) as keyof typeof poison];
      assert.deepEqual(value, original);
      return [String(key), String(code)] as const;
    });
    const expected = Object.keys(poison).map((reason) => [reason, reason] as const);
    assert.deepEqual(buriedReasons.toSorted(), expected.toSorted());
  });

  /** How to bring the registry down, and how to bring it back. */
  const OUTAGES: Readonly<Record<string, () => Promise<() => Promise<void>>>> = {
    "is silent": async () => {
      const fault = await proxy.freeze();
      return () => proxy.remove(fault);
    },
    "is stopped": async () => {
      own.registryControl.freeze();
      return async () => own.registryControl.thaw();
    },
    "is down": async () => {
      await proxy.cut();
      return () => proxy.restore();
    },
  };
  const logged = (text: string) => sink.log.split(`the schema registry is ${text}`).length - 1;

  for (const [what, begin] of Object.entries(OUTAGES)) {
    it(`waits while the registry ${what}, and known schemas go on`, EACH, async () => {
      const kind = what.replace(" ", "_");
      const known = await avro("Known");
      await produce(orders, { first: await registry.encode(known, { n: 0, kind }) });
      await documents({ kind }, 1);
      const fresh = await avro(`New_${kind}`);
      const value = await registry.encode(fresh, { n: 100, kind });

      // A slow start of the registry may have been an outage before.
      const before = { away: logged("away"), back: logged("back") };
      assert.equal(before.back, before.away);
      const end = await begin();
      try {
        await produce(orders, { fresh: value });
        await until("the outage is seen", () => logged("away") === before.away + 1);
        const others = Array.from({ length: 10 }, (_, i) => i + 1);
        const encoded = others.map(async (n) => [`other-${n}`, await registry.encode(known, { n, kind })] as const);
        await produce(orders, Object.fromEntries(await Promise.all(encoded)));
        await documents({ kind, n: { $gt: 0, $lt: 100 } }, others.length);
        assert.equal(await mongo.db(database).collection("orders").countDocuments({ kind, n: 100 }), 0);
        assert.equal(logged("back"), before.back, "it was called back while it was away");
      } finally {
        await end();
      }
      await documents({ kind, n: 100 }, 1);
      await until("the end of the outage is seen", () => logged("back") === before.back + 1);
      assert.match(String(buriedReasons), /unknown-schema/);
      assert.equal(await countOf(deadLetters), buriedReasons.length, "an outage made dead letters");
    });
  }

  it("writes prices that the price feed sends as Avro", EACH, async () => {
    const args = ["produce", "prices", "--simulate", "--every-ms", "50", "--topic", prices, "--value-format", "avro"];
    const env = { SPILLWAY_BROKERS: shared.brokers.join(), SPILLWAY_REGISTRY_URL: own.registryUrl };
    const feed = new SpillwayProcess(args, env);
    try {
      const [price] = await documents({ symbol: "BTC" }, 3, "prices");
      const { at, price: amount, ...rest } = price ?? {};
      assert.deepEqual(rest, { symbol: "BTC", currency: "USDT", source: "simulation", seq: 0 });
      assert.ok(Number.isFinite(amount) && Math.abs(Date.now() - Number(at)) < 300_000);
      await feed.stop();
    } finally {
      await feed[Symbol.asyncDispose]();
    }
    assert.equal((await registry.getLatestSchemaId(`${prices}-value`)) > 0, true);
    await sink.stop();
  });

  it("ends on a registry that refuses it, and says where to look", EACH, async () => {
    await using guard = await httpDouble((_, response) =>
      response.writeHead(401).end('{"error_code":401,"message":"who?"}'),
    );
    const group = uniqueName("refused");
    const args = ["--topic", orders, "--group", group, "--value-format", "registry", "--registry-url", guard.url];
    await using refused = startSink(args);
    const code = await refused.ended(60_000);
    assert.equal(code, 17, refused.log);
    assert.match(refused.log, /refuses: 401 .* registry\.token/);
  });

  it("writes texts and bytes as they are", EACH, async () => {
    const topic = uniqueName("texts");
    await makeTopic(kafka, { topic, partitions: 1 });
    await produce(topic, { text: Buffer.from("é😀"), bytes: Buffer.from([0xff, 0]) });
    for (const format of ["string", "bytes"]) {
      const collection = `as-${format}`;
      const args = ["--topic", topic, "--group", uniqueName(format), "--collection", collection];
      await using plain = startSink([...args, "--value-format", format, "--document", "envelope"]);
      const found = await documents({}, format === "string" ? 1 : 2, collection);
      const values = Object.fromEntries(found.map(({ key, value }) => [key, value]));
      if (format === "string") assert.deepEqual(values, { text: "é😀" });
      else assert.deepEqual(Buffer.from(values["bytes"].buffer), Buffer.from([0xff, 0]));
      await plain.stop();
    }
    const [buried] = await consume(kafka, `${topic}.dead-letter`, 1);
    assert.equal(String(buried?.key), "bytes");
  });
});

/** The wire format's first bytes. */
function frame(id: number): Buffer {
  const header = Buffer.alloc(5);
  header.writeInt32BE(id, 1);
  return header;
}
