import type { FetchedPartition } from "../kafka/source.ts";
import { partitionKey } from "../kafka/topic-partition.ts";
import { readOrigin } from "../record-batch/origin.ts";
import { RecordCursor } from "../record-batch/record-cursor.ts";
import { type Lineage, type Lineages, originOffset } from "./lineage.ts";
import type { ExamplePlace, Findings } from "./report.ts";
import { type TargetPartition, type TargetRecord, targetRecords } from "./target-records.ts";

export interface TargetParts {
  readonly lineages: Lineages;
  readonly findings: Findings;
  /** The sources have lost records that may have been relayed before. */
  readonly sourcesLostRecords: boolean;
  /** Given every record that carries no origin. */
  readonly onUnmarked: (record: TargetRecord) => void;
}

/**
 * Judges every record of the targets that carries an origin. All sources must have been read before.
 *
 * - **Foreign**: its origin is of no source, or is an offset of a source that holds no committed record.
 * - **Duplicated**: the target held as many records of this origin before as the sources do; the first is none.
 * - **In a wrong partition**: it has a key, and Kafka's partitioner puts that into another partition. Foreign
 *   records too.
 * - **Out of order**: it has a key, lies in its right partition, is the first record of its origin there, and a record
 *   of the same key and origin partition with a higher offset came before it in this target partition. Repeated records
 *   are duplicated and never out of order: a relay that begins anew goes back and repeats, and only what it had not
 *   written before must come behind what it had. Records without a key have no order.
 *
 * The ledger itself compares offsets over all keys, which a relay keeps in order too and which needs no memory of keys.
 * Only where some are overtaken, as rightly happens behind two relays in a row, `KeyOrder` has to look at each key.
 */
export class TargetLedger {
  readonly #parts: TargetParts;
  readonly #cursor = new RecordCursor();
  /** No fault: see the report. */
  outlived = 0;
  later = 0;
  /** Records that are out of order if those of all keys count. */
  overtaken = 0;

  constructor(parts: TargetParts) {
    this.#parts = parts;
  }

  /** Takes the records below `end` of a part. */
  take(target: TargetPartition, fetched: FetchedPartition, end: number): void {
    const { findings, onUnmarked } = this.#parts;
    for (const record of targetRecords(target, fetched, end, this.#cursor)) {
      const { cursor, offset, inPlace } = record;
      if (cursor.originAt < 0) {
        target.unmarked++;
        onUnmarked(record);
      } else {
        target.marked++;
        this.#judge(target, offset, inPlace);
      }
      if (!inPlace) findings.add("wrongPartition", () => placeOf(target, offset, cursor));
    }
  }

  #judge(target: TargetPartition, offset: number, inPlace: boolean): void {
    const { findings, lineages } = this.#parts;
    const cursor = this.#cursor;
    const identity = originOffset(cursor.bytes, cursor.originAt);
    const lineage = lineages.find(cursor.bytes, cursor.originAt);
    const place = () => placeOf(target, offset, cursor);
    if (lineage === undefined || identity < 0) {
      findings.add("foreign", place);
      return;
    }
    const expected = lineage.expected.count(identity);
    if (expected === 0) {
      const standing = this.#standing(lineage, identity);
      if (standing === "foreign") {
        findings.add("foreign", place);
        return;
      }
      this[standing]++;
      // Nothing bounds how far these offsets lie apart.
      if (standing === "outlived" && lineage.own === undefined) return;
    }
    const isFirstHere = lineage.placed.count(identity) === 0;
    (inPlace ? lineage.placed : lineage.misplaced).add(identity);
    if (lineage.inTarget(identity) > Math.max(1, expected)) findings.add("duplicated", place);
    const isOrdered = inPlace && isFirstHere && cursor.keyStart >= 0;
    if (isOrdered && this.#overtaken(lineage, target, identity)) this.overtaken++;
  }

  /** What a record is of whose origin is not among those that are verified. */
  #standing(lineage: Lineage, identity: number): "later" | "outlived" | "foreign" {
    if (lineage.later.count(identity) > 0) return "later";
    if (lineage.unwanted.count(identity) > 0) return "foreign";
    if (lineage.own === undefined) return this.#parts.sourcesLostRecords ? "outlived" : "foreign";
    // What is left are holes: before the log's beginning, or where compaction was.
    return identity >= lineage.own.end ? "foreign" : "outlived";
  }

  #overtaken(lineage: Lineage, target: TargetPartition, identity: number): boolean {
    const where = partitionKey(target);
    const highest = lineage.highest.get(where) ?? -1;
    if (identity < highest) return true;
    lineage.highest.set(where, identity);
    return false;
  }
}

export function placeOf({ topic, partition }: TargetPartition, offset: number, cursor: RecordCursor): ExamplePlace {
  if (cursor.originAt < 0) return { topic, partition, offset };
  const origin = readOrigin(cursor.bytes, cursor.originAt);
  return { topic, partition, offset, origin: { ...origin, offset: Number(origin.offset) } };
}
