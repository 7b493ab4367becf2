/** A relay that ends by itself, where it was settled at its start: exactly there, whatever happens in between. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Brokers } from "../../src/kafka/cluster.ts";
import { writeControl } from "../../src/kafka/control-topic.ts";
import { Job, type Until } from "../../src/relay/job.ts";
import { RELAY_DEFAULTS, type RelayOptions } from "../../src/relay/options.ts";
import { runRelay } from "../../src/relay/relay.ts";
import type { JobReport } from "../../src/relay/report.ts";
import { newRelayStats } from "../../src/relay/stats.ts";
import {
  committedSum,
  consume,
  groupOf,
  javaOracle,
  kafkaOf,
  makeTopic,
  produceAll,
  testLog,
  until,
} from "../helpers/kafka.ts";
import { QUICK_SESSION, SpillwayProcess } from "../helpers/process.ts";
import { testServices, uniqueName } from "../helpers/services.ts";
import { deleteRecordsBefore } from "../helpers/topics.ts";

const { brokers } = await testServices();
const kafka = kafkaOf(brokers);
const FIRST_TIME = 1_700_000_000_000;

async function hotTopic(name: string): Promise<string> {
  const topic = uniqueName(`${name}-hot`);
  await makeTopic(kafka, { topic, partitions: 3, config: { "retention.ms": "-1" } });
  return topic;
}

/** Records numbered from `first` on, a millisecond apart. */
async function produce(topic: string, first: number, count: number): Promise<void> {
  const records = Array.from({ length: count }, (_, i) => ({
    key: Buffer.from(`key-${(first + i) % 50}`),
    value: Buffer.from(String(first + i)),
    timestamp: FIRST_TIME + first + i,
  }));
  await produceAll(kafka, topic, records);
}

function optionsOf(source: string, end: Until, options: Partial<RelayOptions> = {}): RelayOptions {
  const target = `${source}-wide`;
  return { kafka, ...RELAY_DEFAULTS, source, target, until: end, group: groupOf(`relay-${source}`), ...options };
}

const run = (options: RelayOptions) => runRelay(options, { signal: AbortSignal.timeout(60_000), log: testLog });

for (const guarantee of ["exactly-once", "at-least-once"] as const) {
  test(`${guarantee}: what is there at the start is relayed, what comes later isn't, and the next run takes that`, async () => {
    const hot = await hotTopic("now");
    await produce(hot, 0, 3_000);
    const options = optionsOf(hot, { kind: "now" }, { guarantee });
    const [report] = await Promise.all([run(options), produceLater(hot)]);
    assert.equal(report?.recordsRead, report?.recordsWritten);
    const ends = Object.values(report?.ends ?? {}).reduce((sum, end) => sum + Number(end), 0);
    assert.equal(report?.recordsWritten, ends);
    assert.equal((await javaOracle(options.target)).records, ends);
    // The later ones may have come a moment before the ends were settled, but they came in one piece.
    assert.ok(ends === 3_000 || ends === 4_000, `${ends}`);
    const second = await run(options);
    assert.equal(second?.recordsWritten, 4_000 - ends);
    assert.equal((await javaOracle(options.target)).records, 4_000);
    assert.equal((await run(options))?.recordsRead, 0, "nothing is left");
  });
}

async function produceLater(topic: string): Promise<void> {
  await produce(topic, 3_000, 1_000);
}

test("an end in the middle of batches is kept to the record, by offset and by time", async () => {
  const hot = await hotTopic("middle");
  await produce(hot, 0, 3_000);
  const ends = new Map([
    [0, 7n],
    [1, 501n],
    [2, 0n],
  ]);
  const byOffset = optionsOf(hot, { kind: "offsets", ends });
  const report = await run(byOffset);
  assert.deepEqual([report?.recordsWritten, report?.ends], [508, { 0: "7", 1: "501" }]);
  const relayed = await consume(kafka, byOffset.target, 508);
  assert.deepEqual(new Set(relayed.map(({ origin }) => origin?.partition)), new Set([0, 1]));
  for (const { origin } of relayed)
    assert.ok(origin !== undefined && origin.offset < (ends.get(origin.partition) ?? 0n));

  const target = `${hot}-by-time`;
  const at = FIRST_TIME + 1_234;
  const byTime = optionsOf(hot, { kind: "time", at }, { target, group: groupOf(`relay-${target}`) });
  // Offsets of a time are those of the first record that young, so partition by partition all before it is older.
  const timed = await run(byTime);
  const numbers = (await consume(kafka, target, timed?.recordsWritten ?? 0)).map(({ value }) => Number(value));
  assert.deepEqual(
    numbers.toSorted((a, b) => a - b),
    Array.from({ length: 1_234 }, (_, i) => i),
  );
});

test("killed and started again, it ends where it was to end, with exit code 0 and a report", async () => {
  const hot = await hotTopic("killed");
  const wide = `${hot}-wide`;
  const file = join(tmpdir(), `${hot}.json`);
  await produce(hot, 0, 60_000);
  const session = [...QUICK_SESSION, "--transaction-ms", "20"];
  const args = [
    "relay",
    "--brokers",
    brokers.join(),
    "--source",
    hot,
    "--target",
    wide,
    "--until",
    "now",
    "--json",
    file,
  ];
  // So little at a time that it takes a while.
  const slow = ["--in-flight-bytes", "64KiB", "--batch-bytes", "2KiB", "--transaction-bytes", "64KiB"];
  {
    await using first = new SpillwayProcess([...args, ...session, ...slow]);
    await using connections = new Brokers(kafka, testLog);
    const source = { topic: hot, partitions: 3 };
    const group = `spillway-relay-${hot}`;
    const relayed = await until(
      "some are relayed",
      async () => (await committedSum(connections, group, source)) || false,
    );
    await first.crash();
    assert.ok(relayed < 60_000, "killed in the middle of it");
  }
  await produce(hot, 60_000, 5_000);
  await using second = new SpillwayProcess([...args, ...session]);
  assert.equal(await second.ended(60_000), 0, second.log);
  const report = JSON.parse(await readFile(file, "utf8")) as JobReport;
  assert.equal(
    Object.values(report.ends).reduce((sum, end) => sum + Number(end), 0),
    60_000,
  );
  assert.equal((await javaOracle(wide)).records, 60_000);
});

for (const guarantee of ["exactly-once", "at-least-once"] as const) {
  test(`${guarantee}: it ends though retention has taken what it had to relay`, async () => {
    const hot = await hotTopic("outlived");
    await produce(hot, 0, 300);
    const ended = AbortSignal.timeout(30_000);
    const options = optionsOf(hot, { kind: "now" }, { guarantee });
    await Job.open({ kind: "now" }, options, { kafka, log: testLog, signal: ended });
    // All of a partition of which nothing is committed: it is begun behind its end.
    await deleteRecordsBefore(kafka, hot, 0, -1n);
    const [began, stats] = [new AbortController(), newRelayStats()];
    const slow = { ...options, limits: { recordsPerSecond: 40 } };
    const running = runRelay(slow, { signal: began.signal, log: testLog, stats });
    await until("some of the others", async () => stats.recordsWritten > 20);
    began.abort();
    await running;
    // And the rest of those of which something is.
    for (const partition of [1, 2]) await deleteRecordsBefore(kafka, hot, partition, -1n);
    const report = await runRelay(options, { signal: ended, log: testLog });
    assert.equal(report?.recordsRead, 0, "it has come to its end");
  });
}

test("a job that was begun in the same moment as another's, and isn't the one, is not gone on with later", async () => {
  const hot = await hotTopic("twice");
  await produce(hot, 0, 300);
  const options = optionsOf(hot, { kind: "now" });
  const control = { kafka, log: testLog, signal: AbortSignal.timeout(30_000) };
  const jobs = await Promise.all([1, 2].map(() => Job.open({ kind: "now" }, options, control)));
  assert.equal(jobs[0]?.startedAt, jobs[1]?.startedAt);
  assert.equal((await run(options))?.recordsWritten, 300);
  await produce(hot, 300, 100);
  assert.equal((await run(options))?.recordsWritten, 100, "a new job");
  // A tombstone, or what nobody can read, is no job.
  for (const value of ["", "?"]) await writeControl(`relay-job:${options.group.group}:${hot}`, value, control);
  assert.equal((await run(options))?.recordsRead, 0);
});
