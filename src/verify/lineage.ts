import { ORIGIN_BYTES } from "../record-batch/origin.ts";
import { OffsetCounts } from "./offset-counts.ts";

const TWO_POW_32 = 0x1_0000_0000;
/** The part of a packed origin that says which partition: topic id and partition number. */
const PARTITION_BYTES = ORIGIN_BYTES - 8;

/** The source partition that a lineage is of, if it is one of the sources itself. */
export interface OwnPartition {
  readonly topic: string;
  /** Behind the last offset that could have been relayed before the target's ends were taken. */
  end: number;
}

/**
 * All records that first came from one partition: of a source itself, or of a topic that the sources' records had come
 * from before. Their first offsets identify them.
 */
export class Lineage {
  readonly topicId: string;
  readonly partition: number;
  own: OwnPartition | undefined;
  /** In the sources, up to the ends that are verified. */
  readonly expected = new OffsetCounts();
  /** In the sources behind these ends. */
  readonly later = new OffsetCounts();
  /** Nothing may come from there: own offsets of markers and aborted records, and records that a rule drops. */
  readonly unwanted = new OffsetCounts();
  /** In the target, where it belongs; and in a partition where it doesn't. */
  readonly placed = new OffsetCounts();
  readonly misplaced = new OffsetCounts();
  /** The highest offset so far, by target partition. */
  readonly highest = new Map<string, number>();

  constructor(topicId: string, partition: number) {
    this.topicId = topicId;
    this.partition = partition;
  }

  inTarget(offset: number): number {
    return this.placed.count(offset) + this.misplaced.count(offset);
  }
}

/** The offset of a packed origin; -1 where it can't be one. */
export function originOffset(bytes: Buffer, originAt: number): number {
  const offset = bytes.readInt32BE(originAt + 20) * TWO_POW_32 + bytes.readUInt32BE(originAt + 24);
  return Number.isSafeInteger(offset) && offset >= 0 ? offset : -1;
}

/** All lineages there are, by the bytes with which a packed origin begins. */
export class Lineages {
  readonly #byBytes = new Map<string, Lineage>();
  #lastBytes = Buffer.alloc(PARTITION_BYTES, 0xff);
  #last: Lineage | undefined;

  all(): Iterable<Lineage> {
    return this.#byBytes.values();
  }

  /** The lineage of a packed origin, or undefined if no source has to do with it. */
  find(bytes: Buffer, originAt: number): Lineage | undefined {
    // Neighbours most often come from the same partition.
    const isLast = this.#lastBytes.compare(bytes, originAt, originAt + PARTITION_BYTES) === 0;
    if (isLast && this.#last !== undefined) return this.#last;
    const found = this.#byBytes.get(bytes.toString("latin1", originAt, originAt + PARTITION_BYTES));
    if (found !== undefined) this.#remember(found, bytes, originAt);
    return found;
  }

  findOrAdd(bytes: Buffer, originAt: number): Lineage {
    const found = this.find(bytes, originAt);
    if (found !== undefined) return found;
    const topicId = bytes.toString("base64url", originAt, originAt + 16);
    const lineage = new Lineage(topicId, bytes.readInt32BE(originAt + 16));
    this.#byBytes.set(bytes.toString("latin1", originAt, originAt + PARTITION_BYTES), lineage);
    return lineage;
  }

  #remember(lineage: Lineage, bytes: Buffer, originAt: number): void {
    this.#last = lineage;
    bytes.copy(this.#lastBytes, 0, originAt, originAt + PARTITION_BYTES);
  }
}
