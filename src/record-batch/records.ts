import { type FetchedBytes, type OnPoison, poisonOf, type RecordBatch, readBatches, stopAtPoison } from "./batch.ts";
import { type Origin, readOrigin } from "./origin.ts";
import { RecordCursor } from "./record-cursor.ts";
import { readVarint, readVarlongExactly } from "./varint.ts";

export interface RecordHeader {
  readonly key: string;
  readonly value: Buffer | null;
}

/** One record as an object. Its buffers are views of the fetch response: they keep the whole response in memory. */
export interface KafkaRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  /** Milliseconds since the epoch, -1 where the producer set none. */
  readonly timestamp: bigint;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly RecordHeader[];
  /** Where the first relay read it, if it came through one. */
  readonly origin: Origin | undefined;
}

/**
 * Yields the records of a partition's part of a fetch response that lie at or behind the fetch offset.
 * @throws SpillwayError BATCH_CORRUPT, and what `onPoison` throws
 */
export function* readRecords(
  fetched: FetchedBytes,
  onPoison: OnPoison = stopAtPoison,
): Generator<KafkaRecord, void, undefined> {
  const cursor = new RecordCursor();
  for (const batch of readBatches(fetched, onPoison)) {
    cursor.open(batch);
    while (advance(cursor, batch, onPoison)) {
      const offset = batch.baseOffset + BigInt(cursor.offsetDelta);
      if (offset >= fetched.fetchOffset) yield toRecord(cursor, batch, offset);
    }
  }
}

/** Goes to the batch's next record; false behind the last, and where the rest can't be read, once `onPoison` has it. */
export function advance(cursor: RecordCursor, batch: RecordBatch, onPoison: OnPoison): boolean {
  const before = cursor.position;
  const lastRead = cursor.offsetDelta;
  try {
    return cursor.next();
  } catch (cause) {
    const unreadFrom = before === 0 ? batch.baseOffset : batch.baseOffset + BigInt(lastRead + 1);
    onPoison(poisonOf(batch, cause, unreadFrom));
    return false;
  }
}

/** The exact timestamp of the cursor's record. */
export function timestampOf(cursor: RecordCursor, batch: RecordBatch): bigint {
  if (batch.logAppendTime) return batch.maxTimestamp;
  const delta = Number.isSafeInteger(cursor.timestampDelta)
    ? BigInt(cursor.timestampDelta)
    : readVarlongExactly(cursor.bytes, cursor.timestampAt);
  return BigInt.asIntN(64, batch.baseTimestamp + delta);
}

function toRecord(cursor: RecordCursor, batch: RecordBatch, offset: bigint): KafkaRecord {
  const { bytes } = cursor;
  return {
    topic: batch.topic,
    partition: batch.partition,
    offset,
    timestamp: timestampOf(cursor, batch),
    key: cursor.keyStart < 0 ? null : bytes.subarray(cursor.keyStart, cursor.keyEnd),
    value: cursor.valueStart < 0 ? null : bytes.subarray(cursor.valueStart, cursor.valueEnd),
    headers: cursor.headerCount === 0 ? [] : readHeaders(cursor),
    origin: cursor.originAt < 0 ? undefined : readOrigin(bytes, cursor.originAt),
  };
}

/** The headers of the cursor's record, which the cursor has already found to be whole. */
function readHeaders(cursor: RecordCursor): RecordHeader[] {
  const { bytes, recordEnd } = cursor;
  const headers: RecordHeader[] = [];
  const out = { end: cursor.headersStart };
  for (let i = 0; i < cursor.headerCount; i++) {
    const keyLength = readVarint(bytes, out.end, recordEnd, out);
    const keyStart = out.end;
    const valueLength = readVarint(bytes, keyStart + keyLength, recordEnd, out);
    const valueStart = out.end;
    out.end = valueStart + Math.max(valueLength, 0);
    headers.push({
      key: bytes.toString("utf8", keyStart, keyStart + keyLength),
      value: valueLength < 0 ? null : bytes.subarray(valueStart, out.end),
    });
  }
  return headers;
}
