import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SpillwayError } from "../../../src/errors.ts";
import { offsetAfter, type PoisonBatch, readBatches } from "../../../src/record-batch/batch.ts";
import { BatchBuilder, type NewRecord } from "../../../src/record-batch/batch-builder.ts";
import * as layout from "../../../src/record-batch/layout.ts";
import { type KafkaRecord, readRecords } from "../../../src/record-batch/records.ts";
import { batchOf, marker, recrc } from "../../helpers/batches.ts";

const nullableBytes = fc.option(fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)));
export const anyRecord: fc.Arbitrary<NewRecord> = fc.record({
  key: nullableBytes,
  value: nullableBytes,
  timestamp: fc.oneof(fc.integer({ min: -1, max: 2 ** 41 }), fc.constant(1_700_000_000_000)),
  headers: fc.array(
    fc.record({ key: fc.string({ maxLength: 8, unit: "grapheme" }), value: nullableBytes }, { noNullPrototype: true }),
    {
      maxLength: 3,
    },
  ),
});

function fetched(
  batches: Buffer,
  fetchOffset = 0n,
  abortedTransactions: { producerId: bigint; firstOffset: bigint }[] = [],
) {
  return { topic: "t", partition: 3, fetchOffset, batches, abortedTransactions };
}

function offsets(records: Iterable<KafkaRecord>): bigint[] {
  return [...records].map(({ offset }) => offset);
}

const one: NewRecord = { key: Buffer.from("k"), value: Buffer.from("v"), timestamp: 5 };

test("what is built is read back, whatever it is", () => {
  fc.assert(
    fc.property(
      fc.array(anyRecord, { minLength: 1, maxLength: 20, size: "max" }),
      fc.constantFrom(...layout.CODECS),
      (records, codec) => {
        const read = [...readRecords(fetched(batchOf(records, { baseOffset: 100n, codec })))];
        assert.equal(read.length, records.length);
        for (const [i, record] of read.entries()) {
          const wanted = records[i] as NewRecord;
          assert.equal(record.offset, 100n + BigInt(i));
          assert.deepEqual(record.key, wanted.key);
          assert.deepEqual(record.value, wanted.value);
          assert.equal(record.timestamp, BigInt(wanted.timestamp));
          assert.deepEqual(record.headers, wanted.headers);
        }
      },
    ),
  );
});

test("the header says the latest timestamp and how many records there are", () => {
  const batch = batchOf([
    { ...one, timestamp: 50 },
    { ...one, timestamp: 90 },
    { ...one, timestamp: 10 },
  ]);
  assert.equal(batch.readBigInt64BE(layout.BASE_TIMESTAMP), 50n);
  assert.equal(batch.readBigInt64BE(layout.MAX_TIMESTAMP), 90n);
  assert.equal(batch.readInt32BE(layout.RECORD_COUNT), 3);
  assert.equal(batch.readInt32BE(layout.LAST_OFFSET_DELTA), 2);
});

test("records before the fetch offset are left out", () => {
  const batch = batchOf([one, one, one], { baseOffset: 10n });
  assert.deepEqual(offsets(readRecords(fetched(batch, 11n))), [11n, 12n]);
});

test("with log-append time every record has the batch's timestamp", () => {
  const batch = batchOf([one, { ...one, timestamp: 7 }], { logAppendTime: 99n });
  assert.deepEqual(
    [...readRecords(fetched(batch))].map(({ timestamp }) => timestamp),
    [99n, 99n],
  );
});

test("a tail that is cut anywhere is left for the next fetch", () => {
  const whole = batchOf([one], { baseOffset: 1n });
  const cut = batchOf([one, one], { baseOffset: 2n });
  for (let length = 0; length < cut.length; length++) {
    const bytes = Buffer.concat([whole, cut.subarray(0, length)]);
    assert.deepEqual(offsets(readRecords(fetched(bytes))), [1n], `cut at ${length}`);
    assert.equal(offsetAfter(bytes, "t", 3), 2n);
  }
  assert.equal(offsetAfter(cut.subarray(0, 30), "t", 3), undefined);
});

test("a flipped bit is found by the CRC and named by topic, partition and offset", () => {
  const batch = batchOf([one], { baseOffset: 42n });
  for (let at = layout.ATTRIBUTES; at < batch.length; at++) {
    const broken = Buffer.from(batch);
    broken[at] = (broken[at] as number) ^ 0x10;
    assert.throws(
      () => [...readRecords(fetched(broken))],
      (error: unknown) =>
        error instanceof SpillwayError &&
        error.code === "BATCH_CORRUPT" &&
        error.context.topic === "t" &&
        error.context.partition === 3 &&
        error.context.offset !== undefined,
      `byte ${at}`,
    );
  }
});

test("hostile bytes with a right CRC end in an error, never in a crash or a wrong record", () => {
  const batch = batchOf([one, { ...one, headers: [{ key: "h", value: Buffer.from("x") }] }]);
  fc.assert(
    fc.property(
      fc.integer({ min: layout.RECORDS, max: batch.length - 1 }),
      fc.integer({ min: 0, max: 255 }),
      fc.integer({ min: 0, max: 5 }),
      (at, byte, count) => {
        const hostile = Buffer.from(batch);
        hostile[at] = byte;
        hostile.writeInt32BE(count, layout.RECORD_COUNT);
        try {
          for (const { key, value } of readRecords(fetched(recrc(hostile)))) {
            assert.ok((key?.length ?? 0) + (value?.length ?? 0) <= hostile.length);
          }
        } catch (error) {
          assert.ok(error instanceof SpillwayError && error.code === "BATCH_CORRUPT", String(error));
        }
      },
    ),
    { numRuns: 2_000 },
  );
});

test("old magic, impossible lengths, counts and codecs are refused", () => {
  const spoil = (change: (bytes: Buffer) => void) => {
    const bytes = batchOf([one]);
    change(bytes);
    return recrc(bytes);
  };
  const cases = {
    magic: spoil((bytes) => bytes.writeInt8(1, layout.MAGIC)),
    length: spoil((bytes) => bytes.writeInt32BE(10, layout.BATCH_LENGTH)),
    negativeLength: spoil((bytes) => bytes.writeInt32BE(-1, layout.BATCH_LENGTH)),
    count: spoil((bytes) => bytes.writeInt32BE(-5, layout.RECORD_COUNT)),
    tooMany: spoil((bytes) => bytes.writeInt32BE(2_000_000_000, layout.RECORD_COUNT)),
    codec: spoil((bytes) => bytes.writeInt16BE(7, layout.ATTRIBUTES)),
    offsets: spoil((bytes) => bytes.writeInt32BE(-2, layout.LAST_OFFSET_DELTA)),
    gzip: spoil((bytes) => bytes.writeInt16BE(1, layout.ATTRIBUTES)),
  };
  for (const [name, bytes] of Object.entries(cases)) {
    assert.throws(() => [...readRecords(fetched(bytes))], { code: "BATCH_CORRUPT" }, name);
  }
});

test("a batch that compaction has emptied, or thinned out, is gone through", () => {
  const empty = batchOf([one], { baseOffset: 5n });
  empty.writeInt32BE(0, layout.RECORD_COUNT);
  empty.writeInt32BE(9, layout.LAST_OFFSET_DELTA);
  const emptied = empty.subarray(0, layout.RECORDS);
  emptied.writeInt32BE(layout.RECORDS - layout.LENGTH_OVERHEAD, layout.BATCH_LENGTH);
  const bytes = Buffer.concat([recrc(emptied), batchOf([one], { baseOffset: 15n })]);
  assert.deepEqual(offsets(readRecords(fetched(bytes))), [15n]);
  assert.equal(offsetAfter(emptied, "t", 3), 15n);
});

test("aborted transactions are left out, by producer and order of offsets", () => {
  const data = (producerId: bigint, baseOffset: bigint, transactional = true) =>
    batchOf([one], { baseOffset, transactional, stamp: { producerId, epoch: 0, sequence: 0 } });
  const log = Buffer.concat([
    data(1n, 0n), // aborted; began before the fetch offset
    data(2n, 1n), // committed, between
    data(1n, 2n), // aborted
    marker("abort", 1n, 3n),
    data(1n, 4n), // committed: the producer's next transaction
    marker("commit", 1n, 5n),
    marker("commit", 2n, 6n),
    data(2n, 7n), // aborted
    data(3n, 8n, false), // not transactional
    marker("abort", 2n, 9n),
  ]);
  // Unsorted, and with a transaction that begins behind the last batch.
  const aborted = [
    { producerId: 9n, firstOffset: 50n },
    { producerId: 2n, firstOffset: 7n },
    { producerId: 1n, firstOffset: 0n },
  ];
  assert.deepEqual(offsets(readRecords(fetched(log, 0n, aborted))), [1n, 4n, 8n]);
  assert.deepEqual(offsets(readRecords(fetched(log.subarray(data(1n, 0n).length), 1n, aborted))), [1n, 4n, 8n]);
  assert.deepEqual(offsets(readRecords(fetched(log))), [0n, 1n, 2n, 4n, 7n, 8n]);
});

test("a data record whose key looks like an abort marker's is data", () => {
  const stamp = { producerId: 1n, epoch: 0, sequence: 0 };
  const decoy = batchOf([{ key: Buffer.alloc(4), value: null, timestamp: 0 }], {
    baseOffset: 0n,
    transactional: true,
    stamp,
  });
  const next = batchOf([one], { baseOffset: 1n, transactional: true, stamp });
  const log = Buffer.concat([decoy, next, marker("abort", 1n, 2n)]);
  assert.deepEqual(offsets(readRecords(fetched(log, 0n, [{ producerId: 1n, firstOffset: 0n }]))), []);
});

test("a compressed batch can't grow beyond its bound", () => {
  for (const codec of layout.CODECS.filter((codec) => codec !== "none")) {
    const bomb = batchOf([{ ...one, value: Buffer.alloc(65 * 1024 * 1024) }], { codec });
    assert.ok(bomb.length < 5 * 1024 * 1024);
    assert.throws(() => [...readBatches(fetched(bomb))], { code: "BATCH_CORRUPT" }, codec);
  }
});

test("timestamps too far apart for one batch are told to the caller", () => {
  const builder = new BatchBuilder();
  assert.equal(builder.append({ ...one, timestamp: -Number.MAX_SAFE_INTEGER }), true);
  assert.equal(builder.append({ ...one, timestamp: Number.MAX_SAFE_INTEGER }), false);
  assert.equal(builder.count, 1);
});

test("told to go on, reading goes on behind a batch that can't be read, and says from where on it couldn't", () => {
  const first = batchOf([one, one], { baseOffset: 0n });
  const flipped = batchOf([one, one], { baseOffset: 2n });
  flipped[flipped.length - 1] = 0xff;
  const spoiled = batchOf([one, one, one], { baseOffset: 4n });
  spoiled[spoiled.length - 3] = 0x7f; // the last record's value claims to be longer than it is
  const last = batchOf([one], { baseOffset: 7n });
  const poisons: PoisonBatch[] = [];
  const bytes = Buffer.concat([first, flipped, recrc(spoiled), last]);
  assert.deepEqual(offsets(readRecords(fetched(bytes), (poison) => poisons.push(poison))), [0n, 1n, 4n, 5n, 7n]);
  assert.deepEqual(
    poisons.map(({ baseOffset, lastOffset, unreadFrom }) => [baseOffset, lastOffset, unreadFrom]),
    [
      [2n, 3n, 2n],
      [4n, 6n, 6n],
    ],
  );
  assert.ok(poisons[0]?.bytes.equals(flipped));
});

test("an unreadable marker ends reading whatever was told: what follows it could be aborted or not", () => {
  const broken = marker("abort", 1n, 0n);
  broken[broken.length - 1] = 0xff;
  assert.throws(() => [...readRecords(fetched(broken), () => {})], { code: "BATCH_CORRUPT" });
});
