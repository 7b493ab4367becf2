import type { FetchedPartition } from "../kafka/source.ts";
import { type OnPoison, type RecordBatch, readBatches } from "../record-batch/batch.ts";
import { RecordCursor } from "../record-batch/record-cursor.ts";
import { advance, readRecords } from "../record-batch/records.ts";
import type { CountedRange } from "./counted-ranges.ts";

/** The next record that a group gets to see. */
export interface NextRecord {
  readonly offset: bigint;
  /** Milliseconds since the epoch; undefined where the producer set none. */
  readonly timestampMs: number | undefined;
  /** As text, or as hexadecimal digits where it is none, cut after 64 bytes; null for a record without a key. */
  readonly key: string | null;
}

/** A batch that can't be read is not counted, and is no reason to know nothing of the others. */
const leaveOut: OnPoison = () => {};

/**
 * How many committed records lie where in what was fetched: in its batches of data, and nowhere else. A batch that
 * can't be read is left out: nobody knows what is in it.
 */
export function rangesOf(part: FetchedPartition): readonly CountedRange[] {
  const { fetchOffset, nextOffset } = part;
  const ranges: CountedRange[] = [];
  const unread: { readonly from: bigint; readonly to: bigint }[] = [];
  const onPoison: OnPoison = ({ unreadFrom, lastOffset }) => {
    unread.push({ from: unreadFrom, to: lastOffset + 1n });
  };
  let at = fetchOffset;
  for (const batch of readBatches(part, onPoison)) {
    const from = batch.baseOffset < fetchOffset ? fetchOffset : batch.baseOffset;
    ranges.push({ from: at, to: from, records: 0 });
    at = batch.lastOffset + 1n;
    ranges.push({ from, to: at, records: batch.baseOffset === from ? batch.recordCount : recordsFrom(batch, from) });
  }
  ranges.push({ from: at, to: nextOffset, records: 0 });
  return ranges.filter(({ from, to }) => from < to && !unread.some((hole) => hole.from < to && from < hole.to));
}

function recordsFrom(batch: RecordBatch, from: bigint): number {
  const cursor = new RecordCursor();
  cursor.open(batch);
  let records = 0;
  while (advance(cursor, batch, leaveOut)) if (batch.baseOffset + BigInt(cursor.offsetDelta) >= from) records++;
  return records;
}

/** The first committed record in what was fetched; undefined if there is none. */
export function firstRecordOf(part: FetchedPartition): NextRecord | undefined {
  const [first] = readRecords(part, leaveOut);
  if (first === undefined) return undefined;
  const { offset, timestamp, key } = first;
  return { offset, timestampMs: timestamp < 0n ? undefined : Number(timestamp), key: key === null ? null : shown(key) };
}

const SHOWN_BYTES = 64;
/** Of a terminal, among others: a key must not be able to write to it. */
const UNSHOWABLE = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029\ufffd]/u;

function shown(key: Buffer): string {
  const text = key.toString("utf8");
  if (UNSHOWABLE.test(text)) {
    const hex = key.subarray(0, SHOWN_BYTES / 2).toString("hex");
    return `0x${hex}${key.length > SHOWN_BYTES / 2 ? "…" : ""}`;
  }
  return key.length > SHOWN_BYTES ? `${[...text].slice(0, SHOWN_BYTES).join("")}…` : text;
}
