import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRule } from "../../src/config/rules.ts";
import { Brokers } from "../../src/kafka/cluster.ts";
import type { KafkaOptions } from "../../src/kafka/options.ts";
import type { NewRecord } from "../../src/record-batch/batch-builder.ts";
import { RELAY_DEFAULTS, type RelayOptions } from "../../src/relay/options.ts";
import { runRelay } from "../../src/relay/relay.ts";
import { newRelayStats, type RelayStats } from "../../src/relay/stats.ts";
import { consume, groupOf, javaOracle, kafkaOf, makeTopic, produceAll, testLog, until } from "../helpers/kafka.ts";
import { SpillwayProcess } from "../helpers/process.ts";
import { testServices, uniqueName } from "../helpers/services.ts";

const { brokers } = await testServices();
const kafka = kafkaOf(brokers);

function relayOptions(source: string, target: string, options: Partial<RelayOptions> = {}): RelayOptions {
  return { kafka, ...RELAY_DEFAULTS, source, target, group: groupOf(`relay-${target}`), ...options };
}

/** Runs the relay until `done`, then stops it and waits until it has stopped. */
async function relayUntil(options: RelayOptions, done: (stats: RelayStats) => boolean): Promise<RelayStats> {
  const stop = new AbortController();
  const stats = newRelayStats();
  const running = runRelay(options, { signal: stop.signal, log: testLog, stats });
  const failed = running.then(() => assert.fail("the relay stopped by itself"));
  await Promise.race([failed, until("relaying", () => done(stats))]).finally(() => stop.abort());
  await running;
  return stats;
}

function numbered(count: number, keys: number): NewRecord[] {
  return Array.from({ length: count }, (_, i) => ({
    key: Buffer.from(`key-${(i * 7919) % keys}`),
    value: Buffer.from(JSON.stringify({ i, padding: "x".repeat(i % 200) })),
    timestamp: 1_700_000_000_000 + i,
    headers: i % 3 === 0 ? [{ key: "trace", value: Buffer.from([i & 255]) }] : [],
  }));
}

async function topics(name: string, partitions = 3): Promise<{ hot: string; wide: string }> {
  const hot = uniqueName(`${name}-hot`);
  await makeTopic(kafka, { topic: hot, partitions });
  return { hot, wide: uniqueName(`${name}-wide`) };
}

for (const guarantee of ["exactly-once", "at-least-once"] as const) {
  test(`${guarantee}: every record arrives unchanged, where Java's partitioner would have put it, in the order of its key`, async () => {
    const { hot, wide } = await topics("relay");
    await produceAll(kafka, hot, numbered(20_000, 500));
    await relayUntil(relayOptions(hot, wide, { guarantee }), ({ recordsWritten }) => recordsWritten >= 20_000);

    const source = await javaOracle(hot);
    const target = await javaOracle(wide);
    assert.equal(target.records, 20_000);
    assert.equal(target.misplaced, 0);
    assert.equal(target.digest, source.digest);
    assert.equal(Object.keys(target.partitions).length, 24);

    assert.equal(await consoleConsumerLines(wide, 20_000), 20_000);

    const last = new Map<string, number>();
    for (const { key, value, origin } of await consume(kafka, wide, 20_000)) {
      const { i } = JSON.parse(String(value)) as { i: number };
      assert.ok(i > (last.get(String(key)) ?? -1), `key ${key} has ${i} after ${last.get(String(key))}`);
      last.set(String(key), i);
      assert.ok(origin !== undefined && origin.partition < 3);
    }
    assert.equal(last.size, 500);
  });

  test(`${guarantee}: stopped and started again, it goes on where it was, and nothing is relayed twice`, async () => {
    const { hot, wide } = await topics("restart");
    const records = numbered(6_000, 100);
    await produceAll(kafka, hot, records.slice(0, 3_000));
    await relayUntil(relayOptions(hot, wide, { guarantee }), ({ recordsWritten }) => recordsWritten >= 3_000);
    await produceAll(kafka, hot, records.slice(3_000));
    const second = await relayUntil(
      relayOptions(hot, wide, { guarantee }),
      ({ recordsWritten }) => recordsWritten >= 3_000,
    );
    assert.equal(second.recordsRead, 3_000);
    assert.equal((await javaOracle(wide)).records, 6_000);
  });

  test(`${guarantee}: keyless and compressed records are relayed, spread over the partitions`, async () => {
    const { hot, wide } = await topics("keyless");
    const keyless = numbered(5_000, 10).map((record) => ({ ...record, key: null }));
    await produceAll(kafka, hot, keyless);
    const options = relayOptions(hot, wide, { guarantee, codec: "gzip", batchBytes: 4_096, partitions: 6 });
    await relayUntil(options, ({ recordsWritten }) => recordsWritten >= 5_000);
    const source = await javaOracle(hot);
    const target = await javaOracle(wide);
    assert.equal(target.digest, source.digest);
    assert.equal(Object.keys(target.partitions).length, 6);
  });

  test(`${guarantee}: a second relay takes its share and gives it back, and nothing is lost or out of order`, async () => {
    const { hot, wide } = await topics("share", 4);
    const records = numbered(20_000, 50);
    let produced = 0;
    const trickle = async () => {
      await produceAll(kafka, hot, records.slice(produced, produced + 200));
      produced += 200;
    };
    const start = (stats: RelayStats, stop: AbortController) =>
      runRelay(relayOptions(hot, wide, { guarantee }), { signal: stop.signal, log: testLog, stats });

    const [first, second] = [newRelayStats(), newRelayStats()];
    const [stopFirst, stopSecond] = [new AbortController(), new AbortController()];
    const firstRuns = start(first, stopFirst);
    await trickle();
    await until("the first relay", () => first.recordsWritten >= produced);
    const secondRuns = start(second, stopSecond);
    await until("the second relay", async () => {
      await trickle();
      return second.recordsWritten > 0;
    });
    stopSecond.abort();
    await secondRuns;
    await trickle();
    await until("all of it", () => first.recordsWritten + second.recordsWritten >= produced);
    stopFirst.abort();
    await firstRuns;

    const seen = new Set<number>();
    const last = new Map<string, number>();
    for (const { key, value } of await consume(kafka, wide, first.recordsWritten + second.recordsWritten)) {
      const { i } = JSON.parse(String(value)) as { i: number };
      if (seen.has(i)) continue; // at least once: a repetition is allowed, a new record out of order is not
      seen.add(i);
      assert.ok(i > (last.get(String(key)) ?? -1), `key ${key} has ${i} after ${last.get(String(key))}`);
      last.set(String(key), i);
    }
    assert.equal(seen.size, produced);
  });
}

test("a flood is diverted to a topic of its own, test records are dropped, and the rest goes on", async () => {
  const { hot, wide } = await topics("divert");
  const backfill = `${wide}.backfill`;
  const kinds = ["live", "flood", "test"] as const;
  const records = numbered(6_000, 60).map((record, i) => ({
    ...record,
    key: kinds[i % 3] === "test" ? Buffer.from(`test-${i}`) : record.key,
    headers: kinds[i % 3] === "flood" ? [{ key: "source", value: Buffer.from("backfill-2026") }] : [],
  }));
  await produceAll(kafka, hot, records);
  const rules = ["key ^= test- -> drop", `header source ^= backfill -> ${backfill}/50`].map(
    (text) => parseRule(text) ?? assert.fail(text),
  );
  const stats = await relayUntil(relayOptions(hot, wide, { rules }), ({ recordsWritten }) => recordsWritten >= 4_000);
  assert.deepEqual([stats.recordsRead, stats.recordsDropped], [6_000, 2_000]);
  const [live, flood] = [await javaOracle(wide), await javaOracle(backfill)];
  assert.deepEqual([live.records, live.misplaced, flood.records, flood.misplaced], [2_000, 0, 2_000, 0]);
  const diverted = await consume(kafka, backfill, 2_000);
  assert.ok(diverted.every(({ headers }) => headers[0]?.value?.toString() === "backfill-2026"));
  // Verified by its rules, nothing is missing; without them what was dropped and diverted is.
  const told = ["key ^= test- -> drop", `header source ^= backfill -> ${backfill}/50`].flatMap((rule) => [
    "--rule",
    rule,
  ]);
  for (const [rules, code] of [
    [told, 0],
    [told.slice(2), 9],
  ] as const) {
    const verifying = new SpillwayProcess(["verify", hot, "--brokers", brokers.join(), "--in", wide, ...rules]);
    assert.equal(await verifying.ended(120_000), code, verifying.log);
  }
});

test("what can't work is said before anything is relayed", async () => {
  const { hot, wide } = await topics("refused");
  await makeTopic(kafka, { topic: wide, partitions: 5 });
  const run = (options: RelayOptions) => runRelay(options, { signal: AbortSignal.timeout(20_000), log: testLog });
  await assert.rejects(run(relayOptions(hot, wide)), { code: "TOPIC_MISMATCH" });
  await assert.rejects(run(relayOptions(hot, hot)), { code: "CONFIG_INVALID" });
  await assert.rejects(run(relayOptions(uniqueName("nowhere"), wide)), { code: "TOPIC_MISSING" });
  const nobody: KafkaOptions = { ...kafka, brokers: ["127.0.0.1:1"], connectDeadlineMs: 500 };
  await assert.rejects(run({ ...relayOptions(hot, wide), kafka: nobody }), { code: "BROKER_UNREACHABLE" });
});

test("a source topic that is deleted and made anew while running is an error, not silence", async () => {
  const { hot, wide } = await topics("recreated");
  await produceAll(kafka, hot, numbered(100, 10));
  const stats = newRelayStats();
  const running = runRelay(relayOptions(hot, wide), { signal: AbortSignal.timeout(60_000), log: testLog, stats });
  const ended = assert.rejects(running, { code: "TOPIC_RECREATED" });
  await until("relaying", () => stats.recordsWritten >= 100);
  await recreate(hot);
  await ended;
});

test("offsets of a topic that was made anew while nobody ran are not taken for the new one's", async () => {
  const { hot, wide } = await topics("stale");
  await produceAll(kafka, hot, numbered(100, 10));
  await relayUntil(relayOptions(hot, wide), ({ recordsWritten }) => recordsWritten >= 100);
  await recreate(hot);
  await produceAll(kafka, hot, numbered(300, 10));
  // Kafka drops a group's offsets with the topic; where it does not, the topic id beside them tells.
  const stats = await relayUntil(relayOptions(hot, wide), ({ recordsWritten }) => recordsWritten >= 300);
  assert.equal(stats.recordsRead, 300);
});

/** How many lines Kafka's own console consumer prints of a topic, one for each record. */
async function consoleConsumerLines(topic: string, records: number): Promise<number> {
  const { java } = await testServices();
  const where = ["--bootstrap-server", brokers.join(), "--topic", topic, "--from-beginning"];
  const until = ["--max-messages", String(records), "--timeout-ms", "30000"];
  const consumer = "org.apache.kafka.tools.consumer.ConsoleConsumer";
  const { code, stdout, stderr } = await java.runTool(consumer, [...where, ...until]);
  assert.equal(code, 0, stderr);
  return stdout.trimEnd().split("\n").length;
}

async function remove(topic: string): Promise<void> {
  const { java } = await testServices();
  const tool = ["--bootstrap-server", brokers.join(), "--delete", "--topic", topic];
  const { code, stderr } = await java.runTool("org.apache.kafka.tools.TopicCommand", tool);
  assert.equal(code, 0, stderr);
  await using connections = new Brokers(kafka, testLog);
  await until("the deletion", async () => (await connections.topics([topic])).length === 0);
}

async function recreate(topic: string): Promise<void> {
  await remove(topic);
  await makeTopic(kafka, { topic, partitions: 3 });
}

test("a source topic that is deleted while running is waited for a while, then named", async () => {
  const { hot, wide } = await topics("deleted");
  await produceAll(kafka, hot, numbered(100, 10));
  const stats = newRelayStats();
  const running = runRelay(relayOptions(hot, wide), { signal: AbortSignal.timeout(60_000), log: testLog, stats });
  const ended = assert.rejects(running, { code: "TOPIC_MISSING" });
  await until("relaying", () => stats.recordsWritten >= 100);
  await remove(hot);
  await ended;
});
