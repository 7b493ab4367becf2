/**
 * Records that can't be written, among good ones, through the sink as a process of its own: each is written exactly as it was
 * sent, or it is a dead letter with its reason and its own bytes.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { type Document, MongoClient } from "mongodb";
import { Brokers } from "../../src/kafka/cluster.ts";
import { RecordProducer } from "../../src/kafka/record-producer.ts";
import { committedSum, kafkaOf, makeTopic, testLog, until } from "../helpers/kafka.ts";
import { QUICK_SESSION, SpillwayProcess } from "../helpers/process.ts";
import { type ByteRecord, readBytes, shown } from "../helpers/record-bytes.ts";
import { testServices, uniqueName } from "../helpers/services.ts";
import { buriedIds, documentsOf, IN_ORDER, judgeInserts, sourceRecords } from "../helpers/sink-ledger.ts";

const DEADLINE_MS = 90_000;
const MODELS = ["insert", "latest"] as const;

const { brokers, mongoUrl, java } = await testServices();
const kafka = kafkaOf(brokers);
const database = uniqueName("poison");
const client = new MongoClient(mongoUrl);
const connections = new Brokers(kafka, testLog);
after(async () => {
  await client.db(database).dropDatabase();
  await client.close();
  await connections[Symbol.asyncDispose]();
});

interface Sent {
  readonly key: string;
  readonly value: Buffer | null;
  readonly partition?: number;
}

async function topicOf(partitions: number, records: readonly Sent[], config: Record<string, string> = {}) {
  const made = await makeTopic(kafka, { topic: uniqueName("poison"), partitions, config });
  const signal = AbortSignal.timeout(DEADLINE_MS);
  await using producer = await RecordProducer.open({ kafka, log: testLog, signal });
  const sending = records.map(({ key, value, partition }) =>
    producer.send(made.topic, { key: Buffer.from(key), value, timestamp: 1 }, partition),
  );
  await Promise.all(sending);
  return made;
}

function sinkOf(topic: string, model: (typeof MODELS)[number], ...args: readonly string[]): SpillwayProcess {
  const places = ["--brokers", brokers.join(), "--mongo-url", mongoUrl, "--database", database];
  const names = ["--topic", topic, "--collection", `${topic}-${model}`, "--group", `${topic}-${model}`];
  const how = ["--model", model, "--dead-letter-suffix", `.${model}`, "--commit-interval-ms", "100", ...QUICK_SESSION];
  return new SpillwayProcess(["sink", ...places, ...names, ...how, ...args]);
}

async function untilCommitted(
  sink: SpillwayProcess,
  topic: string,
  partitions: number,
  group: string,
  records: number,
) {
  await until(
    `${group}: ${records} records committed`,
    async () => {
      assert.doesNotMatch(sink.log, /"level":"fatal"|^spillway: /m);
      return (await committedSum(connections, group, { topic, partitions })) >= records;
    },
    DEADLINE_MS,
  ).catch((error: unknown) => assert.fail(`${error}\n${sink.log}`));
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

test("one poison record in a hundred, a poisoned key and a poisoned partition: all else is written, in order", async () => {
  const [partitions, count] = [4, 4_000];
  const records = Array.from({ length: count }, (_, i) => {
    const [key, partition] = [`key-${i % 40}`, (i % 40) % partitions];
    const isPoison = partition === 3 || key === "key-5" || i % 100 === 17;
    const value = json({ number: i });
    return { key, partition, value: isPoison ? value.subarray(0, -1) : value };
  });
  const { topic, topicId } = await topicOf(partitions, records);
  const shape = [
    "--document",
    "envelope",
    "--instance-id",
    "one",
    "--in-flight-records",
    "1000",
    "--batch-records",
    "100",
  ];
  await using first = sinkOf(topic, "insert", ...shape);
  const group = `${topic}-insert`;
  await untilCommitted(first, topic, partitions, group, 500);
  // What it repeats are dead letters too.
  await first.crash();
  await using second = sinkOf(topic, "insert", ...shape);
  await untilCommitted(second, topic, partitions, group, count);
  await second.stop();
  const read = await readBytes(java, brokers, [topic, `${topic}.insert`]);
  const source = sourceRecords(topicId, read.get(topic) ?? []);
  assert.equal(source.length, count);
  const buried = buriedIds(read.get(`${topic}.insert`) ?? []);
  assert.equal(buried.size, records.filter(({ value }) => !String(value).endsWith("}")).length);
  assert.deepEqual(judgeInserts(source, await documentsOf(mongoUrl, database, `${topic}-insert`), buried), IN_ORDER);
});

/** A value, and what must become of it: the document's own fields, or the code of its dead letter (by model, if it differs). */
interface Case {
  readonly name: string;
  readonly value: Buffer | string | null;
  readonly written?: Document;
  readonly dead?: string | Readonly<Record<(typeof MODELS)[number], string>>;
}

function nested(depth: number): string {
  return `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
}

const SELF = (text: string): Document => JSON.parse(text) as Document;
const OUT_OF_RANGE = "number-out-of-range";
const BY_COMMAND = { insert: "mongodb-2", latest: "mongodb-52" };

const CASES: readonly Case[] = [
  {
    name: "good",
    value: '{"a":1,"b":[true,null,"x"],"c":{"d":-1.5}}',
    written: { a: 1, b: [true, null, "x"], c: { d: -1.5 } },
  },
  { name: "truncated", value: '{"a":1', dead: "invalid-json" },
  { name: "more behind the end", value: '{"a":1}}', dead: "invalid-json" },
  { name: "no bytes", value: "", dead: "empty" },
  { name: "a string", value: '"text"', dead: "not-an-object" },
  { name: "an array", value: "[1]", dead: "not-an-object" },
  { name: "a null", value: "null", dead: "not-an-object" },
  { name: "an _id of its own", value: '{"_id":5}', dead: "has-own-id" },
  {
    name: "__proto__",
    value: '{"__proto__":{"x":1},"constructor":2,"toString":3}',
    written: SELF('{"__proto__":{"x":1},"constructor":2,"toString":3}'),
  },
  { name: "a name of nothing", value: '{"":1,"length":2,"toBSON":3}', written: { "": 1, length: 2, toBSON: 3 } },
  // MongoDB since 5.0 would take most of these; FerretDB doesn't.
  { name: "a $ at the top", value: '{"$set":{"a":1}}', dead: BY_COMMAND },
  { name: "a $ within", value: '{"a":{"$b":1}}', dead: "mongodb-2" },
  { name: "a dot", value: '{"a.b":1}', dead: "mongodb-2" },
  { name: "a dot within", value: '{"a":{"x.y":1}}', dead: "mongodb-2" },
  { name: "a type of BSON's", value: '{"_bsontype":"Long"}', dead: "bson-invalid" },
  { name: "a type of BSON's within", value: '{"a":{"_bsontype":"Decimal128"}}', dead: "bson-invalid" },
  { name: "NUL in a name", value: '{"a\\u0000b":1}', dead: "bson-invalid" },
  { name: "NUL in a string", value: '{"a":"x\\u0000y"}', written: { a: "x\0y" } },
  { name: "NaN", value: '{"a":NaN}', dead: "invalid-json" },
  { name: "Infinity", value: '{"a":-Infinity}', dead: "invalid-json" },
  {
    name: "invalid UTF-8",
    value: Buffer.from([...Buffer.from('{"a":"'), 0xc3, 0x28, ...Buffer.from('"}')]),
    dead: "invalid-utf8",
  },
  { name: "a byte order mark", value: '\ufeff{"a":1}', dead: "invalid-json" },
  { name: "half a surrogate pair", value: '{"a":"\\ud800"}', dead: "unpaired-surrogate" },
  { name: "half a surrogate pair in a name", value: '{"\\udc00":1}', dead: "unpaired-surrogate" },
  { name: "a surrogate pair", value: '{"a":"\\ud83d\\ude00"}', written: { a: "😀" } },
  { name: "a name twice: the last counts", value: '{"a":1,"a":2}', written: { a: 2 } },
  { name: "the largest 64-bit integer", value: '{"a":9223372036854775807}', written: { a: 2n ** 63n - 1n } },
  { name: "the smallest 64-bit integer", value: '{"a":-9223372036854775808}', written: { a: -(2n ** 63n) } },
  { name: "an integer that no double holds", value: '{"a":[9007199254740993]}', written: { a: [2n ** 53n + 1n] } },
  { name: "an integer beyond 64 bits", value: '{"a":9223372036854775809}', dead: OUT_OF_RANGE },
  { name: "1e400", value: '{"a":1e400}', dead: OUT_OF_RANGE },
  { name: "1e308", value: '{"a":1e308,"b":5e-324,"c":0.1}', written: { a: 1e308, b: 5e-324, c: 0.1 } },
  { name: "100 levels", value: nested(100), written: SELF(nested(100)) },
  { name: "101 levels", value: nested(101), dead: "too-deep" },
  { name: "a million levels", value: "[".repeat(1_000_000), dead: "too-deep" },
  { name: "10 MB", value: JSON.stringify({ text: "x".repeat(10_000_000) }), written: { text: "x".repeat(10_000_000) } },
  { name: "4 MB that BSON makes 25 of", value: `{"a":[1${",1".repeat(2_000_000)}]}`, dead: "bson-too-large" },
  { name: "15 MB", value: JSON.stringify({ text: "y".repeat(15_000_000) }), written: { text: "y".repeat(15_000_000) } },
  {
    name: "more than a document may have",
    value: JSON.stringify({ text: "z".repeat(17_000_000) }),
    dead: "bson-too-large",
  },
  { name: "good again", value: '{"a":1}', written: { a: 1 } },
];

test("bad input, one by one, up to 17 MB: written exactly, or a dead letter with its reason and bytes", async () => {
  const bytesOf = ({ value }: Case) => (typeof value === "string" ? Buffer.from(value) : value);
  const records = CASES.map((one) => ({ key: one.name, value: bytesOf(one) }));
  const { topic } = await topicOf(1, records, { "max.message.bytes": "20000000" });
  await using insert = sinkOf(topic, "insert");
  await using latest = sinkOf(topic, "latest");
  for (const [model, sink] of [["insert", insert] as const, ["latest", latest] as const]) {
    await untilCommitted(sink, topic, 1, `${topic}-${model}`, CASES.length);
    await sink.stop();
  }
  const read = await readBytes(java, brokers, [topic, `${topic}.insert`, `${topic}.latest`]);
  const offsets = new Map((read.get(topic) ?? []).map(({ key, offset }) => [String(key), offset]));
  for (const model of MODELS) {
    const letters = new Map((read.get(`${topic}.${model}`) ?? []).map((letter) => [String(letter.key), letter]));
    const stored = client.db(database).collection<Document & { _id: string }>(`${topic}-${model}`);
    const found = new Map<string, Document>();
    for await (const { _id, _spillway, ...fields } of stored.find({}, { useBigInt64: true, promoteLongs: true })) {
      found.set(_id, fields);
    }
    for (const { name, value, written, dead } of CASES) {
      const what = `${model}: ${name}`;
      const id = model === "latest" ? name : [...found.keys()].find((key) => key.endsWith(`-${offsets.get(name)}`));
      const code = String(letters.get(name)?.headers.get("spillway-error-code") ?? "no dead letter");
      if (written !== undefined) assertSame(found.get(id ?? ""), written, `${what} (${code})`);
      else {
        assert.equal(found.get(id ?? ""), undefined, what);
        assertLetter(letters.get(name), bytesOf({ name, value }), typeof dead === "object" ? dead[model] : dead, what);
      }
    }
    assert.equal(found.size + letters.size, CASES.length);
  }
});

/** Numbers by their value: an integer is read as a bigint. */
function assertSame(actual: Document | undefined, expected: Document, what: string): void {
  const text = (value: unknown) =>
    JSON.stringify(value, (_, part) =>
      typeof part === "bigint" ? `${part}` : typeof part === "number" ? String(part) : part,
    );
  const [a, b] = [text(actual), text(expected)];
  assert.ok(a === b, `${what}: ${a?.slice(0, 200)} instead of ${b.slice(0, 200)}`);
}

function assertLetter(
  letter: ByteRecord | undefined,
  value: Buffer | null,
  code: string | undefined,
  what: string,
): void {
  assert.ok(letter !== undefined, `${what}: no dead letter`);
  assert.equal(String(letter.headers.get("spillway-error-code")), code, what);
  assert.ok((letter.headers.get("spillway-error-message")?.length ?? 0) > 0, what);
  assert.equal(letter.value, value === null ? null : shown(value), `${what}: its bytes`);
}
