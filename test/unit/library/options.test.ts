import assert from "node:assert/strict";
import { test } from "node:test";
import type { KafkaConfig, LogEntry } from "kafkajs";
import { createProducer, createRelay, createSink, SpillwayError, type Target } from "../../../src/index.ts";
import { kafkaOptionsOf, logOf } from "../../../src/kafka/kafkajs-config.ts";
import { KAFKA_DEFAULTS } from "../../../src/kafka/options.ts";

const kafka = { brokers: ["localhost:1"] };
const target: Target = {
  kinds: new Set(["insert"]),
  prepare: async () => ({ kind: "available" }),
  check: async () => ({ kind: "available" }),
  write: async () => [],
  [Symbol.asyncDispose]: async () => {},
};

function problemsOf(make: () => unknown): string {
  let caught: unknown;
  try {
    make();
  } catch (error) {
    caught = error;
  }
  assert.ok(caught instanceof SpillwayError && caught.code === "CONFIG_INVALID", String(caught));
  return caught.message;
}

test("a configuration of KafkaJS is taken as it is", () => {
  const full: KafkaConfig = {
    brokers: ["a:1", "b:2"],
    ssl: { servername: "a", rejectUnauthorized: false },
    sasl: { mechanism: "scram-sha-512", username: "u", password: "p" },
    clientId: "app",
    connectionTimeout: 1,
    authenticationTimeout: 2,
    reauthenticationThreshold: 3,
    requestTimeout: 4,
    enforceRequestTimeout: true,
    retry: { retries: 5 },
  };
  const { ssl, sasl, ...plain } = kafkaOptionsOf(full);
  assert.deepEqual(plain, {
    brokers: ["a:1", "b:2"],
    clientId: "app",
    connectionTimeoutMs: 1,
    authenticationTimeoutMs: 2,
    reauthenticationThresholdMs: 3,
    requestTimeoutMs: 4,
    connectDeadlineMs: KAFKA_DEFAULTS.connectDeadlineMs,
  });
  assert.deepEqual([ssl, sasl], [full.ssl, full.sasl]);
});

test("ssl may be a boolean, and brokers a function, which is asked anew each time", async () => {
  assert.deepEqual(kafkaOptionsOf({ ...kafka, ssl: true }).ssl, {});
  assert.equal(kafkaOptionsOf({ ...kafka, ssl: false }).ssl, undefined);
  let asked = 0;
  const { findBrokers, brokers } = kafkaOptionsOf({ brokers: () => [`broker:${++asked}`] });
  assert.deepEqual(brokers, []);
  assert.deepEqual([await findBrokers?.(), await findBrokers?.()], [["broker:1"], ["broker:2"]]);
});

test("no broker at all is said at once", () => {
  assert.match(
    problemsOf(() => createProducer({ kafka: { brokers: [] } })),
    /kafka\.brokers is empty/,
  );
});

test("KafkaJS's logCreator gets every line, with its level, its bindings and its fields", () => {
  const entries: LogEntry[] = [];
  const levels: number[] = [];
  const logCreator = (level: number) => {
    levels.push(level);
    return (entry: LogEntry) => void entries.push(entry);
  };
  const log = logOf({ ...kafka, logCreator }, undefined).child({ group: "g" });
  log.debug("not at the level of KafkaJS's default");
  log.warn({ offset: 7 }, "so it is");
  assert.deepEqual(levels, [4]);
  const [entry, ...others] = entries;
  assert.ok(entry !== undefined && others.length === 0);
  assert.deepEqual([entry.level, entry.label, entry.namespace], [2, "WARN", "Spillway"]);
  const { timestamp, ...said } = entry.log;
  assert.deepEqual(said, { logger: "spillway", message: "so it is", group: "g", offset: 7 });
  assert.ok(Date.parse(timestamp) > 0);
});

test("a relay's options are held to what the command allows, all problems at once", () => {
  const said = problemsOf(() =>
    createRelay({ kafka, source: "a topic", target: "wide", partitions: 0, fetch: { minBytes: -1 } }),
  );
  assert.match(said, /source is "a topic"; allowed: a topic's name/);
  assert.match(said, /partitions is 0; allowed: a whole number from 1/);
  assert.match(said, /fetchMinBytes is -1/);
  assert.match(
    problemsOf(() => createRelay({ kafka, source: "hot", target: "wide", rules: ["header -> elsewhere"] })),
    /rules: "header -> elsewhere" is none.*Write a condition/,
  );
  const across = problemsOf(() =>
    createRelay({
      kafka,
      source: "hot",
      target: "hot",
      drainDeadlineMs: 20_000,
      consumer: { rebalanceTimeoutMs: 9_000 },
    }),
  );
  assert.match(across, /target is hot, as is source/);
  assert.match(across, /drainDeadlineMs is 20000, but must be below rebalanceTimeoutMs, which is 9000/);
});

test("a sink's options are too", () => {
  const sink = { kafka, target };
  assert.match(
    problemsOf(() => createSink({ ...sink, routes: [] })),
    /routes is \[\]/,
  );
  const routes = [{ topic: "wide", collection: "prices" }];
  assert.match(
    problemsOf(() => createSink({ ...sink, routes, lanes: 0, retryBackoff: { baseMs: 0, maxMs: 10 } })),
    /lanes is 0.*retryBaseMs is 0/,
  );
  assert.match(
    problemsOf(() => createSink({ ...sink, routes, batchRecords: 100, inFlightRecords: 10 })),
    /batchRecords is 100, but must not exceed inFlightRecords, which is 10/,
  );
  assert.match(
    problemsOf(() => createSink({ ...sink, routes: [...routes, ...routes] })),
    /more than one collection/,
  );
});

test("what the defaults are is fine, and nothing is opened for it", async () => {
  const before = process.getActiveResourcesInfo();
  await using relay = createRelay({ kafka, source: "hot", target: "wide", replicationFactor: -1 });
  await using sink = createSink({ kafka, target, routes: [{ topic: "wide", collection: "prices" }] });
  await using _producer = createProducer({ kafka });
  assert.equal(relay.status().group, "spillway-relay-hot");
  assert.equal(sink.stats.recordsRead, 0);
  assert.deepEqual(process.getActiveResourcesInfo(), before);
});
