import assert from "node:assert/strict";
import { test } from "node:test";
import { offsetAfter } from "../../../src/record-batch/batch.ts";
import { BatchBuilder, type NewRecord, stampBatch } from "../../../src/record-batch/batch-builder.ts";
import { compress } from "../../../src/record-batch/compression.ts";
import * as layout from "../../../src/record-batch/layout.ts";
import { readRecords } from "../../../src/record-batch/records.ts";
import { type OutputBatch, Transcoder, type TranscoderInput } from "../../../src/relay/transcoder.ts";
import { runBombs, runCases } from "../../fuzz/run.ts";
import { batchOf, NO_PRODUCER, recrc } from "../../helpers/batches.ts";
import { seeds } from "../../helpers/seeds.ts";

/** A slice of `node test/fuzz/record-batch.ts`, which runs a million cases. */
const CASES = 2_000;

for (const seed of seeds(1)) {
  test(`hostile batches end in BATCH_CORRUPT, and soon (seed ${seed})`, async (t) => {
    const { refused, records } = await runCases({ seed, from: 0, cases: CASES });
    t.diagnostic(`${refused} of ${CASES} refused, ${records} records read; SPILLWAY_SEED=${seed}`);
    // Inputs that are all refused at their first byte, or never, would test nothing.
    assert.ok(refused > CASES / 4 && refused < CASES);
    assert.ok(records > CASES / 4);
  });
}

test("bombs take no more time than they may, and are read or refused", async () => {
  await runBombs(256 * 1024);
});

// What the million cases have found, each by itself.

const one: NewRecord = { key: Buffer.from("k"), value: Buffer.from("v"), timestamp: 5 };

function fetched(batches: Buffer) {
  return { topic: "t", partition: 3, fetchOffset: 0n, batches, abortedTransactions: [] };
}

test("a record whose offset lies behind its batch, or not behind the record before, is refused", () => {
  const outside = batchOf([one, one, one]);
  outside.writeInt32BE(1, layout.LAST_OFFSET_DELTA);
  assert.throws(() => [...readRecords(fetched(recrc(outside)))], { code: "BATCH_CORRUPT" });

  const recordBytes = batchOf([one]).length - layout.RECORDS;
  const twice = batchOf([one, one]);
  twice.copy(twice, layout.RECORDS + recordBytes, layout.RECORDS, layout.RECORDS + recordBytes);
  assert.throws(() => [...readRecords(fetched(recrc(twice)))], { code: "BATCH_CORRUPT" });
});

test("a batch that doesn't lie behind the one before is refused by all who read headers", () => {
  const back = Buffer.concat([batchOf([one, one], { baseOffset: 7n }), batchOf([one], { baseOffset: 8n })]);
  const place = /no range at or behind 9 \(topic t, partition 3, offset 8\)/;
  assert.throws(() => [...readRecords(fetched(back))], place);
  assert.throws(() => offsetAfter(back, "t", 3), place);
});

test("a record with millions of headers is refused before any of them is made", () => {
  const headers = (count: number) => batchOf([{ ...one, headers: Array(count).fill({ key: "", value: null }) }]);
  assert.equal([...readRecords(fetched(headers(4_096)))][0]?.headers.length, 4_096);
  assert.throws(() => [...readRecords(fetched(headers(4_097)))], { code: "BATCH_CORRUPT" });
});

test("a record with as many headers as there may be is read again after a relay has added its origin", () => {
  const input = batchOf([{ ...one, headers: Array(4_096).fill({ key: "", value: null }) }]);
  const transcoder = new Transcoder({ target: "wide", partitions: 1, batchBytes: 1, codec: "none", provenance: true });
  const outputs: Buffer[] = [];
  const take = ({ batch }: OutputBatch<TranscoderInput>) => {
    stampBatch(batch, NO_PRODUCER);
    outputs.push(batch.bytes);
  };
  transcoder.add({ ...fetched(input), topicId: "zHaV0daIQvO8jLlQ5f0x4A" }, { outputs: 0 }, take);
  assert.equal([...readRecords(fetched(Buffer.concat(outputs)))][0]?.headers.length, 4_097);
});

test("a batch of zstd frames without end, and without content, is refused", () => {
  const frame = compress("zstd", Buffer.alloc(0));
  const builder = new BatchBuilder();
  builder.append(one);
  const header = builder.seal("zstd")?.bytes.subarray(0, layout.RECORDS) ?? Buffer.alloc(0);
  const batch = Buffer.concat([header, ...Array<Buffer>(1_001).fill(frame)]);
  batch.writeInt32BE(batch.length - layout.LENGTH_OVERHEAD, layout.BATCH_LENGTH);
  assert.throws(() => [...readRecords(fetched(recrc(batch)))], /more than 1000 zstd frames/);
});
