import type { FetchedPartition } from "../kafka/source.ts";
import { type Position, partitionKey } from "../kafka/topic-partition.ts";
import { murmur2 } from "../record-batch/murmur2.ts";
import { type KafkaRecord, readRecords } from "../record-batch/records.ts";
import { CommitFrontier, type FrontierEntry } from "../runtime/commit-frontier.ts";
import { InFlightLimit } from "../runtime/in-flight-limit.ts";
import type { SinkStats } from "./stats.ts";

/**
 * Records of one partition that lie side by side and are accounted for together: one object instead of one per record.
 * It bounds by how much the bounds of what is in flight are exceeded, and what a crash repeats beyond what it must.
 */
export const SLICE_RECORDS = 256;

/** A record on its way through the sink. */
export interface InFlightRecord {
  readonly record: KafkaRecord;
  readonly topicId: string;
  /** The murmur2 hash of its key; undefined without a key. */
  readonly keyHash: number | undefined;
  readonly slice: Slice;
}

/** Neighbours in a partition. It is done, and may be committed, when each of its records is. */
interface Slice {
  readonly frontier: CommitFrontier;
  readonly entry: FrontierEntry;
  readonly records: number;
  readonly bytes: number;
  remaining: number;
}

interface Tracked {
  readonly position: Position;
  readonly frontier: CommitFrontier;
  committed: bigint;
}

/**
 * The state of one generation: what is in flight, and how far each partition may be committed.
 *
 * Invariants: a record read is in flight until `done` was called for each record of its slice; a position never passes a
 * record for which it wasn't.
 */
export class Progress {
  readonly #tracked: ReadonlyMap<string, Tracked>;
  readonly #limit: InFlightLimit;
  readonly #stats: SinkStats;

  constructor(
    positions: readonly Position[],
    bounds: { readonly inFlightRecords: number; readonly inFlightBytes: number },
    stats: SinkStats,
  ) {
    this.#tracked = new Map(
      positions.map((position) => {
        const frontier = new CommitFrontier(position.offset);
        return [partitionKey(position), { position, frontier, committed: position.offset }];
      }),
    );
    this.#limit = new InFlightLimit({ items: bounds.inFlightRecords, bytes: bounds.inFlightBytes });
    this.#stats = stats;
  }

  get recordsInFlight(): number {
    return this.#limit.items;
  }

  /** Resolves when there is room for another slice. @throws the signal's reason when that is aborted first */
  async room(signal: AbortSignal): Promise<void> {
    await this.#limit.open(signal);
  }

  /**
   * Yields what was fetched of a partition in slices of records. Each is in flight as it is yielded.
   * @throws SpillwayError BATCH_CORRUPT
   */
  *read(fetched: FetchedPartition): Generator<readonly InFlightRecord[], void, undefined> {
    const tracked = this.#tracked.get(partitionKey(fetched));
    if (tracked === undefined) throw new RangeError(`${partitionKey(fetched)} is not read here`);
    let records: KafkaRecord[] = [];
    for (const record of readRecords(fetched)) {
      if (records.length === SLICE_RECORDS) {
        yield this.#slice(fetched.topicId, tracked.frontier, records, record.offset);
        records = [];
      }
      records.push(record);
    }
    // The last slice reaches to where fetching goes on: behind records there may be transaction markers, or a gap.
    yield this.#slice(fetched.topicId, tracked.frontier, records, fetched.nextOffset);
  }

  /** The record is written, or in the dead-letter topic. */
  done({ slice }: InFlightRecord): void {
    slice.remaining--;
    if (slice.remaining === 0) this.#leave(slice);
  }

  /** The positions that are reached and not committed. */
  uncommitted(): readonly Position[] {
    return [...this.#tracked.values()]
      .filter(({ frontier, committed }) => frontier.position !== committed)
      .map(({ position, frontier }) => ({ ...position, offset: frontier.position }));
  }

  /** These positions are committed. */
  committed(positions: readonly Position[]): void {
    for (const position of positions) {
      const tracked = this.#tracked.get(partitionKey(position));
      if (tracked !== undefined) tracked.committed = position.offset;
    }
  }

  #slice(
    topicId: string,
    frontier: CommitFrontier,
    records: readonly KafkaRecord[],
    nextOffset: bigint,
  ): readonly InFlightRecord[] {
    let bytes = 0;
    for (const record of records) bytes += bytesOf(record);
    const entry = frontier.track(nextOffset);
    const slice: Slice = { frontier, entry, records: records.length, bytes, remaining: records.length };
    this.#stats.recordsRead += records.length;
    this.#limit.enter(bytes, records.length);
    if (records.length === 0) this.#leave(slice);
    else this.#show();
    return records.map((record) => ({ record, topicId, keyHash: hashOf(record.key), slice }));
  }

  #leave({ frontier, entry, records, bytes }: Slice): void {
    frontier.complete(entry);
    this.#limit.leave(bytes, records);
    this.#show();
  }

  #show(): void {
    this.#stats.recordsInFlight = this.#limit.items;
    this.#stats.bytesInFlight = this.#limit.bytes;
  }
}

function hashOf(key: Buffer | null): number | undefined {
  return key === null ? undefined : murmur2(key, 0, key.length);
}

function bytesOf({ key, value, headers }: KafkaRecord): number {
  let bytes = (key?.length ?? 0) + (value?.length ?? 0);
  for (const header of headers) bytes += header.key.length + (header.value?.length ?? 0);
  return bytes;
}
