/** The library beside an application: what it does, how it ends, and that nothing of it is left. */
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import net from "node:net";
import { test } from "node:test";
import type { LogEntry } from "kafkajs";
import { MongoClient } from "mongodb";
import {
  createProducer,
  createRelay,
  createSink,
  type Decoder,
  isProven,
  jsonDecoder,
  type Operation,
  openMongoTarget,
  readLag,
  SpillwayError,
  stringDecoder,
  type Target,
  verify,
  watchLag,
} from "../../src/index.ts";
import { kafkaOf, makeTopic, until } from "../helpers/kafka.ts";
import { testServices, uniqueName } from "../helpers/services.ts";

const { brokers, mongoUrl } = await testServices();
const quick = { sessionTimeoutMs: 6_000, heartbeatMs: 500 };
/** Nothing here stands still for long. */
const judge = { stalledAfterMs: 3_000 };

/** A database of an application's own: a map for each collection. */
class OwnTarget implements Target {
  readonly kinds = new Set(["insert", "delete"] as const);
  readonly collections = new Map<string, Map<string, unknown>>();
  closed = 0;

  async prepare() {
    return { kind: "available" } as const;
  }

  async check() {
    return { kind: "available" } as const;
  }

  async write(name: string, operations: readonly Operation[]) {
    const collection = this.collections.get(name) ?? new Map<string, unknown>();
    this.collections.set(name, collection);
    return operations.map((operation) => {
      if (operation.kind === "insert") collection.set(operation.id, operation.document);
      if (operation.kind === "delete") collection.delete(String(operation.filter["_id"]));
      return { kind: "written" } as const;
    });
  }

  async [Symbol.asyncDispose]() {
    this.closed++;
  }
}

test("a producer, a relay, a sink with a map model, lag and verify, by one configuration of KafkaJS", async () => {
  const topic = uniqueName("library");
  const entries: LogEntry[] = [];
  const sockets: net.Socket[] = [];
  let asked = 0;
  const kafka = {
    clientId: "an-application",
    brokers: async () => {
      asked++;
      if (asked === 1) throw new Error("discovery is not there yet");
      return [...brokers];
    },
    connectionTimeout: 5_000,
    requestTimeout: 30_000,
    retry: { retries: 3 },
    logCreator: () => (entry: LogEntry) => void entries.push(entry),
    socketFactory: ({ host, port, onConnect }: { host: string; port: number; onConnect: () => void }) => {
      const socket = net.connect({ host, port }, onConnect);
      sockets.push(socket);
      return socket;
    },
  };
  const stop = new AbortController();
  const { signal } = stop;
  const before = footprint();

  {
    await using producer = createProducer({ kafka, partitions: 3, signal });
    const sent = Array.from({ length: 300 }, (_, i) =>
      producer.send(topic, { key: `key-${i % 20}`, value: JSON.stringify({ n: i }), headers: { h: "1" } }),
    );
    const places = await Promise.all(sent);
    const samePartition = places.filter((_, i) => i % 20 === 7).map(({ partition }) => partition);
    assert.equal(new Set(samePartition).size, 1, "records of a key are in one partition");
    assert.deepEqual(
      places.filter((_, i) => i % 20 === 7).map(({ offset }) => offset),
      places
        .filter((_, i) => i % 20 === 7)
        .map(({ offset }) => offset)
        .toSorted((a, b) => (a < b ? -1 : 1)),
      "and in the order in which they were sent",
    );
    assert.equal(await producer.prices({ topic: `${topic}-prices`, simulate: true, everyMs: 10, polls: 2 }), 6);
  }

  await using relay = createRelay({
    ...{
      kafka,
      source: topic,
      target: `${topic}-wide`,
      partitions: 6,
      until: { kind: "now" },
      consumer: quick,
      signal,
    },
  });
  const report = await relay.run();
  assert.equal(report?.recordsWritten, 300);
  assert.equal(relay.status().stats.recordsRead, 300);
  assert.equal(await relay.run(), report, "it runs once");
  assert.ok(isProven(await verify({ kafka, sources: [topic], targets: [`${topic}-wide`], signal })));

  const target = new OwnTarget();
  {
    await using sink = createSink({
      ...{ kafka, target, consumer: quick, signal, commitIntervalMs: 50 },
      routes: [{ topic: `${topic}-wide`, collection: "even" }],
      model: {
        kind: "map",
        kinds: ["insert"],
        map: ({ value, origin }) => {
          const { n } = value as { n: number };
          assert.ok(origin.offset >= 0n);
          if (n === 13) throw new Error("this one it can't map");
          const document = { n };
          return n % 2 === 0
            ? [{ kind: "insert", document }]
            : [
                { kind: "insert", document, collection: "odd", part: "a" },
                { kind: "insert", document, collection: "odd", part: "b" },
              ];
        },
      },
    });
    const running = sink.run();
    await until("all written", () => sink.stats.recordsWritten === 299 && sink.stats.recordsDeadLettered === 1);
    await until("caught up", async () => {
      const { groups } = await readLag({
        kafka,
        groups: [`spillway-sink-${topic}-wide`],
        judge,
        intervalMs: 300,
        signal,
      });
      return groups[0]?.status === "caught up";
    });
    await sink.stop();
    await running;
  }
  assert.equal(target.collections.get("even")?.size, 150);
  assert.equal(target.collections.get("odd")?.size, 298, "two documents for each of 149 records");
  assert.equal(target.closed, 0, "who opened the target closes it");

  for await (const { groups } of watchLag({ kafka, groups: [`spillway-sink-${topic}-wide`], signal })) {
    assert.equal(groups.length, 1);
    break;
  }

  assert.ok(asked > 2, "the function for the brokers is asked");
  assert.ok(sockets.length > 4, "sockets are opened by the application's factory");
  assert.ok(entries.some(({ log }) => log.message === "joined the group"));
  assert.ok(
    entries.some(({ label, log }) => label === "WARN" && String(log["error"]).includes("discovery is not there")),
  );
  await until("all sockets are closed", () => sockets.every(({ destroyed }) => destroyed));
  assert.deepEqual(footprint(), before);
  assert.equal(getEventListeners(signal, "abort").length, 0, "the application's signal is forgotten");
});

/** All of a process that others share. */
function footprint() {
  const listeners = process.eventNames().map((name) => [String(name), process.listenerCount(name)]);
  return {
    listeners: listeners.toSorted(([a], [b]) => String(a).localeCompare(String(b))),
    env: { ...process.env },
    exitCode: process.exitCode,
    title: process.title,
    timeoutsAndServers: process
      .getActiveResourcesInfo()
      .filter((name) => !/Socket|TCP|Pipe|TTY|Timeout|Immediate/.test(name)),
  };
}

test("while it runs it has no signal handler and reads no variable of the commands", async () => {
  const topic = uniqueName("library-env");
  await makeTopic(kafkaOf(brokers), { topic, partitions: 1 });
  const names = ["SIGINT", "SIGTERM", "SIGHUP", "beforeExit", "exit", "uncaughtException", "unhandledRejection"];
  const counts = () => names.map((name) => process.listenerCount(name as "exit"));
  const before = counts();
  const environment = process.env;
  const read = new Set<string>();
  process.env = new Proxy(environment, {
    get(variables, name) {
      read.add(String(name));
      return variables[String(name)];
    },
  });
  try {
    const kafka = { brokers: [...brokers], logLevel: 0 };
    await using relay = createRelay({ kafka, source: topic, target: `${topic}-wide`, partitions: 2, consumer: quick });
    const running = relay.run();
    await until("it has joined", () => relay.status().stats.rebalances > 0);
    assert.deepEqual(counts(), before);
    await relay.stop();
    assert.equal(await running, undefined, "stopped before any end: no report");
  } finally {
    process.env = environment;
  }
  assert.deepEqual(
    [...read].filter((name) => name.startsWith("SPILLWAY_")),
    [],
  );
});

test("an abort ends a sink in order, and whoever asks is told why another could not begin", async () => {
  const topic = uniqueName("library-abort");
  const kafka = { brokers: [...brokers], logLevel: 0 };
  const stop = new AbortController();
  {
    await using producer = createProducer({ kafka, partitions: 2 });
    for (const key of ["a", "b", null]) void (await producer.send(topic, { key, value: `text of ${key}` }));
    void producer.send(topic, { key: "c", value: null });
  }
  const target = new OwnTarget();
  /** Upper case of what is text. */
  const loud: Decoder = {
    decode: (bytes) => {
      const decoded = stringDecoder.decode(bytes);
      return decoded.kind === "value" ? { kind: "value", value: String(decoded.value).toUpperCase() } : decoded;
    },
  };
  await using sink = createSink({
    ...{ kafka, target, decoder: loud, consumer: quick, signal: stop.signal },
    routes: [{ topic, collection: "texts" }],
    model: { kind: "insert", document: "envelope" },
  });
  const running = sink.run();
  await until("four documents", () => target.collections.get("texts")?.size === 4);
  stop.abort();
  await running;
  const values = [...(target.collections.get("texts")?.values() ?? [])].map((one) => (one as { value: unknown }).value);
  assert.deepEqual(values.toSorted(), ["TEXT OF A", "TEXT OF B", "TEXT OF NULL", null].toSorted());

  await using missing = createSink({ kafka, target, routes: [{ topic: `${topic}-not-there`, collection: "x" }] });
  await assert.rejects(missing.run(), (error) => error instanceof SpillwayError && error.code === "TOPIC_MISSING");
  await using unfit = createSink({
    ...{ kafka, target, decoder: jsonDecoder, consumer: quick },
    routes: [{ topic, collection: "x" }],
    model: { kind: "latest" },
  });
  await assert.rejects(unfit.run(), /The database can't do what the model plans: latest/);
});

test("a plain sink into a database: a document for each value, as it is", async () => {
  const topic = uniqueName("library-plain");
  const kafka = { brokers: [...brokers], logLevel: 0 };
  const values = Array.from({ length: 30 }, (_, n) => ({ n, text: `value ${n}`, nested: { list: [n, null, true] } }));
  {
    await using producer = createProducer({ kafka, partitions: 3 });
    await Promise.all(values.map((value) => producer.send(topic, { key: value.text, value: JSON.stringify(value) })));
  }
  await using client = await new MongoClient(mongoUrl).connect();
  const database = client.db(topic);
  await using target = openMongoTarget({ url: mongoUrl, database: topic });
  await using sink = createSink({ kafka, target, consumer: quick, routes: [{ topic, collection: "{topic}" }] });
  const running = sink.run();
  await until("all documents", async () => (await database.collection(topic).countDocuments()) === values.length);
  await sink.stop();
  await running;
  const documents = await database.collection(topic).find().sort({ n: 1 }).toArray();
  assert.deepEqual(
    documents.map(({ _id, ...document }) => document),
    values,
  );
  assert.equal(new Set(documents.map(({ _id }) => String(_id))).size, values.length);
  await database.dropDatabase();
});

test("a producer that is closed says so, and an abort lets what was sent arrive", async () => {
  const topic = uniqueName("library-producer");
  const kafka = { brokers: [...brokers], logLevel: 0 };
  const stop = new AbortController();
  const producer = createProducer({ kafka, partitions: 1, signal: stop.signal, lingerMs: 200 });
  const sent = producer.send(topic, { key: "a", value: "1" });
  const live = producer.live(topic, { ratePerSecond: 50, keys: 2, valueBytes: 200, seed: 1 });
  await sent;
  const last = producer.send(topic, { key: "a", value: "2" });
  stop.abort();
  assert.ok((await last).offset > 0n);
  assert.ok((await live) >= 0);
  await producer[Symbol.asyncDispose]();
  await assert.rejects(producer.send(topic, { value: "3" }), /The producer is closed/);
  const nowhere = createProducer({ kafka });
  await assert.rejects(
    nowhere.send(`${topic}-not-there`, { value: "x" }),
    (error) => error instanceof SpillwayError && error.code === "TOPIC_MISSING",
  );
  await nowhere[Symbol.asyncDispose]();
});
