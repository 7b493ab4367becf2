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
  /** The whole batch as it lies in the log, header included. */
  readonly bytes: Buffer;
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

/** A batch whose content can't be read, though the log around it can. */
export interface PoisonBatch {
  readonly topic: string;
  readonly partition: number;
  readonly baseOffset: bigint;
  readonly lastOffset: bigint;
  /** Of the first record that was not read; those of the batch before it were. */
  readonly unreadFrom: bigint;
  /** The whole batch as it lies in the log, header included. */
  readonly bytes: Buffer;
  /** BATCH_CORRUPT, with topic, partition and offset. */
  readonly error: SpillwayError;
}

/** What to do with a batch that can't be read: throw, or take it and let reading go on behind it. */
export type OnPoison = (poison: PoisonBatch) => void;

/** Lets reading end at a batch that can't be read. */
export const stopAtPoison: OnPoison = ({ error }) => {
  throw error;
};

/**
 * Yields the batches of data in a partition's part of a fetch response, in order. Left out are control batches, batches
 * of the aborted transactions that the response lists, batches before the fetch offset, and a tail that is cut.
 *
 * @throws SpillwayError BATCH_CORRUPT for a header that can't be one: then nothing tells where the next batch begins.
 *   And what `onPoison` throws, for a batch that has a header and can't be read
 */
export function* readBatches(
  fetched: FetchedBytes,
  onPoison: OnPoison = stopAtPoison,
): Generator<RecordBatch, void, undefined> {
  const { batches, topic, partition } = fetched;
  const aborted = new AbortedFilter(fetched.abortedTransactions);
  let behind = 0n;
  for (let start = 0; ; ) {
    const end = wholeBatchEnd(batches, start, topic, partition);
    if (end === undefined) return;
    const offsets = offsetsOf(batches, start, topic, partition, behind);
    const isWanted = offsets.lastOffset >= fetched.fetchOffset;
    try {
      const batch = openBatch(batches.subarray(start, end), { topic, partition, ...offsets, isWanted }, aborted);
      if (batch !== undefined) yield batch;
    } catch (error) {
      // What the reader of a batch throws where it is yielded isn't ours to judge.
      if (!(error instanceof UnreadableBatch)) throw error;
      const poison = poisonOf({ topic, partition, ...offsets, bytes: batches.subarray(start, end) }, error);
      // Behind a marker that can't be read nobody knows which transactions were aborted.
      if ((batches.readInt16BE(start + layout.ATTRIBUTES) & layout.CONTROL_BIT) !== 0) throw poison.error;
      onPoison(poison);
    }
    behind = offsets.lastOffset + 1n;
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
    next = offsetsOf(batches, start, topic, partition, next ?? 0n).lastOffset + 1n;
    start = end;
  }
}

/** Where records of a part lie, and what they take, as a batch's header has it. */
export interface BatchSpan {
  readonly from: bigint;
  /** Behind the last. */
  readonly to: bigint;
  readonly records: number;
  readonly bytes: number;
}

/**
 * The batches of data between the part's offsets, by their headers alone; of one that lies there in part, such a part of
 * what it holds.
 * @throws SpillwayError BATCH_CORRUPT if a header can't be one
 */
export function* spansOf(part: FetchedBytes & { readonly nextOffset: bigint }): Generator<BatchSpan, void, undefined> {
  const { batches, topic, partition, fetchOffset, nextOffset } = part;
  for (let start = 0, behind = 0n; ; ) {
    const end = wholeBatchEnd(batches, start, topic, partition);
    if (end === undefined) return;
    const { baseOffset, lastOffset } = offsetsOf(batches, start, topic, partition, behind);
    if (baseOffset >= nextOffset) return;
    behind = lastOffset + 1n;
    const from = baseOffset < fetchOffset ? fetchOffset : baseOffset;
    const to = behind > nextOffset ? nextOffset : behind;
    if (from < to && (batches.readInt16BE(start + layout.ATTRIBUTES) & layout.CONTROL_BIT) === 0) {
      const share = Number(to - from) / Number(behind - baseOffset);
      const records = Math.max(0, batches.readInt32BE(start + layout.RECORD_COUNT));
      yield { from, to, records: share * records, bytes: share * (end - start) };
    }
    start = end;
  }
}

/** A batch, opened; undefined if it is no data to be read: control, aborted, or not wanted. @throws UnreadableBatch */
function openBatch(
  bytes: Buffer,
  {
    isWanted,
    ...place
  }: Pick<RecordBatch, "topic" | "partition" | "baseOffset" | "lastOffset"> & {
    readonly isWanted: boolean;
  },
  aborted: AbortedFilter,
): RecordBatch | undefined {
  const attributes = bytes.readInt16BE(layout.ATTRIBUTES);
  const producerId = bytes.readBigInt64BE(layout.PRODUCER_ID);
  const transactional = (attributes & layout.TRANSACTIONAL_BIT) !== 0;
  // It was read before, as another piece of what was fetched. Markers count all the same.
  if (!isWanted && (attributes & layout.CONTROL_BIT) === 0) {
    if (transactional) aborted.isAborted(producerId, place.lastOffset);
    return undefined;
  }
  if (crc32c(bytes.subarray(layout.ATTRIBUTES)) !== bytes.readUInt32BE(layout.CRC)) {
    throw new UnreadableBatch("CRC-32C does not match");
  }
  const isAborted = transactional && aborted.isAborted(producerId, place.lastOffset);
  const recordCount = bytes.readInt32BE(layout.RECORD_COUNT);
  if (recordCount < 0) throw new UnreadableBatch(`record count is ${recordCount}`);
  if ((attributes & layout.CONTROL_BIT) !== 0) {
    // Compaction takes the marker of a transaction that has no records left, and may keep the batch without it.
    if (recordCount > 0 && isAbortMarker(bytes.subarray(layout.RECORDS))) aborted.abortMarker(producerId);
    return undefined;
  }
  if (isAborted) return undefined;
  const codec = codecOf(attributes & layout.COMPRESSION_MASK);
  if (codec === undefined) throw new UnreadableBatch(`codec number ${attributes & layout.COMPRESSION_MASK} is unknown`);
  return {
    ...place,
    bytes,
    codec,
    baseTimestamp: bytes.readBigInt64BE(layout.BASE_TIMESTAMP),
    maxTimestamp: bytes.readBigInt64BE(layout.MAX_TIMESTAMP),
    logAppendTime: (attributes & layout.LOG_APPEND_TIME_BIT) !== 0,
    transactional,
    producerId,
    recordCount,
    records: openRecords(codec, bytes.subarray(layout.RECORDS)),
  };
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

/** The batch at `start` must lie at or behind the offset `behind`. @throws SpillwayError BATCH_CORRUPT */
function offsetsOf(batches: Buffer, start: number, topic: string, partition: number, behind: bigint) {
  const baseOffset = batches.readBigInt64BE(start + layout.BASE_OFFSET);
  const lastOffset = baseOffset + BigInt(batches.readInt32BE(start + layout.LAST_OFFSET_DELTA));
  // Offsets within a batch are counted as numbers; no log comes near 2^53.
  if (baseOffset < behind || lastOffset < baseOffset || lastOffset > BigInt(Number.MAX_SAFE_INTEGER)) {
    const reason = `offsets ${baseOffset} to ${lastOffset} are no range at or behind ${behind}`;
    throw corruptBatch(reason, topic, partition, baseOffset);
  }
  return { baseOffset, lastOffset };
}

/** A control record's key is version (int16) and type (int16); type 0 is an abort marker. @throws UnreadableBatch */
function isAbortMarker(records: Buffer): boolean {
  const cursor = new RecordCursor();
  cursor.openBytes(records, 1, Number.MAX_SAFE_INTEGER);
  try {
    return cursor.next() && cursor.keyEnd - cursor.keyStart >= 4 && records.readInt16BE(cursor.keyStart + 2) === 0;
  } catch (cause) {
    throw new UnreadableBatch(`its control record can't be read: ${messageOf(cause)}`, cause);
  }
}

function openRecords(codec: layout.Codec, records: Buffer): Buffer {
  try {
    return decompress(codec, records);
  } catch (cause) {
    throw new UnreadableBatch(`its ${codec} records can't be decompressed: ${messageOf(cause)}`, cause);
  }
}

/** Why a batch can't be read, on its way to whoever knows where the batch lies. */
class UnreadableBatch extends RangeError {
  constructor(reason: string, cause?: unknown) {
    super(reason, { cause });
  }
}

/** What is told of a batch that can't be read, at all or behind some record. */
export function poisonOf(
  batch: Pick<RecordBatch, "topic" | "partition" | "baseOffset" | "lastOffset" | "bytes">,
  cause: unknown,
  unreadFrom = batch.baseOffset,
): PoisonBatch {
  const { topic, partition, baseOffset, lastOffset, bytes } = batch;
  const error = corruptBatch(messageOf(cause), topic, partition, unreadFrom, cause);
  return { topic, partition, baseOffset, lastOffset, unreadFrom, bytes, error };
}

function corruptBatch(
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
      hint: "Check the log with kafka-dump-log; to go on behind it, choose poison-batch dead-letter or set the group's offset",
    },
  });
}
