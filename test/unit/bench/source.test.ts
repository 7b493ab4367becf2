import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { addBatches } from "../../../bench/count-records.ts";
import { makeBatches } from "../../../bench/preload.ts";
import { BENCH_CODECS } from "../../../bench/result.ts";
import { jsonOf, KEY_BYTES, keyOf, VALUE_BYTES } from "../../../bench/values.ts";
import { stampBatch } from "../../../src/record-batch/batch-builder.ts";
import { CONTROL_BIT } from "../../../src/record-batch/layout.ts";
import { partitionForKey } from "../../../src/record-batch/murmur2.ts";
import { readRecords } from "../../../src/record-batch/records.ts";

test("every value is JSON of the same length, and every key of its own", () => {
  fc.assert(
    fc.property(fc.nat(50_000_000), (index) => {
      assert.equal(jsonOf(index).length, VALUE_BYTES);
      assert.equal(typeof JSON.parse(jsonOf(index).toString()).id, "string");
      assert.equal(keyOf(index).length, KEY_BYTES);
    }),
  );
});

for (const codec of BENCH_CODECS) {
  test(`the source's batches (${codec}) are full, not overfull, and in the partition of their keys`, () => {
    const batchBytes = 16_384;
    const { batches, records } = makeBatches({ partitions: 3, codec, batchBytes });
    let read = 0;
    for (const [number, { partition, sealed }] of batches.entries()) {
      // The first one of a kind is made without knowing how well it will compress.
      if (number > 0) {
        assert.ok(sealed.bytes.length > batchBytes * 0.9 && sealed.bytes.length < batchBytes * 1.1);
      }
      if (number % 50 !== 0) continue;
      stampBatch(sealed, { producerId: 1n, epoch: 0, sequence: 0 });
      const place = { topic: "t", partition, fetchOffset: 0n, abortedTransactions: [] };
      for (const { key } of readRecords({ ...place, batches: sealed.bytes })) {
        assert.ok(key !== null && partitionForKey(key, 0, key.length, 3) === partition);
        read++;
      }
    }
    assert.ok(read > 0 && records > read);
  });
}

test("records are counted by batch headers: in the range, without markers, without a cut tail", () => {
  const { batches } = makeBatches({ partitions: 1, codec: "lz4", batchBytes: 16_384 });
  const some = batches.slice(0, 6).map(({ sealed }) => sealed);
  let offset = 0n;
  for (const { bytes, recordCount } of some) {
    bytes.writeBigInt64BE(offset, 0);
    offset += BigInt(recordCount) + 1n; // as if a marker lay between them
  }
  const marker = some[3];
  assert.ok(marker !== undefined);
  marker.bytes.writeInt16BE(marker.bytes.readInt16BE(21) | CONTROL_BIT, 21);
  const log = Buffer.concat(some.map(({ bytes }) => bytes)).subarray(0, -1);
  const total = { records: 0, batches: 0, bytes: 0 };
  addBatches(total, log, BigInt(some[0]?.recordCount ?? 0) + 1n, offset);
  const wanted = [some[1], some[2], some[4]];
  assert.deepEqual(total, {
    records: wanted.reduce((sum, batch) => sum + (batch?.recordCount ?? 0), 0),
    batches: 3,
    bytes: wanted.reduce((sum, batch) => sum + (batch?.bytes.length ?? 0), 0),
  });
});
