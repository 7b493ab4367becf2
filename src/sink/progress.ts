import { Frontiers } from "../kafka/frontiers.ts";
import type { FetchedPartition } from "../kafka/source.ts";
import { type Position, partitionKey } from "../kafka/topic-partition.ts";
import { type OnPoison, type PoisonBatch, stopAtPoison } from "../record-batch/batch.ts";
import { murmur2 } from "../record-batch/murmur2.ts";
import { type KafkaRecord, readRecords } from "../record-batch/records.ts";
import { CommitFrontier, type FrontierEntry } from "../runtime/commit-frontier.ts";
import { InFlightLimit } from "../runtime/in-flight-limit.ts";
import type { Left, SinkObserver } from "./observer.ts";
import type { SinkStats } from "./stats.ts";

/**
 * Records of one partition that lie side by side and are committed together: one object instead of one per record.
 * It bounds by how much the bounds of what is in flight are exceeded, and what a crash repeats beyond what it must.
 */
export const SLICE_RECORDS = 256;

/** A record on its way through the sink. */
export interface InFlightRecord {
  readonly record: KafkaRecord;
  readonly topicId: string;
  /** The murmur2 hash of its key; undefined without a key. */
  readonly keyHash: number | undefined;
  /** Of key, value and headers. */
  readonly bytes: number;
  /** Its place among all that were read. */
  readonly sequence: number;
  readonly slice: Slice;
}

/** Neighbours in a partition. It is done, and may be committed, when each of its records is, and each poison batch. */
interface Slice {
  readonly frontier: CommitFrontier;
  readonly entry: FrontierEntry;
  /** False of records that nothing waits for. */
  readonly isCounted: boolean;
  remaining: number;
  /** By `performance.now()`. */
  readonly readAt: number;
}

/** A batch on its way through the sink that can't be read. */
export interface InFlightPoison {
  readonly poison: PoisonBatch;
  readonly topicId: string;
  readonly slice: Slice;
}

/**
 * The state of one generation: what is in flight, and how far each partition may be committed.
 *
 * Invariants: a record read is in flight until `done` was called for it, whatever becomes of its neighbours: so one that
 * stands still for long holds up no room but its own. A position never passes a record for which it wasn't called.
 */
export class Progress {
  readonly #frontiers: Frontiers;
  readonly #limit: InFlightLimit;
  readonly #stats: SinkStats;
  readonly #observer: SinkObserver | undefined;
  /** By partition: where its log ended when something was last fetched of it. */
  readonly #ends = new Map<string, bigint>();
  #sequence = 0;

  constructor(
    positions: readonly Position[],
    bounds: { readonly inFlightRecords: number; readonly inFlightBytes: number },
    stats: SinkStats,
    observer?: SinkObserver,
  ) {
    this.#observer = observer;
    this.#frontiers = new Frontiers(positions);
    this.#limit = new InFlightLimit({ items: bounds.inFlightRecords, bytes: bounds.inFlightBytes });
    this.#stats = stats;
  }

  get recordsInFlight(): number {
    return this.#limit.items;
  }

  get isFull(): boolean {
    return !this.#limit.isOpen;
  }

  /** Resolves when there is room for another slice. @throws the signal's reason when that is aborted first */
  async room(signal: AbortSignal): Promise<void> {
    await this.#limit.open(signal);
  }

  /**
   * Yields what was fetched of a partition in slices of records. Each is in flight as it is yielded.
   * @param bury takes a batch that can't be read, which is in flight too; without it, reading ends there
   * @throws SpillwayError BATCH_CORRUPT
   */
  *read(
    fetched: FetchedPartition,
    bury?: (poison: InFlightPoison) => void,
  ): Generator<readonly InFlightRecord[], void, undefined> {
    const frontier = this.#frontiers.of(fetched);
    this.#ends.set(partitionKey(fetched), fetched.highWatermark);
    let records: KafkaRecord[] = [];
    let poisons: PoisonBatch[] = [];
    const cut = (nextOffset: bigint): readonly InFlightRecord[] => {
      const { topicId } = fetched;
      const sizes = records.map(bytesOf);
      const slice = this.#begin(frontier, sizes, poisons, nextOffset);
      const inFlight = records.map((record, i) => {
        const [keyHash, sequence] = [hashOf(record.key), this.#sequence++];
        return { record, topicId, keyHash, bytes: sizes[i] ?? 0, sequence, slice };
      });
      for (const poison of poisons) bury?.({ poison, topicId, slice });
      records = [];
      poisons = [];
      return inFlight;
    };
    const onPoison: OnPoison = bury === undefined ? stopAtPoison : (poison) => void poisons.push(poison);
    for (const record of readRecords(fetched, onPoison)) {
      if (records.length === SLICE_RECORDS) yield cut(record.offset);
      records.push(record);
    }
    // The last slice reaches to where fetching goes on: behind records there may be transaction markers, or a gap.
    yield cut(fetched.nextOffset);
  }

  /** The record is written, or in the dead-letter topic, as a poison batch can only be. */
  done(item: InFlightRecord | InFlightPoison): void {
    const { slice } = item;
    if (!slice.isCounted) return;
    if ("record" in item) this.#limit.leave(item.bytes, 1);
    else this.#limit.leave(item.poison.bytes.length, 0);
    this.#show();
    slice.remaining--;
    if (slice.remaining === 0) this.#complete(slice);
  }

  /** The positions that are reached and not committed. */
  uncommitted(): readonly Position[] {
    return this.#frontiers.uncommitted();
  }

  /** Of each partition of which something was fetched. */
  left(): readonly Left[] {
    return this.#frontiers.reached().flatMap(({ offset, ...partition }) => {
      const end = this.#ends.get(partitionKey(partition));
      return end === undefined ? [] : [{ ...partition, offsets: end > offset ? end - offset : 0n }];
    });
  }

  /** These positions are committed. */
  committed(positions: readonly Position[]): void {
    this.#frontiers.committed(positions);
  }

  /** @param records the bytes of each */
  #begin(
    frontier: CommitFrontier,
    records: readonly number[],
    poisons: readonly PoisonBatch[],
    nextOffset: bigint,
  ): Slice {
    let bytes = 0;
    for (const size of records) bytes += size;
    for (const poison of poisons) bytes += poison.bytes.length;
    const entry = frontier.track(nextOffset);
    const remaining = records.length + poisons.length;
    const slice: Slice = { frontier, entry, isCounted: true, remaining, readAt: performance.now() };
    this.#stats.recordsRead += records.length;
    this.#limit.enter(bytes, records.length);
    this.#show();
    if (remaining === 0) frontier.complete(entry);
    return slice;
  }

  #complete({ frontier, entry, readAt }: Slice): void {
    this.#observer?.finished(performance.now() - readAt);
    frontier.complete(entry);
  }

  #show(): void {
    this.#stats.recordsInFlight = this.#limit.items;
    this.#stats.bytesInFlight = this.#limit.bytes;
  }
}

/** A record that no partition's commit waits for: one that is written again from where it was kept. */
export function detached(record: KafkaRecord, topicId: string): InFlightRecord {
  const entry = { nextOffset: record.offset, done: false };
  const slice = { frontier: new CommitFrontier(record.offset), entry, isCounted: false, remaining: 0, readAt: 0 };
  return { record, topicId, keyHash: hashOf(record.key), bytes: bytesOf(record), sequence: 0, slice };
}

function hashOf(key: Buffer | null): number | undefined {
  return key === null ? undefined : murmur2(key, 0, key.length);
}

function bytesOf({ key, value, headers }: KafkaRecord): number {
  let bytes = (key?.length ?? 0) + (value?.length ?? 0);
  for (const header of headers) bytes += header.key.length + (header.value?.length ?? 0);
  return bytes;
}
