import { bufferTime, concatMap, EMPTY, filter, lastValueFrom, map, merge, type Observable, Subject } from "rxjs";

export interface LanesOptions<T> {
  readonly lanes: number;
  readonly batchRecords: number;
  /** Milliseconds between two cuts of a batch that isn't full. */
  readonly batchTimeoutMs: number;
  /** Writes one batch. Its rejection ends all lanes. */
  readonly write: (batch: readonly T[]) => Promise<void>;
}

/**
 * Queues that are cut into batches and written, each lane one batch after the other, all lanes side by side.
 *
 * RxJS knows no backpressure: whoever pushes bounds what is in flight. And bufferTime drops its buffer when it is
 * unsubscribed: lanes end by `complete` alone.
 */
export class Lanes<T> {
  readonly #subjects: readonly Subject<T>[];
  /** Resolves when all lanes have written everything, after `complete`. Rejects at the first write that does. */
  readonly finished: Promise<void>;

  constructor(options: LanesOptions<T>) {
    this.#subjects = Array.from({ length: options.lanes }, () => new Subject<T>());
    const lanes = this.#subjects.map((records) => batchesWritten(records, options));
    this.finished = lastValueFrom(merge(...lanes), { defaultValue: undefined });
  }

  /** `lane` counts from 0. */
  push(lane: number, item: T): void {
    this.#subjects[lane]?.next(item);
  }

  /** Flushes what is buffered; no more can be pushed. */
  complete(): void {
    for (const subject of this.#subjects) subject.complete();
  }
}

function batchesWritten<T>(
  records: Observable<T>,
  { batchRecords, batchTimeoutMs, write }: LanesOptions<T>,
): Observable<void> {
  const waiting: T[] = [];
  return records.pipe(
    bufferTime(batchTimeoutMs, null, batchRecords),
    filter((batch) => batch.length > 0),
    map((batch) => {
      for (const record of batch) waiting.push(record);
    }),
    // What was cut while a write went on is joined to full batches again: its queue holds turns, not batches.
    concatMap(() => (waiting.length === 0 ? EMPTY : write(waiting.splice(0, batchRecords)))),
  );
}

/** Chooses lanes for records as they come in. */
export class LaneChoice {
  readonly #lanes: number;
  readonly #batchRecords: number;
  #keyless = 0;
  #given = 0;

  constructor({ lanes, batchRecords }: { readonly lanes: number; readonly batchRecords: number }) {
    this.#lanes = lanes;
    this.#batchRecords = batchRecords;
  }

  /** Records without a key may take any lane: they fill a batch of one, then of the next. */
  key(hash: number | undefined): number {
    if (hash !== undefined) return laneOf(hash, this.#lanes);
    if (this.#given === this.#batchRecords) this.nextFetch();
    this.#given++;
    return this.#keyless;
  }

  /** Those fetched next take another lane: it may be idle while this one still writes. */
  nextFetch(): void {
    this.#given = 0;
    this.#keyless = (this.#keyless + 1) % this.#lanes;
  }
}

/**
 * The lane of a key, from its murmur2 hash. Kafka places records by that same hash, so within one partition the plain
 * remainder would reach a few lanes only (4 of 32 where a topic has 24 partitions); mixed first, it reaches all.
 */
export function laneOf(keyHash: number, lanes: number): number {
  let h = keyHash ^ (keyHash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) % lanes;
}
