/** How target records were matched with source records. `none`: the topic holds no record. */
export type VerifyMethod = "provenance" | "content" | "mixed" | "none";

/** Offsets of the sources that hold no record a read_committed reader gets, by the reason. */
export interface GapCounts {
  /** Before the log's beginning: deleted by retention or by hand, some perhaps while they were to be read. */
  retention: number;
  /** Control batches: where transactions ended. */
  markers: number;
  /** Records of aborted transactions. */
  aborted: number;
  /** Missing in or between batches of a topic that is compacted. */
  compaction: number;
  /** Missing inside of a batch, in a topic that isn't compacted now: it was once, or was copied with its offsets. */
  batchHoles: number;
  /** Missing between batches of a topic that isn't compacted. */
  unexplained: number;
}

export function newGapCounts(): GapCounts {
  return { retention: 0, markers: 0, aborted: 0, compaction: 0, batchHoles: 0, unexplained: 0 };
}

/** Where a record lies; or, of a missing one that only its origin is known of, where it came from. */
export interface ExamplePlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Of a record that carries one. */
  readonly origin?: { readonly topicId: string; readonly partition: number; readonly offset: number };
}

/** Missing records are named by their place in the source, all others by theirs in the target. */
export type FindingKind = "missing" | "duplicated" | "outOfOrder" | "wrongPartition" | "foreign";

/** What `verifyRelay` found. The shape is stable: it is what `--json` writes. */
export interface VerifyReport {
  readonly sources: readonly string[];
  readonly targets: readonly string[];
  readonly method: VerifyMethod;
  readonly methods: Readonly<Record<string, VerifyMethod>>;
  /** Up to the ends at the start, as a read_committed reader gets them. */
  readonly sourceRecords: number;
  /** Of them, those that a rule drops: no target may hold them. */
  readonly dropped: number;
  readonly targetRecords: number;
  /** Source records of which the target holds fewer copies than the source. */
  readonly missing: number;
  /** Target records beyond as many as the source holds. */
  readonly duplicated: number;
  readonly outOfOrder: number;
  /** Keyed target records that lie where Kafka's partitioner does not put them. */
  readonly wrongPartition: number;
  /** Target records from none of the sources, or from an offset that holds no committed record. */
  readonly foreign: number;
  /** Target records whose source record is not in the source any more, by retention or compaction. No fault. */
  readonly outlived: number;
  /** Target records from behind the ends at which the sources were verified. No fault. */
  readonly later: number;
  /** Records whose order was not looked at, since there were too many keys to remember. */
  readonly orderUnchecked: number;
  readonly gaps: Readonly<GapCounts>;
  /** The first few of each. */
  readonly examples: Readonly<Record<FindingKind, readonly ExamplePlace[]>>;
  readonly seconds: number;
}

/** Nothing is missing, repeated, out of order, misplaced or foreign, and every gap has its reason. */
export function isProven(report: VerifyReport): boolean {
  const { missing, duplicated, outOfOrder, wrongPartition, foreign, orderUnchecked, gaps } = report;
  return missing + duplicated + outOfOrder + wrongPartition + foreign + orderUnchecked + gaps.unexplained === 0;
}

const EXAMPLES = 5;

/** Counts what was found, and keeps the first few places of each kind. */
export class Findings {
  readonly counts: Record<FindingKind, number> = {
    missing: 0,
    duplicated: 0,
    outOfOrder: 0,
    wrongPartition: 0,
    foreign: 0,
  };
  readonly examples: Record<FindingKind, ExamplePlace[]> = {
    missing: [],
    duplicated: [],
    outOfOrder: [],
    wrongPartition: [],
    foreign: [],
  };

  add(kind: FindingKind, place: () => ExamplePlace, count = 1): void {
    this.counts[kind] += count;
    if (this.examples[kind].length < EXAMPLES) this.examples[kind].push(place());
  }
}
