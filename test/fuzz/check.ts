import assert from "node:assert/strict";
import { SpillwayError } from "../../src/errors.ts";
import { offsetAfter, type PoisonBatch, type RecordBatch, readBatches } from "../../src/record-batch/batch.ts";
import { stampBatch } from "../../src/record-batch/batch-builder.ts";
import { MAX_DECOMPRESSED_BYTES } from "../../src/record-batch/compression.ts";
import { CODECS } from "../../src/record-batch/layout.ts";
import { RecordCursor } from "../../src/record-batch/record-cursor.ts";
import { advance, readRecords } from "../../src/record-batch/records.ts";
import { type OutputBatch, Transcoder, type TranscoderInput } from "../../src/relay/transcoder.ts";
import { NO_PRODUCER } from "../helpers/batches.ts";
import type { HostileInput } from "./input.ts";
import { below, chance, type Random } from "./random.ts";
import { RecordSum } from "./record-sum.ts";
import { readByReference } from "./reference.ts";

/** What one input came to. */
export interface Outcome {
  /** Undefined if all of it could be read. */
  readonly error: SpillwayError | undefined;
  readonly poisoned: number;
  readonly records: number;
  readonly decompressedBytes: number;
  readonly transcodedBytes: number;
}

/** More than this is too slow for the reference reader. */
const REFERENCE_MOST_BYTES = 100_000;
/** An origin header, its count, and what else a record can take more in another batch. */
const MOST_BYTES_MORE_PER_RECORD = 80;
const MOST_BYTES_MORE_PER_BATCH = 200;

/**
 * Reads an input in all the ways there are, and checks that they agree: that each ends in the same records and, where
 * it ends early, in the same BATCH_CORRUPT with topic, partition and offset; that no record lies outside of its batch;
 * that what comes out is bounded; that a plain reader of the format accepts and refuses the same.
 *
 * @throws whatever is wrong
 */
export function checkInput(input: HostileInput, random: Random): Outcome {
  const goOn = chance(random, 0.3);
  const walked = walk(input, goOn);
  if (!goOn) checkByReference(input, walked);
  checkNextOffset(input, walked);
  // Twice the same way would tell nothing: one of them reads objects, the other transcodes.
  checkRecords(input, walked, goOn);
  const transcodedBytes = checkTranscoder(input, walked, goOn, random);
  const { error, poisons, sum, decompressedBytes } = walked;
  return { error, poisoned: poisons.length, records: sum.records, decompressedBytes, transcodedBytes };
}

interface Walked {
  readonly error: SpillwayError | undefined;
  readonly poisons: readonly PoisonBatch[];
  readonly sum: RecordSum;
  readonly lastOffset: bigint;
  readonly decompressedBytes: number;
}

function walk(input: HostileInput, goOn: boolean): Walked {
  const poisons: PoisonBatch[] = [];
  const sum = new RecordSum();
  const cursor = new RecordCursor();
  let lastOffset = -1n;
  let decompressedBytes = 0;
  const error = corruptionOf(input, () => {
    for (const batch of readBatches(input, (poison) => take(poison, poisons, goOn))) {
      assert.ok(batch.lastOffset >= input.fetchOffset && batch.lastOffset <= BigInt(Number.MAX_SAFE_INTEGER));
      checkBytes(input, batch);
      decompressedBytes += batch.records.length;
      cursor.open(batch);
      let end = 0;
      while (advance(cursor, batch, (poison) => take(poison, poisons, goOn))) {
        checkBounds(cursor, end);
        end = cursor.recordEnd;
        const offset = batch.baseOffset + BigInt(cursor.offsetDelta);
        if (offset <= lastOffset || offset > batch.lastOffset) assert.fail(`offset ${offset} behind ${lastOffset}`);
        lastOffset = offset;
        if (offset >= input.fetchOffset) sum.addFromCursor(cursor, batch);
      }
    }
  });
  for (const { error, baseOffset, lastOffset, unreadFrom } of poisons) {
    checkCorruption(input, error);
    assert.ok(
      unreadFrom >= baseOffset && unreadFrom <= lastOffset + 1n,
      `${unreadFrom} of ${baseOffset}-${lastOffset}`,
    );
  }
  return { error, poisons, sum, lastOffset, decompressedBytes };
}

function take(poison: PoisonBatch, poisons: PoisonBatch[], goOn: boolean): void {
  if (!goOn) throw poison.error;
  poisons.push(poison);
}

/** The records lie in the batch itself or, decompressed, in a buffer that is bounded. */
function checkBytes({ batches }: HostileInput, { codec, bytes, records }: RecordBatch): void {
  assert.ok(bytes.buffer === batches.buffer && bytes.byteOffset >= batches.byteOffset);
  assert.ok(bytes.byteOffset + bytes.length <= batches.byteOffset + batches.length);
  if (codec === "none") {
    assert.ok(records.buffer === bytes.buffer && records.byteOffset >= bytes.byteOffset);
    assert.ok(records.byteOffset + records.length <= bytes.byteOffset + bytes.length);
  } else {
    assert.ok(records.length <= MAX_DECOMPRESSED_BYTES);
  }
}

/** The parts of a record follow each other within the record, and it follows the one before. */
function checkBounds(cursor: RecordCursor, start: number): void {
  const { keyField, keyStart, keyEnd, valueStart, valueEnd, headerCountField, headersStart, recordEnd } = cursor;
  const key = keyStart < 0 ? keyEnd === -1 : keyStart > keyField && keyEnd >= keyStart;
  const value = valueStart < 0 ? valueEnd === -1 : valueStart > keyEnd && valueEnd >= valueStart;
  const inOrder = start < keyField && keyEnd < headerCountField && valueEnd <= headerCountField;
  const within = headerCountField < headersStart && headersStart <= recordEnd && recordEnd <= cursor.bytes.length;
  const origin = cursor.originAt < 0 || (cursor.originAt > headersStart && cursor.originAt + 28 <= recordEnd);
  if (!(key && value && inOrder && within && origin)) assert.fail(`a record's parts lie wrong, from ${start} on`);
}

function checkByReference(input: HostileInput, { error, sum, decompressedBytes }: Walked): void {
  if (input.abortedTransactions.length > 0 || decompressedBytes > REFERENCE_MOST_BYTES) return;
  const { records, refused } = readByReference(input);
  assert.equal(error === undefined, refused === undefined, `${error?.message} | the reference: ${refused}`);
  const found = new RecordSum();
  for (const { key, value, timestamp, headers } of records) found.add(key, value, timestamp, headers.length);
  sum.assertSameContent(found);
}

function checkNextOffset(input: HostileInput, { error, lastOffset }: Walked): void {
  let next: bigint | undefined;
  const nextError = corruptionOf(input, () => {
    next = offsetAfter(input.batches, input.topic, input.partition);
  });
  // It reads headers only, so it may see what is wrong behind a batch that can't be read, and not that batch itself.
  if (nextError !== undefined) assert.ok(error !== undefined);
  else assert.ok((next ?? 0n) > lastOffset, `going on at ${next}, behind ${lastOffset}`);
}

function checkRecords(input: HostileInput, walked: Walked, goOn: boolean): void {
  const poisons: PoisonBatch[] = [];
  const sum = new RecordSum();
  const error = corruptionOf(input, () => {
    for (const record of readRecords(input, (poison) => take(poison, poisons, goOn))) sum.addRecord(record);
  });
  assert.equal(error?.message, walked.error?.message);
  assert.equal(poisons.length, walked.poisons.length);
  sum.assertSame(walked.sum);
}

function checkTranscoder(input: HostileInput, walked: Walked, goOn: boolean, random: Random): number {
  const provenance = chance(random, 0.5);
  const transcoder = new Transcoder<TranscoderInput>({
    target: "wide",
    partitions: 1 + below(random, 12),
    batchBytes: 200 + below(random, 4_000),
    codec: chance(random, 0.2) ? (CODECS[below(random, CODECS.length)] ?? "none") : "none",
    provenance,
  });
  const sum = new RecordSum();
  const poisons: PoisonBatch[] = [];
  let batches = 0;
  let bytes = 0;
  const read = ({ partition, batch }: OutputBatch<TranscoderInput>) => {
    stampBatch(batch, NO_PRODUCER);
    batches++;
    bytes += batch.bytes.length;
    const before = sum.records;
    const output = { topic: "out", partition, fetchOffset: 0n, batches: batch.bytes, abortedTransactions: [] };
    for (const record of readRecords(output)) sum.addTranscoded(record, provenance);
    assert.equal(sum.records - before, batch.recordCount);
  };
  const error = corruptionOf(input, () => {
    const added = transcoder.add(input, { outputs: 0 }, read, (poison) => take(poison, poisons, goOn));
    transcoder.drain(read);
    assert.equal(added, sum.records);
  });
  transcoder.drain(read);
  assert.equal(error?.message, walked.error?.message);
  assert.equal(poisons.length, walked.poisons.length);
  sum.assertSame(walked.sum, provenance);
  const most =
    walked.decompressedBytes + sum.records * MOST_BYTES_MORE_PER_RECORD + batches * MOST_BYTES_MORE_PER_BATCH;
  assert.ok(bytes <= most, `${bytes} bytes out of ${walked.decompressedBytes}`);
  return bytes;
}

/** The error that reading ends in, undefined for none. @throws if it is another than hostile input may end in */
function corruptionOf(input: HostileInput, read: () => void): SpillwayError | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    checkCorruption(input, error);
    return error;
  }
}

function checkCorruption({ topic, partition }: HostileInput, error: unknown): asserts error is SpillwayError {
  if (!(error instanceof SpillwayError) || error.code !== "BATCH_CORRUPT") throw error;
  assert.equal(error.context.topic, topic);
  assert.equal(error.context.partition, partition);
  assert.equal(typeof error.context.offset, "bigint");
}
