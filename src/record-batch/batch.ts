import { crc32c } from "@node-rs/crc32";
import { messageOf, SpillwayError } from "../errors.ts";
import { AbortedFilter, type AbortedTransaction } from "./aborted.ts";
import { codecOf, decompress } from "./compression.ts";
import * as layout from "./layout.ts";
import { RecordCursor } from "./record-cursor.ts";

/** One record batch as it lies in a fetch response, its CRC checked. Its records are read by a `RecordCursor`. */
export interface RecordBatch {
  readonly topic: string;
  readonly partition: number;
  readonly baseOffset: bigint;
  /** Of the batch, not of its last record: compaction may have taken that. Reading goes on at `lastOffset + 1`. */
  readonly lastOffset: bigint;
  readonly codec: layout.Codec;
  readonly baseTimestamp: bigint;
  readonly maxTimestamp: bigint;
  /** With log-append time every record of the batch has `maxTimestamp`. */
  readonly logAppendTime: boolean;
  readonly transactional: boolean;
  readonly producerId: bigint;
  readonly recordCount: number;
  /** The records, decompressed. */
  readonly records: Buffer;
}

/** What a fetch response says of one partition, as far as reading its batches needs it. */
export interface FetchedBytes {
  readonly topic: string;
  readonly partition: number;
  /** Where reading was to begin: earlier records of the first batch are not wanted. */
  readonly fetchOffset: bigint;
  readonly batches: Buffer;
  readonly abortedTransactions: readonly AbortedTransaction[];
}

/**
 * Yields the batches of data in a partition's part of a fetch response, in order. Left out are control batches, batches
 * of the aborted transactions that the response lists, batches before the fetch offset, and a tail that is cut.
 *
 * @throws SpillwayError BATCH_CORRUPT, with topic, partition and offset
 */
export function* readBatches(fetched: FetchedBytes): Generator<RecordBatch, void, undefined> {
  const { batches, topic, partition } = fetched;
  const aborted = new AbortedFilter(fetched.abortedTransactions);
  for (let start = 0; ; ) {
    const end = wholeBatchEnd(batches, start, topic, partition);
    if (end === undefined) return;
    const attributes = batches.readInt16BE(start + layout.ATTRIBUTES);
    const producerId = batches.readBigInt64BE(start + layout.PRODUCER_ID);
    const { baseOffset, lastOffset } = offsetsOf(batches, start, topic, partition);
    const corrupt = (reason: string, cause?: unknown) => corruptBatch(reason, topic, partition, baseOffset, cause);

    if (crc32c(batches.subarray(start + layout.ATTRIBUTES, end)) !== batches.readUInt32BE(start + layout.CRC)) {
      throw corrupt("CRC-32C does not match");
    }
    const isAborted = (attributes & layout.TRANSACTIONAL_BIT) !== 0 && aborted.isAborted(producerId, lastOffset);
    if ((attributes & layout.CONTROL_BIT) !== 0) {
      if (isAbortMarker(batches.subarray(start + layout.RECORDS, end), corrupt)) aborted.abortMarker(producerId);
    } else if (!isAborted && lastOffset >= fetched.fetchOffset) {
      const codec = codecOf(attributes & layout.COMPRESSION_MASK);
      if (codec === undefined) throw corrupt(`codec number ${attributes & layout.COMPRESSION_MASK} is unknown`);
      const recordCount = batches.readInt32BE(start + layout.RECORD_COUNT);
      if (recordCount < 0) throw corrupt(`record count is ${recordCount}`);
      yield {
        topic,
        partition,
        baseOffset,
        lastOffset,
        codec,
        baseTimestamp: batches.readBigInt64BE(start + layout.BASE_TIMESTAMP),
        maxTimestamp: batches.readBigInt64BE(start + layout.MAX_TIMESTAMP),
        logAppendTime: (attributes & layout.LOG_APPEND_TIME_BIT) !== 0,
        transactional: (attributes & layout.TRANSACTIONAL_BIT) !== 0,
        producerId,
        recordCount,
        records: openRecords(codec, batches.subarray(start + layout.RECORDS, end), corrupt),
      };
    }
    start = end;
  }
}

/**
 * Where reading goes on after a partition's part of a fetch response: behind its last whole batch. Undefined if it
 * holds no whole batch. Only headers are read, so that the source can fetch on while the records still wait.
 *
 * @throws SpillwayError BATCH_CORRUPT if a header can't be one
 */
export function offsetAfter(batches: Buffer, topic: string, partition: number): bigint | undefined {
  let next: bigint | undefined;
  for (let start = 0; ; ) {
    const end = wholeBatchEnd(batches, start, topic, partition);
    if (end === undefined) return next;
    next = offsetsOf(batches, start, topic, partition).lastOffset + 1n;
    start = end;
  }
}

/** The end of the batch at `start`, or undefined where less than a whole batch is left. */
function wholeBatchEnd(batches: Buffer, start: number, topic: string, partition: number): number | undefined {
  const left = batches.length - start;
  if (left < layout.MAGIC + 1) return undefined;
  const bytes = batches.readInt32BE(start + layout.BATCH_LENGTH) + layout.LENGTH_OVERHEAD;
  const magic = batches[start + layout.MAGIC];
  if (magic !== 2 || bytes < layout.RECORDS) {
    throw corruptBatch(
      magic === 2 ? `batch length ${bytes} is shorter than a header` : `magic is ${magic}, only 2 is supported`,
      topic,
      partition,
      batches.readBigInt64BE(start + layout.BASE_OFFSET),
    );
  }
  return bytes > left ? undefined : start + bytes;
}

function offsetsOf(batches: Buffer, start: number, topic: string, partition: number) {
  const baseOffset = batches.readBigInt64BE(start + layout.BASE_OFFSET);
  const lastOffset = baseOffset + BigInt(batches.readInt32BE(start + layout.LAST_OFFSET_DELTA));
  // Offsets within a batch are counted as numbers; no log comes near 2^53.
  if (baseOffset < 0n || lastOffset < baseOffset || lastOffset > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw corruptBatch(`offsets ${baseOffset} to ${lastOffset} are no range`, topic, partition, baseOffset);
  }
  return { baseOffset, lastOffset };
}

/** A control record's key is version (int16) and type (int16); type 0 is an abort marker. */
function isAbortMarker(records: Buffer, corrupt: Corrupt): boolean {
  const cursor = new RecordCursor();
  cursor.openBytes(records, 1);
  try {
    return cursor.next() && cursor.keyEnd - cursor.keyStart >= 4 && records.readInt16BE(cursor.keyStart + 2) === 0;
  } catch (cause) {
    throw corrupt(`its control record can't be read: ${messageOf(cause)}`, cause);
  }
}

type Corrupt = (reason: string, cause?: unknown) => Error;

function openRecords(codec: layout.Codec, records: Buffer, corrupt: Corrupt): Buffer {
  try {
    return decompress(codec, records);
  } catch (cause) {
    throw corrupt(`its ${codec} records can't be decompressed: ${messageOf(cause)}`, cause);
  }
}

/** The error for a batch that can't be read. */
export function corruptBatch(
  reason: string,
  topic: string,
  partition: number,
  offset: bigint,
  cause?: unknown,
): SpillwayError {
  return new SpillwayError("BATCH_CORRUPT", `Record batch can't be read: ${reason}`, {
    cause,
    context: {
      topic,
      partition,
      offset,
      hint: "Check the log with kafka-dump-log; to go on behind it, set the group's offset",
    },
  });
}
