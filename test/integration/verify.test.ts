import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { endOffsets } from "../../src/kafka/admin.ts";
import { Brokers } from "../../src/kafka/cluster.ts";
import { type Isolation, LATEST, offsetsAt } from "../../src/kafka/offsets.ts";
import { type Range, readRange } from "../../src/kafka/range.ts";
import { openSource } from "../../src/kafka/source.ts";
import type { Position } from "../../src/kafka/topic-partition.ts";
import type { NewRecord } from "../../src/record-batch/batch-builder.ts";
import { partitionForKey } from "../../src/record-batch/murmur2.ts";
import { ORIGIN_HEADER, packOrigin } from "../../src/record-batch/origin.ts";
import { readRecords } from "../../src/record-batch/records.ts";
import { RELAY_DEFAULTS, type RelayOptions } from "../../src/relay/options.ts";
import { runRelay } from "../../src/relay/relay.ts";
import { newRelayStats } from "../../src/relay/stats.ts";
import { type ExamplePlace, isProven, type VerifyReport } from "../../src/verify/report.ts";
import { verifyRelay } from "../../src/verify/verify.ts";
import { batchOf } from "../helpers/batches.ts";
import { groupOf, javaOracle, kafkaOf, makeTopic, produceAll, startOf, testLog, until } from "../helpers/kafka.ts";
import { SpillwayProcess } from "../helpers/process.ts";
import { testServices, uniqueName } from "../helpers/services.ts";
import { deleteRecordsBefore, sendBatches } from "../helpers/topics.ts";

const { brokers, java } = await testServices();
const kafka = kafkaOf(brokers);
// These take their time beside the other tests.
const transactional = writeTransactions();
const compacted = writeCompacted();
for (const beside of [transactional, compacted]) beside.catch(() => {});
const NONE = { missing: 0, duplicated: 0, outOfOrder: 0, wrongPartition: 0, foreign: 0 };

async function verify(source: string, ...targets: string[]): Promise<VerifyReport> {
  const signal = AbortSignal.timeout(60_000);
  return await verifyRelay({ kafka, sources: [source], targets }, { signal, log: testLog });
}

function countsOf({ missing, duplicated, outOfOrder, wrongPartition, foreign }: VerifyReport) {
  return { missing, duplicated, outOfOrder, wrongPartition, foreign };
}

function numbered(count: number, keys: number): NewRecord[] {
  return Array.from({ length: count }, (_, i) => ({
    key: i % 10 === 9 ? null : Buffer.from(`key-${(i * 7919) % keys}`),
    value: Buffer.from(JSON.stringify({ i, padding: "x".repeat(i % 200) })),
    timestamp: 1_700_000_000_000 + i,
    headers: i % 3 === 0 ? [{ key: "trace", value: Buffer.from([i & 255]) }] : [],
  }));
}

async function relay(source: string, target: string, records: number, options: Partial<RelayOptions>): Promise<void> {
  const stop = new AbortController();
  const stats = newRelayStats();
  const wanted = { kafka, ...RELAY_DEFAULTS, source, target, group: groupOf(uniqueName("verify")), ...options };
  const running = runRelay(wanted, { signal: stop.signal, log: testLog, stats });
  const failed = running.then(() => assert.fail("the relay stopped by itself"));
  await Promise.race([failed, until("relaying", () => stats.recordsWritten >= records)]).finally(() => stop.abort());
  await running;
}

/** Gaps add up: every offset of the source is a record or has a reason not to be one. */
async function assertAllAccounted(source: string, { sourceRecords, gaps }: VerifyReport): Promise<void> {
  await using connections = new Brokers(kafka, testLog);
  const ends = await endOffsets(connections, source);
  const offsets = [...ends.values()].reduce((sum, end) => sum + Number(end), 0);
  assert.equal(
    Object.values(gaps).reduce((sum, count) => sum + count, sourceRecords),
    offsets,
  );
}

for (const guarantee of ["exactly-once", "at-least-once"] as const) {
  for (const provenance of [true, false]) {
    test(`a relay's work is proven: ${guarantee}, ${provenance ? "with" : "without"} provenance`, async () => {
      const [hot, wide] = [uniqueName("verify-hot"), uniqueName("verify-wide")];
      await makeTopic(kafka, { topic: hot, partitions: 3 });
      await produceAll(kafka, hot, numbered(5_000, 200));
      await relay(hot, wide, 5_000, { guarantee, provenance, partitions: 8 });
      const report = await verify(hot, wide);
      assert.deepEqual(countsOf(report), NONE);
      assert.equal(report.method, provenance ? "provenance" : "content");
      assert.deepEqual([report.sourceRecords, report.targetRecords], [5_000, 5_000]);
      assert.ok(isProven(report));
      await assertAllAccounted(hot, report);
    });
  }
}

/** A record for a target, and where to put it. */
interface Placed {
  readonly record: NewRecord;
  partition: number;
}

const SOURCE_PARTITIONS = 3;
const TARGET_PARTITIONS = 4;

/** What a right target would hold, by hand: to be damaged before it is written. */
class HandMade {
  readonly source = uniqueName("verify-source");
  readonly target = uniqueName("verify-target");
  readonly placed: Placed[] = [];

  static async make(count: number, marked: boolean): Promise<HandMade> {
    const made = new HandMade();
    const { topicId } = await makeTopic(kafka, { topic: made.source, partitions: SOURCE_PARTITIONS });
    await makeTopic(kafka, { topic: made.target, partitions: TARGET_PARTITIONS });
    const records = numbered(count, 20);
    const places = await produceAll(kafka, made.source, records);
    for (const [i, record] of records.entries()) {
      const { partition, offset } = places[i] ?? assert.fail("no place");
      const origin = { key: ORIGIN_HEADER, value: packOrigin({ topicId, partition, offset }) };
      const headers = marked ? [...(record.headers ?? []), origin] : (record.headers ?? []);
      const key = record.key === null ? undefined : Buffer.from(record.key);
      const belongs = key === undefined ? i % 4 : partitionForKey(key, 0, key.length, TARGET_PARTITIONS);
      made.placed.push({ record: { ...record, headers }, partition: belongs });
    }
    return made;
  }

  /** The n-th record with a key. */
  keyed(n: number): Placed {
    return this.placed.filter(({ record }) => record.key !== null)[n] ?? assert.fail("no such record");
  }

  indexOf(one: Placed): number {
    return this.placed.indexOf(one);
  }

  async write(): Promise<VerifyReport> {
    await using connections = new Brokers(kafka, testLog);
    for (let partition = 0; partition < TARGET_PARTITIONS; partition++) {
      const records = this.placed.filter((one) => one.partition === partition).map(({ record }) => record);
      for (let i = 0; i < records.length; i += 50) {
        await sendBatches(connections, this.target, partition, [batchOf(records.slice(i, i + 50))]);
      }
    }
    return await verify(this.source, this.target);
  }
}

/** Two records with the same key, one behind the other. */
function neighbours(placed: readonly Placed[]): [number, number] {
  const keyOf = ({ record }: Placed) => String(record.key);
  const first = placed.findIndex(({ record }, i) => record.key !== null && i > 100);
  const second = placed.findIndex((one, i) => i > first && keyOf(one) === keyOf(placed[first] as Placed));
  return [first, second];
}

for (const marked of [true, false]) {
  const how = marked ? "by provenance" : "by content";

  test(`a right target made by hand is proven, ${how}`, async () => {
    const made = await HandMade.make(600, marked);
    const report = await made.write();
    assert.deepEqual(countsOf(report), NONE);
    assert.equal(report.method, marked ? "provenance" : "content");
  });

  test(`what is missing, repeated, misplaced or foreign is counted exactly and named, ${how}`, async () => {
    const made = await HandMade.make(600, marked);
    const gone = [made.keyed(3), made.keyed(77), made.keyed(200)];
    for (const one of gone) made.placed.splice(made.indexOf(one), 1);
    const twice = [made.keyed(40), made.keyed(41)];
    made.placed.push(...twice.map((one) => ({ ...one })));
    const elsewhere = made.keyed(120);
    elsewhere.partition = (elsewhere.partition + 1) % TARGET_PARTITIONS;
    const stranger = { key: null, value: Buffer.from("stranger"), timestamp: 1 };
    const origin = packOrigin({ topicId: "AAAAAAAAAAAAAAAAAAAAAQ", partition: 0, offset: 5n });
    const headers = marked ? [{ key: ORIGIN_HEADER, value: origin }] : [];
    made.placed.push({ record: { ...stranger, headers }, partition: 2 });
    const report = await made.write();
    assert.deepEqual(countsOf(report), { missing: 3, duplicated: 2, outOfOrder: 0, wrongPartition: 1, foreign: 1 });
    assert.ok(!isProven(report));
    const missing = await Promise.all(report.examples.missing.map((place) => valueAt(place)));
    assert.deepEqual(missing.toSorted(), gone.map(({ record }) => String(record.value)).toSorted());
    const duplicates = await Promise.all(report.examples.duplicated.map((place) => valueAt(place)));
    assert.deepEqual(duplicates.toSorted(), twice.map(({ record }) => String(record.value)).toSorted());
    const [misplaced] = report.examples.wrongPartition;
    assert.equal(await valueAt(misplaced ?? assert.fail("none named")), String(elsewhere.record.value));
    const [foreign] = report.examples.foreign;
    assert.equal(await valueAt(foreign ?? assert.fail("none named")), "stranger");
  });

  test(`a record that is overtaken is out of order, ${how}; one that is repeated is not`, async () => {
    const made = await HandMade.make(600, marked);
    const [first, second] = neighbours(made.placed);
    const [a, b] = [made.placed[first] as Placed, made.placed[second] as Placed];
    [made.placed[first], made.placed[second]] = [b, a];
    // What a relay does that begins anew: it goes back, repeats, and goes on.
    const key = String(made.keyed(5).record.key);
    made.placed.push(...made.placed.filter(({ record }) => String(record.key) === key).map((one) => ({ ...one })));
    const repeated = made.placed.filter(({ record }) => String(record.key) === key).length / 2;
    assert.deepEqual(countsOf(await made.write()), { ...NONE, duplicated: repeated, outOfOrder: 1 });
  });
}

test("a source of committed and aborted transactions: its records are proven, its other offsets explained", async () => {
  const { hot, records } = await transactional;
  for (const provenance of [true, false]) {
    const wide = uniqueName("verify-wide");
    await relay(hot, wide, records, { provenance, partitions: 5 });
    const report = await verify(hot, wide);
    assert.deepEqual(countsOf(report), NONE);
    assert.equal(report.sourceRecords, records);
    const { markers, aborted, ...others } = report.gaps;
    assert.ok(markers > 20 && aborted > 20, `${markers} markers, ${aborted} aborted`);
    assert.deepEqual(others, { retention: 0, compaction: 0, batchHoles: 0, unexplained: 0 });
    await assertAllAccounted(hot, report);
  }
});

test("a record of an aborted transaction, or from a marker's offset, is foreign in the target", async () => {
  const { hot, records } = await transactional;
  const wide = uniqueName("verify-wide");
  await relay(hot, wide, records, { partitions: 5 });
  const [begin] = await startOf(kafka, hot);
  assert.ok(begin !== undefined && begin.partition === 0);
  const committed = await offsetsOf(begin, "read_committed");
  const all = await offsetsOf(begin, "read_uncommitted");
  const aborted = [...all.difference(committed)].slice(0, 3);
  const marker = Array.from({ length: Math.max(...all) }, (_, offset) => offset).find((offset) => !all.has(offset));
  const leaked = [...aborted, marker ?? assert.fail("no marker")].map((offset) => {
    const origin = packOrigin({ topicId: begin.topicId, partition: 0, offset: BigInt(offset) });
    return { key: null, value: null, timestamp: 1, headers: [{ key: ORIGIN_HEADER, value: origin }] };
  });
  await sendRecords(wide, 2, leaked);
  const report = await verify(hot, wide);
  assert.deepEqual(countsOf(report), { ...NONE, foreign: 4 });
  assert.deepEqual(
    report.examples.foreign.map(({ origin }) => origin?.offset),
    [...aborted, marker],
  );
});

async function offsetsOf(begin: Position, isolation: Isolation): Promise<Set<number>> {
  await using connections = new Brokers(kafka, testLog);
  const [end] = await offsetsAt(connections, [begin], LATEST, isolation);
  const offsets = new Set<number>();
  const signal = AbortSignal.timeout(30_000);
  const parts = openSource({ kafka, positions: [begin], signal, log: testLog, fetch: { isolation } });
  for await (const part of parts) {
    for (const { offset } of readRecords(part)) offsets.add(Number(offset));
    if (part.nextOffset >= (end?.offset ?? 0n)) return offsets;
  }
  return assert.fail(`${begin.topic} has not come to its end`);
}

test("a record from behind the source's end is foreign", async () => {
  const [hot, wide] = [uniqueName("verify-hot"), uniqueName("verify-wide")];
  const { topicId } = await makeTopic(kafka, { topic: hot, partitions: 1 });
  await makeTopic(kafka, { topic: wide, partitions: 1 });
  await produceAll(kafka, hot, numbered(10, 5));
  await using connections = new Brokers(kafka, testLog);
  const marked = (offset: bigint): NewRecord => {
    const headers = [{ key: ORIGIN_HEADER, value: packOrigin({ topicId, partition: 0, offset }) }];
    return { key: null, value: null, timestamp: 1, headers };
  };
  // 10 is where the source goes on.
  await sendBatches(connections, wide, 0, [batchOf([0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n, 10n].map(marked))]);
  assert.deepEqual(countsOf(await verify(hot, wide)), { ...NONE, foreign: 1 });
});

test("a source whose beginning was deleted after it was relayed: outlived, not foreign; deleted before: a gap", async () => {
  const [hot, before, after] = [uniqueName("verify-hot"), uniqueName("verify-before"), uniqueName("verify-after")];
  await makeTopic(kafka, { topic: hot, partitions: 1 });
  await produceAll(kafka, hot, numbered(1_000, 50));
  await relay(hot, before, 1_000, { partitions: 4 });
  const folder = await mkdtemp(join(tmpdir(), "spillway-verify-"));
  const file = join(folder, "offsets.json");
  await writeFile(file, JSON.stringify({ version: 1, partitions: [{ topic: hot, partition: 0, offset: 400 }] }));
  const tool = ["--bootstrap-server", brokers.join(), "--offset-json-file", file];
  const { code, stderr } = await java.runTool("org.apache.kafka.tools.DeleteRecordsCommand", tool);
  assert.equal(code, 0, stderr);
  await rm(folder, { recursive: true });
  const ofBefore = await verify(hot, before);
  assert.deepEqual(countsOf(ofBefore), NONE);
  assert.deepEqual([ofBefore.sourceRecords, ofBefore.targetRecords, ofBefore.outlived], [600, 1_000, 400]);
  assert.equal(ofBefore.gaps.retention, 400);
  assert.ok(isProven(ofBefore));
  for (const provenance of [true, false]) {
    const wide = provenance ? after : uniqueName("verify-after");
    await relay(hot, wide, 600, { partitions: 4, provenance });
    const report = await verify(hot, wide);
    assert.deepEqual(countsOf(report), NONE);
    assert.deepEqual([report.sourceRecords, report.targetRecords, report.outlived], [600, 600, 0]);
    await assertAllAccounted(hot, report);
  }
});

test("at least once: what a second run repeats is duplicated, each record once, and nothing is out of order", async () => {
  const [hot, wide] = [uniqueName("verify-hot"), uniqueName("verify-wide")];
  await makeTopic(kafka, { topic: hot, partitions: 2 });
  await produceAll(kafka, hot, numbered(800, 50));
  await relay(hot, wide, 800, { guarantee: "at-least-once", partitions: 4 });
  await produceAll(kafka, hot, numbered(200, 50));
  // Of another group: it begins anew.
  await relay(hot, wide, 1_000, { guarantee: "at-least-once", partitions: 4 });
  const report = await verify(hot, wide);
  assert.deepEqual(countsOf(report), { ...NONE, duplicated: 800 });
  assert.deepEqual([report.sourceRecords, report.targetRecords], [1_000, 1_800]);
});

test("relays in a row: the last topic is proven against the first, and against the one between", async () => {
  const [hot, wide, narrow] = [uniqueName("verify-hot"), uniqueName("verify-wide"), uniqueName("verify-narrow")];
  await makeTopic(kafka, { topic: hot, partitions: 2 });
  await produceAll(kafka, hot, numbered(3_000, 100));
  await relay(hot, wide, 3_000, { partitions: 12 });
  await relay(wide, narrow, 3_000, { partitions: 3 });
  for (const source of [hot, wide]) {
    const report = await verify(source, narrow);
    assert.deepEqual(countsOf(report), NONE);
    assert.equal(report.method, "provenance");
  }
});

test("the command: a table, a report as JSON, and exit code 9 if anything is unaccounted for", async () => {
  const made = await HandMade.make(100, true);
  const gone = made.placed.splice(17, 1)[0];
  await made.write();
  const folder = await mkdtemp(join(tmpdir(), "spillway-verify-"));
  const json = join(folder, "report.json");
  const args = ["verify", made.source, "--in", made.target, "--brokers", brokers.join(), "--json", json];
  await using spillway = new SpillwayProcess(args);
  assert.equal(await spillway.ended(30_000), 9);
  assert.match(spillway.log, /The target does not hold what the sources do/);
  const report: VerifyReport = JSON.parse(await readFile(json, "utf8"));
  assert.deepEqual(countsOf(report), { ...NONE, missing: 1 });
  const [place] = report.examples.missing;
  assert.equal(await valueAt(place ?? assert.fail("none named")), String(gone?.record.value));
  await rm(folder, { recursive: true });
});

/** Kafka's own producers, some of whose transactions are aborted; and how many records its consumer gets of them. */
async function writeTransactions(): Promise<{ hot: string; records: number }> {
  const [hot, control] = [uniqueName("verify-transactions"), uniqueName("verify-control")];
  await makeTopic(kafka, { topic: hot, partitions: 3 });
  await makeTopic(kafka, { topic: control, partitions: 2 });
  // At once, so that none of its transactions is held open for long.
  await sendRecords(control, 1, [{ key: null, value: null, timestamp: 1 }]);
  const args = [brokers.join(), hot, "3", control, "7"];
  const { code, stderr } = await java.runJavaSource("test/java/Transactions.java", args, { timeoutMs: 60_000 });
  assert.equal(code, 0, stderr);
  return { hot, records: (await javaOracle(hot)).records };
}

const COMPACTED_RECORDS = 400;

/** A topic that was relayed, and was then compacted by the broker. */
async function writeCompacted(): Promise<{ hot: string; wide: string }> {
  const [hot, wide] = [uniqueName("verify-compacted"), uniqueName("verify-wide")];
  const config = { "cleanup.policy": "compact", "segment.ms": "200", "min.cleanable.dirty.ratio": "0.001" };
  await makeTopic(kafka, { topic: hot, partitions: 1, config });
  const keyed = numbered(COMPACTED_RECORDS, 20).map((record, i) => ({ ...record, key: Buffer.from(`key-${i % 20}`) }));
  // By its timestamp the last one comes so late that it begins a segment, and those before can be compacted.
  await produceAll(kafka, hot, keyed.slice(0, -1));
  await produceAll(
    kafka,
    hot,
    keyed.slice(-1).map((record) => ({ ...record, timestamp: Date.now() })),
  );
  await relay(hot, wide, COMPACTED_RECORDS, { partitions: 4 });
  return { hot, wide };
}

test("a compacted source: what it lacks now is compaction, and outlived where it was relayed before", async () => {
  const { hot, wide } = await compacted;
  const report = await until("the compaction", async () => {
    const seen = await verify(hot, wide);
    return seen.gaps.compaction > 0 && seen;
  });
  assert.deepEqual(countsOf(report), NONE);
  assert.equal(report.sourceRecords + report.gaps.compaction, COMPACTED_RECORDS);
  assert.deepEqual([report.targetRecords, report.outlived], [COMPACTED_RECORDS, report.gaps.compaction]);
  assert.ok(isProven(report));
  await assertAllAccounted(hot, report);

  const after = uniqueName("verify-after");
  await relay(hot, after, report.sourceRecords, { partitions: 4 });
  const ofAfter = await verify(hot, after);
  assert.deepEqual(countsOf(ofAfter), NONE);
  assert.deepEqual([ofAfter.targetRecords, ofAfter.outlived], [report.sourceRecords, 0]);
});

test("while all goes on, it ends, and takes what is newer for no fault", async () => {
  const [hot, wide] = [uniqueName("verify-hot"), uniqueName("verify-wide")];
  await makeTopic(kafka, { topic: hot, partitions: 2 });
  await produceAll(kafka, hot, numbered(500, 50));
  let report: VerifyReport | undefined;
  const stop = new AbortController();
  const stats = newRelayStats();
  const wanted = { kafka, ...RELAY_DEFAULTS, source: hot, target: wide, group: groupOf(uniqueName("verify")) };
  const relaying = runRelay(wanted, { signal: stop.signal, log: testLog, stats });
  const producing = (async () => {
    while (report === undefined) await produceAll(kafka, hot, numbered(100, 50));
  })();
  await until("relaying", () => stats.recordsWritten >= 1_000);
  report = await verify(hot, wide);
  await producing;
  stop.abort();
  await relaying;
  const { missing, ...others } = countsOf(report);
  // What the relay had not written yet.
  assert.ok(missing < report.sourceRecords, `${missing} of ${report.sourceRecords} are missing`);
  assert.deepEqual({ missing: 0, ...others }, NONE);
  assert.ok(report.sourceRecords >= 1_000);
});

test("several targets together hold what the source does, each in its own partitions", async () => {
  const made = await HandMade.make(300, true);
  const second = uniqueName("verify-second");
  await makeTopic(kafka, { topic: second, partitions: 1 });
  const diverted = made.placed.filter(({ record }) => String(record.key) === "key-7");
  made.placed.splice(0, made.placed.length, ...made.placed.filter((one) => !diverted.includes(one)));
  assert.equal((await made.write()).missing, diverted.length);
  await sendRecords(
    second,
    0,
    diverted.map(({ record }) => record),
  );
  const report = await verify(made.source, made.target, second);
  assert.deepEqual(countsOf(report), NONE);
  assert.deepEqual(report.methods, { [made.target]: "provenance", [second]: "provenance" });
});

test("what has left the log when its turn comes is told, and reading ends all the same", async () => {
  const hot = uniqueName("verify-hot");
  await makeTopic(kafka, { topic: hot, partitions: 1 });
  await sendRecords(hot, 0, numbered(100, 5));
  const positions = await startOf(kafka, hot);
  const signal = AbortSignal.timeout(30_000);
  for (const cut of [60, 100]) {
    await deleteRecordsBefore(kafka, hot, 0, BigInt(cut));
    const lost: (readonly [bigint, bigint])[] = [];
    const read: number[] = [];
    const onLost: Range["onLost"] = ({ from, to }) => lost.push([from, to]);
    const range: Range = { kafka, positions, ends: new Map([[`${hot}/0`, 100]]), signal, log: testLog, onLost };
    await readRange(range, (part) => {
      for (const { offset } of readRecords(part)) read.push(Number(offset));
    });
    assert.deepEqual(lost, [[0n, BigInt(cut)]]);
    assert.deepEqual(
      read,
      Array.from({ length: 100 - cut }, (_, i) => cut + i),
    );
  }
});

async function sendRecords(topic: string, partition: number, records: readonly NewRecord[]): Promise<void> {
  await using connections = new Brokers(kafka, testLog);
  await sendBatches(connections, topic, partition, [batchOf(records)]);
}

/** The value of the record at a place, read anew. */
async function valueAt({ topic, partition, offset }: ExamplePlace): Promise<string> {
  const all = await startOf(kafka, topic);
  const positions = all.flatMap((begin) =>
    begin.partition === partition ? [{ ...begin, offset: BigInt(offset) }] : [],
  );
  const signal = AbortSignal.timeout(30_000);
  for await (const part of openSource({ kafka, positions, signal, log: testLog })) {
    for (const { value } of readRecords(part)) return String(value);
  }
  return assert.fail(`nothing at ${topic}/${partition}/${offset}`);
}
