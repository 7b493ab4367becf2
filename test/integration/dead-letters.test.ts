/** Dead letters on a real Kafka and a real database: the three policies, parked keys, and the way back. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { after, test } from "node:test";
import { type Document, MongoClient } from "mongodb";
import { DeadLetters } from "../../src/dead-letter/dead-letter.ts";
import { type Letter, originText, readLetter } from "../../src/dead-letter/letter.ts";
import { PART_HEADER } from "../../src/dead-letter/poison.ts";
import { Brokers } from "../../src/kafka/cluster.ts";
import { RecordProducer } from "../../src/kafka/record-producer.ts";
import type { LagReport } from "../../src/lag/report.ts";
import type { NewRecord } from "../../src/record-batch/batch-builder.ts";
import { committedSum, consume, kafkaOf, makeTopic, produceAll, testLog, until } from "../helpers/kafka.ts";
import { QUICK_SESSION, SpillwayProcess } from "../helpers/process.ts";
import { testServices, uniqueName } from "../helpers/services.ts";

const MAIN = resolve(import.meta.dirname, "../../src/cli/main.ts");
const { brokers, mongoUrl } = await testServices();
const kafka = kafkaOf(brokers);
const connections = new Brokers(kafka, testLog);
const client = new MongoClient(mongoUrl);
const database = client.db(uniqueName("letters"));
after(async () => {
  await client.close();
  await connections[Symbol.asyncDispose]();
});

interface CliEnd {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function dlq(...args: readonly string[]): Promise<CliEnd> {
  return spillway("dlq", ...args);
}

function spillway(...args: readonly string[]): Promise<CliEnd> {
  const { PATH = "", HOME = "" } = process.env;
  const env = { PATH, HOME, SPILLWAY_BROKERS: brokers.join(), SPILLWAY_LOG_LEVEL: "warn" };
  return new Promise((done) => {
    execFile(process.execPath, [MAIN, ...args], { env, timeout: 120_000 }, (error, stdout, stderr) => {
      done({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
    });
  });
}

/** Its report as JSON; it must end well. */
async function dlqJson<T>(...args: readonly string[]): Promise<T> {
  return await spillwayJson<T>("dlq", ...args);
}

async function spillwayJson<T>(...args: readonly string[]): Promise<T> {
  const { code, stdout, stderr } = await spillway(...args, "--json", "-");
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as T;
}

function sink(topic: string, ...args: readonly string[]): SpillwayProcess {
  const quick = [...QUICK_SESSION, "--commit-interval-ms", "100", "--batch-timeout-ms", "20", "--batch-records", "7"];
  return new SpillwayProcess(["sink", "--topic", topic, ...quick, ...args], {
    SPILLWAY_BROKERS: brokers.join(),
    SPILLWAY_MONGO_URL: mongoUrl,
    SPILLWAY_MONGO_DATABASE: database.databaseName,
  });
}

async function newTopic(name: string, partitions = 2): Promise<string> {
  const topic = uniqueName(name);
  await makeTopic(kafka, { topic, partitions });
  return topic;
}

function record(key: string, n: number, fields: object = {}): NewRecord {
  const value = Buffer.from(JSON.stringify({ key, n, slot: `${key}-${n}`, ...fields }));
  return { key: Buffer.from(key), value, timestamp: Date.now() };
}

function undecodable(key: string): NewRecord {
  return { key: Buffer.from(key), value: Buffer.from("{"), timestamp: Date.now() };
}

async function untilCommitted(group: string, topic: string, offsets: number, running: readonly SpillwayProcess[]) {
  await until(
    `${offsets} offsets committed; ${running.map(({ log }) => log).join("\n")}`,
    async () => (await committedSum(connections, group, { topic, partitions: 2 })) === offsets,
  );
}

/** The numbers of a key's documents, in the order in which they came to be in the collection. */
async function documentsOf(collection: string, key: string): Promise<number[]> {
  const found: Document[] = await database.collection(collection).find({ key }).toArray();
  return found.map(({ n }) => n as number);
}

/** Each letter once, by its origin. */
async function lettersOf(topic: string, count: number): Promise<readonly Letter[]> {
  const read = await consume(kafka, topic, count);
  return [...new Map(read.map(readLetter).map((letter) => [originText(letter), letter])).values()];
}

function numbersOf(letters: readonly Letter[], key: string): number[] {
  return letters.flatMap(({ record: { key: of, value } }) => {
    if (of?.toString() !== key) return [];
    const text = value?.toString() ?? "";
    return text === "{" ? [] : [(JSON.parse(text) as { n: number }).n];
  });
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

test("stop ends a sink at the record; skip goes on; a replay consumer writes what was mended under the same ids", async () => {
  const topic = await newTopic("policies");
  const [group, collection, letters] = [`sink-${topic}`, uniqueName("c"), `${topic}.dead-letter`];
  await database.createIndex(collection, { slot: 1 }, { unique: true });
  await database.collection(collection).insertOne({ slot: "taken" });
  const own = [record("a", 0), record("b", 0, { slot: "taken" }), record("a", 1), undecodable("c"), record("b", 1)];
  const places = await produceAll(kafka, topic, own);
  const into = ["--collection", collection, "--group", group] as const;
  {
    await using stopping = sink(topic, ...into, "--on-data-error", "stop");
    assert.equal(await stopping.ended(60_000), 11);
    assert.match(
      stopping.log,
      new RegExp(`can't be written: (mongodb-11000|invalid-json) \\(topic ${topic}, partition \\d`),
    );
  }
  assert.ok((await committedSum(connections, group, { topic, partitions: 2 })) < own.length);
  {
    await using skipping = sink(topic, ...into);
    await untilCommitted(group, topic, own.length, [skipping]);
    await skipping.stop();
  }
  assert.deepEqual(await documentsOf(collection, "a"), [0, 1]);
  assert.deepEqual(await documentsOf(collection, "b"), [1]);

  // A piece of a batch that could not be read is no record.
  await produceAll(kafka, letters, [
    { ...undecodable("0-0"), headers: [{ key: PART_HEADER, value: Buffer.from("1/1") }] },
  ]);
  await database.collection(collection).deleteOne({ slot: "taken" });
  await using replaying = sink(letters, "--collection", collection, "--group", `replay-${topic}`);
  await until(`replayed; ${replaying.log}`, async () => (await documentsOf(collection, "b")).length === 2);
  const [again] = await lettersOf(`${letters}.dead-letter`, 1);
  assert.ok(again !== undefined);
  assert.deepEqual([again.code, again.attempts, again.source?.topic], ["invalid-json", 2, letters]);
  assert.ok(again.firstFailedAt !== undefined && again.firstFailedAt < (again.failedAt ?? 0));
  assert.equal(originText(again).split("-").at(-1), String(places[3]?.offset));
  const id = `${places[1]?.topicId}-${places[1]?.partition}-${places[1]?.offset}`;
  assert.equal((await database.collection<{ _id: string; n: number }>(collection).findOne({ _id: id }))?.n, 0);
  await replaying.stop();
  assert.match(replaying.log, /are no records: they were skipped/);
});

test("parked keys hold their order through a crash, a rebalance and new records, until they are redriven", async () => {
  const topic = await newTopic("parking");
  const [group, collection, letters] = [`sink-${topic}`, uniqueName("c"), `${topic}.dead-letter`];
  await database.createIndex(collection, { slot: 1 }, { unique: true });
  await database.collection(collection).insertOne({ slot: "taken" });
  const args = ["--collection", collection, "--group", group, "--on-data-error", "park-key"] as const;
  const keys = ["k0", "k1", "k2", "k3"];
  let produced = 0;
  let n = 0;
  const produce = async (rounds: number, change: (key: string, n: number) => NewRecord = record) => {
    const records = range(n, n + rounds).flatMap((i) => keys.map((key) => change(key, i)));
    n += rounds;
    produced += records.length;
    return await produceAll(kafka, topic, records);
  };
  const bad = await produce(10, (key, i) => {
    if (key === "k0" && i === 5) return record(key, i, { slot: "taken" });
    return key === "k1" && i === 3 ? undecodable(key) : record(key, i);
  });
  const hopeless = bad[3 * keys.length + 1];

  await using crashing = sink(topic, ...args);
  await untilCommitted(group, topic, produced, [crashing]);
  await crashing.crash();
  await produce(5);
  await using second = sink(topic, ...args);
  await untilCommitted(group, topic, produced, [second]);
  await using third = sink(topic, ...args);
  await until("the third has joined", () => third.log.includes("joined the group"));
  await produce(5);
  await untilCommitted(group, topic, produced, [second, third]);

  for (const key of ["k2", "k3"]) assert.deepEqual(await documentsOf(collection, key), range(0, 20));
  assert.deepEqual(await documentsOf(collection, "k0"), range(0, 5));
  assert.deepEqual(await documentsOf(collection, "k1"), range(0, 3));
  const kept = await lettersOf(letters, 32);
  assert.deepEqual(numbersOf(kept, "k0"), range(5, 20));
  assert.deepEqual(numbersOf(kept, "k1"), range(4, 20));
  assert.equal(kept.filter(({ code }) => code === "parked").length, 14 + 16);

  interface Parked {
    readonly key: string;
    readonly code: string;
    readonly waiting: number;
    readonly redrives: number;
  }
  const parked = async () =>
    (await dlqJson<readonly Parked[]>("list", "--parked", "--group", group, topic))
      .map(({ key, code, waiting, redrives }) => [key, code, waiting, redrives])
      .toSorted();
  const lag = await spillwayJson<LagReport>("lag", "--group", group);
  const seen = lag.groups[0]?.partitions.filter(({ status }) => status === "parked") ?? [];
  assert.equal(
    seen.reduce((keys, one) => keys + one.parked, 0),
    2,
  );
  assert.ok(seen.every(({ reason, parkedSeconds = -1 }) => /put aside/.test(reason) && parkedSeconds >= 0));
  assert.deepEqual(await parked(), [
    ["k0", "mongodb-11000", 15, 0],
    ["k1", "invalid-json", 17, 0],
  ]);
  // Whoever doesn't park them would overtake what waits.
  await using hasty = sink(topic, "--collection", collection, "--group", group);
  assert.equal(await hasty.ended(60_000), 2);

  // Nothing is mended yet: both stay parked.
  assert.equal((await dlq("redrive", topic, "--group", group)).code, 0);
  await until("redriven in vain", async () => (await parked()).every(([, , , redrives]) => redrives === 1));
  assert.equal((await dlq("redrive", topic, "--group", group, "--key", "k2")).code, 2, "it isn't parked");
  // A redrive into the topic leaves them to their sink.
  const [report] = await dlqJson<readonly { parked: number; targets: unknown[] }[]>("redrive", topic, "--dry-run");
  assert.deepEqual([report?.parked, report?.targets], [32, []]);

  await database.collection(collection).deleteOne({ slot: "taken" });
  const without = `${topic}-${hopeless?.partition}-${hopeless?.offset}`;
  // New records of the keys come in before, while and after they are redriven.
  const meanwhile = (async () => {
    for (let round = 0; round < 10; round++) await produce(2);
  })();
  assert.equal((await dlq("redrive", topic, "--group", group, "--without", without)).code, 0);
  await meanwhile;
  await until("all is written", async () => (await documentsOf(collection, "k0")).length === n);
  await untilCommitted(group, topic, produced, [second, third]);
  await until(`none is parked; ${second.log} ${third.log}`, async () => (await parked()).length === 0);
  for (const key of ["k0", "k2", "k3"]) assert.deepEqual(await documentsOf(collection, key), range(0, n), key);
  assert.deepEqual(await documentsOf(collection, "k1"), [...range(0, 3), ...range(4, n)]);
  await Promise.all([second.stop(), third.stop()]);
});

test("letters are counted, shown and redriven as chosen: dry, again after a kill, never in circles", async () => {
  const topic = await newTopic("way-back");
  const letters = `${topic}.dead-letter`;
  await makeTopic(kafka, { topic: letters, partitions: 1 });
  const { topicId } = (await connections.topics([topic]))[0] ?? { topicId: "" };
  await using producer = await RecordProducer.open({ kafka, log: testLog, signal: AbortSignal.timeout(120_000) });
  const dead = new DeadLetters(producer);
  const bury = async (n: number, code: string, redrives?: number) => {
    const headers = [
      { key: "trace", value: Buffer.from([n]) },
      ...(redrives === undefined ? [] : [{ key: "spillway-redrives", value: Buffer.from(String(redrives)) }]),
    ];
    const { key, value, timestamp } = record(`k${n % 4}`, n);
    const [place, bytes] = [
      { partition: n % 2, offset: BigInt(n) },
      { key: key as Buffer, value: value as Buffer },
    ];
    const own = { topic, ...place, ...bytes, timestamp: BigInt(timestamp), headers, origin: undefined };
    await dead.send(own, { topicId, ...place }, { code, message: `no good: ${n}` });
  };
  for (const n of range(0, 60)) await bury(n, n % 3 === 0 ? "broken" : "other");
  await bury(0, "broken"); // the copy that a crash leaves
  await bury(90, "broken", 3);

  interface Summary {
    readonly letters: number;
    readonly copies: number;
    readonly byError: readonly { name: string; letters: number }[];
    readonly byKey: readonly { name: string; letters: number }[];
  }
  const summary = await dlqJson<Summary>("list", topic);
  assert.deepEqual([summary.letters, summary.copies], [61, 1]);
  assert.deepEqual(
    summary.byError.map(({ name, letters: count }) => [name, count]),
    [
      ["other", 40],
      ["broken", 21],
    ],
  );
  assert.equal(summary.byKey.length, 4);
  assert.equal((await dlqJson<Summary>("list", letters, "--error", "broken", "--key", "k0")).letters, 5);
  assert.equal((await dlqJson<Summary>("list", topic, "--until", "1d")).letters, 0);
  assert.equal((await dlqJson<Summary>("list", topic, "--since", "1h")).letters, 61);
  const { stdout } = await dlq("show", topic, "--record", `${topic}:1:7`);
  assert.match(stdout, /other: no good: 7\n.*1 attempts, 0 redrives\n.*key +k3\n.*"n":7/s);
  assert.deepEqual(
    (await dlqJson<readonly Document[]>("show", letters, "--record", `${letters}:0:7`, "--limit", "1"))[0]?.["message"],
    "no good: 7",
  );
  assert.equal((await dlq("list", uniqueName("none"))).code, 6);

  interface Redriven {
    readonly group: string;
    readonly chosen: number;
    readonly redrivenTooOften: number;
    readonly copies: number;
    readonly resumed: boolean;
    readonly targets: readonly { topic: string; letters: number; groups: readonly string[] }[];
  }
  const redrive = (...args: readonly string[]) =>
    dlqJson<readonly [Redriven]>("redrive", topic, "--error", "broken", ...args).then(([one]) => one);
  const dry = await redrive("--dry-run");
  assert.deepEqual([dry.chosen, dry.copies, dry.redrivenTooOften], [21, 1, 1]);
  assert.deepEqual(dry.targets, [{ topic, letters: 20, groups: [] }]);
  assert.equal((await dlq("redrive", topic, "--to", letters)).code, 2, "in circles");

  // Slow, so that it is killed in the middle; a letter that comes meanwhile is none of the run's.
  const slow = ["dlq", "redrive", topic, "--error", "broken", "--records-per-second", "5"];
  await using killed = new SpillwayProcess(slow, { SPILLWAY_BROKERS: brokers.join() });
  const noted = () => committedSum(connections, dry.group, { topic: letters, partitions: 1 });
  await until(`some are redriven, and noted as done; ${killed.log}`, async () => (await noted()) > 0);
  await killed.crash();
  await bury(93, "broken");
  const sent = await endOf(topic);
  assert.ok(sent < 20, `${sent} were sent before the kill`);
  const rest = await redrive();
  assert.equal(rest.resumed, true);
  assert.ok(rest.chosen < 21 && rest.chosen >= 21 - sent, `${rest.chosen} after ${sent}`);
  const back = await consume(kafka, topic, await endOf(topic));
  const origins = new Set(back.map(({ origin }) => Number(origin?.offset)));
  assert.deepEqual(
    [...origins].toSorted((a, b) => a - b),
    range(0, 20).map((i) => i * 3),
  );
  for (const one of back) {
    assert.deepEqual([one.partition, one.origin?.topicId], [one.origin?.partition, topicId]);
    const names = one.headers.map(({ key }) => key);
    assert.deepEqual(names, [...new Set(names)]);
    assert.deepEqual(one.headers[0], { key: "trace", value: Buffer.from([Number(one.origin?.offset)]) });
    assert.equal(readLetter(one).redrives, 1);
  }
  assert.equal((await redrive()).targets[0]?.letters, 1, "what has come since");
  assert.deepEqual((await redrive()).targets, [], "nothing is left to do");
  const again = await redrive("--again", "--to", await newTopic("elsewhere"));
  assert.deepEqual([again.chosen, again.targets[0]?.letters], [22, 21]);
});

async function endOf(topic: string): Promise<number> {
  const { endOffsets } = await import("../../src/kafka/admin.ts");
  return Number((await endOffsets(connections, topic)).values().reduce((sum, end) => sum + end, 0n));
}
