import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { FetchedPartition } from "../../../src/kafka/source.ts";
import type { NewRecord } from "../../../src/record-batch/batch-builder.ts";
import { partitionForKey } from "../../../src/record-batch/murmur2.ts";
import { ORIGIN_HEADER, packOrigin } from "../../../src/record-batch/origin.ts";
import { RecordCursor } from "../../../src/record-batch/record-cursor.ts";
import { KeyOrder } from "../../../src/verify/key-order.ts";
import { Lineages } from "../../../src/verify/lineage.ts";
import { Findings, newGapCounts } from "../../../src/verify/report.ts";
import { newSourcePartition, SourceLedger, type SourcePartition } from "../../../src/verify/source-ledger.ts";
import { TargetLedger } from "../../../src/verify/target-ledger.ts";
import { newTargetPartition, targetRecords } from "../../../src/verify/target-records.ts";
import { batchOf, marker } from "../../helpers/batches.ts";

const SOURCE = { topic: "hot", topicId: "AAAAAAAAAAAAAAAAAAAAAQ" };
const TARGET = { topic: "wide", topicId: "AAAAAAAAAAAAAAAAAAAAAg" };
const PARTITIONS = 3;

function part(place: { topic: string; topicId: string }, partition: number, batches: Buffer): FetchedPartition {
  const known = { fetchOffset: 0n, nextOffset: 0n, highWatermark: 0n, abortedTransactions: [] };
  return { ...place, partition, batches, ...known };
}

function keyOf(n: number): Buffer {
  return Buffer.from(`key-${n % 5}`);
}

function placeOf(n: number): number {
  return partitionForKey(keyOf(n), 0, keyOf(n).length, PARTITIONS);
}

/** A source partition of `count` keyed records. */
function sourceOf(count: number): { lineages: Lineages; source: SourcePartition } {
  const lineages = new Lineages();
  const source = newSourcePartition({ ...SOURCE, partition: 0, offset: 0n }, lineages, false);
  const records = Array.from({ length: count }, (_, n) => ({ key: keyOf(n), value: null, timestamp: n }));
  new SourceLedger(lineages).take(source, part(SOURCE, 0, batchOf(records)), count, "expected");
  if (source.own.own !== undefined) source.own.own.end = count;
  return { lineages, source };
}

interface Written {
  readonly from: number;
  readonly partition: number;
}

function recordsOf(written: readonly Written[], partition: number): NewRecord[] {
  return written
    .filter((one) => one.partition === partition)
    .map(({ from }) => {
      const value = packOrigin({ topicId: SOURCE.topicId, partition: 0, offset: BigInt(from) });
      return { key: keyOf(from), value: null, timestamp: from, headers: [{ key: ORIGIN_HEADER, value }] };
    });
}

function judge(lineages: Lineages, written: readonly Written[]): { findings: Findings; ledger: TargetLedger } {
  const findings = new Findings();
  const onUnmarked = () => assert.fail("all records have an origin");
  const ledger = new TargetLedger({
    lineages,
    findings,
    sourcesLostRecords: false,
    onUnmarked,
  });
  const order = new KeyOrder(lineages);
  let disordered = 0;
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const records = recordsOf(written, partition);
    if (records.length === 0) continue;
    const target = newTargetPartition({ ...TARGET, partition, offset: 0n }, PARTITIONS);
    const fetched = part(TARGET, partition, batchOf(records));
    ledger.take(target, fetched, records.length);
    for (const record of targetRecords(target, fetched, records.length, new RecordCursor())) {
      if (!order.isInOrder(record)) disordered++;
    }
  }
  // Where nothing overtakes anything the keys need not be looked at.
  if (ledger.overtaken === 0) assert.equal(disordered, 0);
  findings.counts.outOfOrder += disordered;
  return { findings, ledger };
}

/** The definitions of `TargetLedger`, with a memory of everything. */
function modelOf(count: number, written: readonly Written[]) {
  const known = written.filter(({ from }) => from < count);
  const times = Map.groupBy(known, ({ from }) => from);
  let outOfOrder = 0;
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const here = known.filter((one) => one.partition === partition && placeOf(one.from) === partition);
    const firsts = here.filter(({ from }, i) => here.findIndex((other) => other.from === from) === i);
    const isOvertaken = ({ from }: Written, i: number) =>
      firsts.slice(0, i).some((before) => before.from > from && keyOf(before.from).equals(keyOf(from)));
    outOfOrder += firsts.filter(isOvertaken).length;
  }
  return {
    missing: count - times.size,
    duplicated: known.length - times.size,
    outOfOrder,
    wrongPartition: written.filter(({ from, partition }) => placeOf(from) !== partition).length,
    foreign: written.length - known.length,
  };
}

const anyWritten = fc.array(
  fc
    .record({ from: fc.integer({ min: 0, max: 13 }), right: fc.integer({ min: 0, max: 3 }) })
    .map(({ from, right }): Written => ({ from, partition: (placeOf(from) + (right === 0 ? 1 : 0)) % PARTITIONS })),
  { maxLength: 30, size: "max" },
);

test("every target is judged as somebody would who remembers everything", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 12 }), anyWritten, (count, written) => {
      const { lineages, source } = sourceOf(count);
      const { findings } = judge(lineages, written);
      const { placed, misplaced } = source.own;
      for (const { more } of source.own.expected.moreOftenThan(placed, misplaced)) findings.counts.missing += more;
      assert.deepEqual(findings.counts, modelOf(count, written));
    }),
    { numRuns: 500 },
  );
});

test("a target as a relay leaves it that began anew several times is in order", () => {
  const anyRestarts = fc.array(
    fc.record({ to: fc.integer({ min: 0, max: 12 }), back: fc.integer({ min: 0, max: 6 }) }),
  );
  fc.assert(
    fc.property(anyRestarts, (restarts) => {
      const { lineages } = sourceOf(12);
      const written: Written[] = [];
      let at = 0;
      for (const { to, back } of [...restarts, { to: 12, back: 0 }]) {
        for (; at < to; at++) written.push({ from: at, partition: placeOf(at) });
        at = Math.max(0, at - back);
      }
      for (; at < 12; at++) written.push({ from: at, partition: placeOf(at) });
      const { findings, ledger } = judge(lineages, written);
      assert.equal(ledger.overtaken, 0); // so the target isn't read again for it
      const distinct = new Set(written.map(({ from }) => from)).size;
      const nothing = { missing: 0, outOfOrder: 0, wrongPartition: 0, foreign: 0 };
      assert.deepEqual(findings.counts, { ...nothing, duplicated: written.length - distinct });
    }),
  );
});

test("every offset that holds no record has its reason", () => {
  const producer = { producerId: 7n, epoch: 0, sequence: 0 };
  const some = (count: number): NewRecord[] =>
    Array.from({ length: count }, () => ({ key: null, value: Buffer.from("v"), timestamp: 1 }));
  const batches = Buffer.concat([
    batchOf(some(3), { baseOffset: 10n }), // 10–12, from 11 on
    batchOf(some(4), { baseOffset: 13n, stamp: producer, transactional: true }), // aborted: 13–16
    marker("abort", 7n, 17n),
    batchOf(some(2), { baseOffset: 20n }), // behind a hole of 18 and 19
    batchOf(some(9), { baseOffset: 22n }), // 22–30, up to the end
  ]);
  for (const compacted of [true, false]) {
    const lineages = new Lineages();
    const source = newSourcePartition({ ...SOURCE, partition: 0, offset: 11n }, lineages, compacted);
    const aborted = [{ producerId: 7n, firstOffset: 13n }];
    const fetched = { ...part(SOURCE, 0, batches), fetchOffset: 11n, abortedTransactions: aborted };
    const ledger = new SourceLedger(lineages);
    ledger.take(source, fetched, 25, "expected");
    assert.equal(source.next, 25);
    source.lost.push({ from: 26, to: 28 });
    ledger.close(source, 30);
    const holes = compacted ? { compaction: 2 + 3 } : { unexplained: 2 + 3 };
    assert.deepEqual(source.gaps, { ...newGapCounts(), retention: 11 + 2, markers: 1, aborted: 4, ...holes });
    assert.equal(source.records, 2 + 2 + 3);
    // Nothing may come from where an aborted record or a marker lies, or from where nothing has been written.
    const written = [12, 13, 17, 20, 500].map((from) => ({ from, partition: placeOf(from) }));
    if (source.own.own !== undefined) source.own.own.end = 30;
    const { findings, ledger: judged } = judge(lineages, [...written, { from: 3, partition: placeOf(3) }]);
    assert.equal(findings.counts.foreign, 3);
    assert.equal(judged.outlived, 1);
  }
});

test("what a rule drops is not missing, leaves no gap, and is foreign where it is all the same", () => {
  const lineages = new Lineages();
  const source = newSourcePartition({ ...SOURCE, partition: 0, offset: 0n }, lineages, false);
  const records = Array.from({ length: 10 }, (_, n) => ({ key: keyOf(n), value: null, timestamp: n }));
  const ledger = new SourceLedger(lineages, ({ bytes, keyStart, keyEnd }) => {
    return bytes.toString("latin1", keyStart, keyEnd) === "key-1";
  });
  ledger.take(source, part(SOURCE, 0, batchOf(records)), 10, "expected");
  if (source.own.own !== undefined) source.own.own.end = 10;
  assert.deepEqual([source.records, source.dropped, source.gaps], [10, 2, newGapCounts()]);
  const written = records.keys().map((from) => ({ from, partition: placeOf(from) }));
  const { findings } = judge(
    lineages,
    [...written].filter(({ from }) => from !== 6),
  );
  assert.equal(findings.counts.foreign, 1);
  assert.deepEqual([...source.own.expected.moreOftenThan(source.own.placed, source.own.misplaced)], []);
});

test("of more keys than can be remembered the order is not judged, and that is said", () => {
  const { lineages } = sourceOf(12);
  const written = Array.from({ length: 12 }, (_, n) => ({ from: n, partition: placeOf(n) }));
  judge(lineages, written);
  const order = new KeyOrder(lineages, 2);
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const records = recordsOf(written, partition);
    if (records.length === 0) continue;
    const target = newTargetPartition({ ...TARGET, partition, offset: 0n }, PARTITIONS);
    const fetched = part(TARGET, partition, batchOf(records));
    for (const record of targetRecords(target, fetched, records.length, new RecordCursor())) {
      assert.ok(order.isInOrder(record));
    }
  }
  const remembered = new Set([...written].toSorted((a, b) => a.partition - b.partition).map(({ from }) => from % 5));
  const judged = [...remembered].slice(0, 2);
  assert.equal(order.unchecked, written.filter(({ from }) => !judged.includes(from % 5)).length);
});
