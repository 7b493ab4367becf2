import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type RecordBatch, readBatches } from "../../../src/record-batch/batch.ts";
import type { NewRecord } from "../../../src/record-batch/batch-builder.ts";
import { partitionForKey } from "../../../src/record-batch/murmur2.ts";
import { ORIGIN_HEADER, packOrigin } from "../../../src/record-batch/origin.ts";
import { RecordCursor } from "../../../src/record-batch/record-cursor.ts";
import { Buckets, ContentDigest, ContentHasher } from "../../../src/verify/content.ts";
import { ContentMatch } from "../../../src/verify/content-match.ts";
import { groupsOf } from "../../../src/verify/content-pass.ts";
import { Findings } from "../../../src/verify/report.ts";
import { batchOf } from "../../helpers/batches.ts";

const bytes = fc.option(fc.uint8Array({ maxLength: 12 }).map((array) => Buffer.from(array)));
const anyRecord: fc.Arbitrary<NewRecord> = fc.record({
  key: bytes,
  value: bytes,
  timestamp: fc.integer({ min: 0, max: 3 }),
  headers: fc.array(fc.record({ key: fc.constantFrom("a", "b", ORIGIN_HEADER), value: bytes }), { maxLength: 2 }),
});

function hashed<T>(records: readonly NewRecord[], take: (content: Buffer, cursor: RecordCursor) => T): T[] {
  const [batch] = readBatches({
    topic: "t",
    partition: 0,
    fetchOffset: 0n,
    batches: batchOf(records),
    abortedTransactions: [],
  });
  const [cursor, hasher, taken] = [new RecordCursor(), new ContentHasher(), [] as T[]];
  cursor.open(batch as RecordBatch);
  while (cursor.next()) taken.push(take(hasher.hash(cursor, batch as RecordBatch), cursor));
  return taken;
}

test("an origin changes no hash, wherever it stands among the headers; anything else does", () => {
  fc.assert(
    fc.property(anyRecord, anyRecord, fc.nat(2), (record, other, at) => {
      const origin = packOrigin({ topicId: "AAAAAAAAAAAAAAAAAAAAAQ", partition: 1, offset: 2n });
      const headers = (record.headers ?? []).toSpliced(at, 0, { key: ORIGIN_HEADER, value: origin });
      const [plain, marked, different] = hashed([record, { ...record, headers }, other], (content) => content);
      assert.deepEqual(marked, plain);
      const isSame = JSON.stringify(record) === JSON.stringify(other);
      assert.equal(plain?.equals(different ?? Buffer.alloc(0)), isSame);
    }),
  );
});

test("keys of one bucket share their partition in every topic", () => {
  const counts = [3, 24, 10];
  const buckets = new Buckets(counts);
  const places = new Map<number, string>();
  const records = Array.from({ length: 30_000 }, (_, i) => ({ key: Buffer.from(`k${i}`), value: null, timestamp: 1 }));
  hashed(records, (content, cursor) => {
    const bucket = buckets.of(cursor, content);
    const place = counts.map((count) => partitionForKey(cursor.bytes, cursor.keyStart, cursor.keyEnd, count)).join();
    assert.equal(places.get(bucket) ?? place, place);
    places.set(bucket, place);
  });
  assert.ok(places.size < records.length, "no bucket has two keys");
});

test("digests tell what another order of a key's records is, and don't mind that of others", () => {
  const buckets = new Buckets([1]);
  const digestOf = (records: readonly NewRecord[]) => {
    const digest = new ContentDigest(buckets);
    hashed(records, (content, cursor) => digest.add(buckets.of(cursor, content), content));
    return digest;
  };
  const record = (key: string | null, n: number) => ({
    key: key === null ? null : Buffer.from(key),
    value: null,
    timestamp: n,
  });
  const records = [record("a", 1), record("b", 2), record("a", 3), record(null, 4), record(null, 5)];
  const ordered = digestOf(records);
  const other = (...order: number[]) => digestOf(order.map((i) => records[i] as NewRecord));
  assert.deepEqual(ordered.differing(other(1, 0, 4, 3, 2)), []);
  assert.equal(ordered.differing(other(2, 1, 0, 3, 4)).length, 1);
  assert.equal(ordered.differing(other(0, 1, 2, 3)).length, 1);
  assert.equal(ordered.differing(other(0, 1, 1, 2, 3, 3, 4)).length, 2);
});

test("contents are matched as multisets, and what lies behind the verified end is not missed", () => {
  const content = (n: number) => Buffer.alloc(32, n);
  const anyContents = fc.array(fc.nat(5), { maxLength: 20, size: "max" });
  fc.assert(
    fc.property(anyContents, anyContents, anyContents, (expected, later, written) => {
      const findings = new Findings();
      const match = new ContentMatch(findings);
      const place = (offset: number) => ({ topic: "t", partition: 0, offset });
      for (const [i, n] of [...expected, ...later].entries()) {
        match.addSource(place(i), content(n), i < expected.length);
      }
      for (const [i, n] of written.entries()) match.takeTarget(place(i), content(n), undefined);
      match.finish();
      const times = (of: readonly number[], n: number) => of.filter((one) => one === n).length;
      const wanted = { missing: 0, duplicated: 0, outOfOrder: 0, wrongPartition: 0, foreign: 0 };
      for (let n = 0; n <= 5; n++) {
        const [must, may, is] = [times(expected, n), times(later, n), times(written, n)];
        wanted.missing += Math.max(0, must - is);
        if (must + may === 0) wanted.foreign += is;
        else wanted.duplicated += Math.max(0, is - must - may);
      }
      assert.deepEqual(findings.counts, wanted);
    }),
  );
});

test("what differs is looked into in groups that fit, each bucket once", () => {
  const anyCounts = fc.array(fc.nat(9), { minLength: 1, maxLength: 30, size: "max" });
  fc.assert(
    fc.property(anyCounts, fc.integer({ min: 1, max: 20 }), (counts, atOnce) => {
      const records = [Uint32Array.from(counts), Uint32Array.from(counts, (count) => count >>> 1)];
      const differing = counts.flatMap((count, bucket) => (count % 3 === 0 ? [] : [bucket]));
      const groups = groupsOf(differing, records, atOnce);
      assert.deepEqual(
        groups.flatMap((group) => [...group]),
        differing,
      );
      for (const group of groups) {
        const size = [...group].reduce((sum, bucket) => sum + (counts[bucket] ?? 0) + ((counts[bucket] ?? 0) >>> 1), 0);
        assert.ok(size <= atOnce || group.size === 1);
      }
    }),
  );
});
