import type { FetchedPartition } from "../kafka/source.ts";
import type { Position, TopicPartition } from "../kafka/topic-partition.ts";
import { stopAtPoison } from "../record-batch/batch.ts";
import { packOrigin } from "../record-batch/origin.ts";
import { RecordCursor } from "../record-batch/record-cursor.ts";
import { advance } from "../record-batch/records.ts";
import { type AnyBatch, allBatches } from "./batches.ts";
import { type Lineage, type Lineages, originOffset } from "./lineage.ts";
import { type GapCounts, newGapCounts } from "./report.ts";

type DataBatch = Extract<AnyBatch, { kind: "data" }>;

/** A record of a source and what identifies it. */
export interface IdentifiedRecord {
  readonly lineage: Lineage;
  /** Its own offset, or that of its origin if it carries one. */
  readonly identity: number;
  /** Where it lies. */
  readonly offset: number;
}

/** Whether a rule of the relay drops the record that the cursor is at. */
export type IsDropped = (cursor: RecordCursor, batch: DataBatch["batch"]) => boolean;

export const NEVER: IsDropped = () => false;

/** What is said of one source partition, and how far it has been read. */
export interface SourcePartition extends TopicPartition {
  readonly own: Lineage;
  /** A hole in the log of a compacted topic is compaction. */
  readonly compacted: boolean;
  readonly gaps: GapCounts;
  records: number;
  /** Of them, those that are to be in no target. */
  dropped: number;
  /** Of the next offset to be accounted for. */
  next: number;
  /** Left the log while the source was read. */
  readonly lost: { readonly from: number; readonly to: number }[];
}

export function newSourcePartition(begin: Position, lineages: Lineages, compacted: boolean): SourcePartition {
  const { topic, topicId, partition, offset } = begin;
  const own = lineages.findOrAdd(packOrigin({ topicId, partition, offset: 0n }), 0);
  own.own = { topic, end: 0 };
  const gaps = { ...newGapCounts(), retention: Number(offset) };
  return { topic, topicId, partition, own, compacted, gaps, records: 0, dropped: 0, next: Number(offset), lost: [] };
}

/**
 * Accounts for every offset of the sources below an end: it holds a record, which is noted by its identity, or there is
 * a reason why it doesn't.
 */
export class SourceLedger {
  readonly #lineages: Lineages;
  readonly #cursor = new RecordCursor();
  readonly #isDropped: IsDropped;

  constructor(lineages: Lineages, isDropped: IsDropped = NEVER) {
    this.#lineages = lineages;
    this.#isDropped = isDropped;
  }

  /** Takes a part below `end`. @param phase whether these records must be in the target, or only may */
  take(source: SourcePartition, fetched: FetchedPartition, end: number, phase: "expected" | "later"): void {
    for (const batch of allBatches(fetched)) {
      const last = Math.min(batch.last, end - 1);
      if (last < source.next) continue;
      if (batch.base > source.next) this.#hole(source, Math.min(batch.base, end));
      if (batch.base >= end) return;
      if (batch.kind === "data") this.#takeData(source, batch, last, phase);
      else this.#passOver(source, batch.kind, last);
      source.next = last + 1;
    }
  }

  /** Says of the offsets up to `end` that nothing more comes from there. */
  close(source: SourcePartition, end: number): void {
    if (source.next < end) this.#hole(source, end);
  }

  #takeData(source: SourcePartition, { batch, base }: DataBatch, last: number, phase: "expected" | "later"): void {
    let [records, dropped] = [0, 0];
    for (const { lineage, identity } of identify(source, batch, base, last, this.#cursor, this.#lineages)) {
      records++;
      if (this.#isDropped(this.#cursor, batch)) {
        lineage.unwanted.add(identity);
        dropped++;
      } else lineage[phase].add(identity);
    }
    if (phase === "expected") {
      source.records += records;
      source.dropped += dropped;
    }
    const missing = last + 1 - source.next - records;
    if (missing > 0) source.gaps[source.compacted ? "compaction" : "batchHoles"] += missing;
  }

  #passOver(source: SourcePartition, kind: "marker" | "aborted", last: number): void {
    source.gaps[kind === "marker" ? "markers" : "aborted"] += last + 1 - source.next;
    for (let offset = source.next; offset <= last; offset++) source.own.unwanted.add(offset);
  }

  #hole(source: SourcePartition, to: number): void {
    const { next, lost, gaps, compacted } = source;
    let deleted = 0;
    for (const range of lost) deleted += Math.max(0, Math.min(to, range.to) - Math.max(next, range.from));
    gaps.retention += deleted;
    gaps[compacted ? "compaction" : "unexplained"] += to - next - deleted;
    source.next = to;
  }
}

/** The records of a batch of a source from `source.next` to `last`, each with its identity. */
export function* identify(
  source: SourcePartition,
  batch: DataBatch["batch"],
  base: number,
  last: number,
  cursor: RecordCursor,
  lineages: Lineages,
): Generator<IdentifiedRecord, void, undefined> {
  cursor.open(batch);
  while (advance(cursor, batch, stopAtPoison)) {
    const offset = base + cursor.offsetDelta;
    if (offset < source.next || offset > last) continue;
    const carried = cursor.originAt < 0 ? -1 : originOffset(cursor.bytes, cursor.originAt);
    if (carried < 0) {
      yield { lineage: source.own, identity: offset, offset };
    } else {
      const lineage = lineages.findOrAdd(cursor.bytes, cursor.originAt);
      yield { lineage, identity: carried, offset };
    }
  }
}
