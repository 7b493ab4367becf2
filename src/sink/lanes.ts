import { bufferTime, concatMap, filter, lastValueFrom, merge, type Observable, Subject, window } from "rxjs";
import { type Batching, isWorthWaiting, Rate, RecentMean, takeBatch } from "./batching.ts";

export interface LanesOptions<T> extends Batching {
  readonly lanes: number;
  readonly bytesOf: (item: T) => number;
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
  readonly #lanes: readonly Lane<T>[];
  readonly #pushed = new Set<Lane<T>>();
  /** Resolves when all lanes have written everything, after `complete`. Rejects at the first write that does. */
  readonly finished: Promise<void>;

  constructor(options: LanesOptions<T>) {
    const writes = new RecentMean();
    this.#lanes = Array.from({ length: options.lanes }, () => new Lane(options, writes));
    this.finished = lastValueFrom(merge(...this.#lanes.map(({ written }) => written)), { defaultValue: undefined });
  }

  /** `lane` counts from 0. */
  push(lane: number, item: T): void {
    const to = this.#lanes[lane] as Lane<T>;
    to.push(item);
    this.#pushed.add(to);
  }

  /** No more is at hand: lanes that need not wait for company begin to write. */
  pause(): void {
    const now = performance.now();
    for (const lane of this.#pushed) lane.pause(now);
    this.#pushed.clear();
  }

  /** Flushes what is buffered; no more can be pushed. */
  complete(): void {
    for (const lane of this.#lanes) lane.complete();
  }
}

class Lane<T> {
  readonly written: Observable<void>;
  readonly #options: LanesOptions<T>;
  readonly #writes: RecentMean;
  readonly #records = new Subject<T>();
  /** Ends the open batch. */
  readonly #cut = new Subject<void>();
  readonly #arrivals = new Rate();
  /** Cut and not yet written. */
  readonly #waiting: T[] = [];
  #bytes = 0;
  #pushed = 0;
  #writing = false;

  constructor(options: LanesOptions<T>, writes: RecentMean) {
    this.#options = options;
    this.#writes = writes;
    const { batchTimeoutMs, batchRecords } = options;
    this.written = this.#records.pipe(
      window(this.#cut),
      concatMap((records) => records.pipe(bufferTime(batchTimeoutMs, null, batchRecords))),
      filter((batch) => this.#beginsWriting(batch)),
      concatMap(() => this.#write()),
    );
  }

  push(item: T): void {
    const { bytesOf, batchBytes } = this.#options;
    this.#bytes += bytesOf(item);
    this.#pushed++;
    this.#records.next(item);
    if (this.#bytes >= batchBytes) this.#cut.next();
  }

  pause(now: number): void {
    this.#arrivals.add(this.#pushed, now);
    this.#pushed = 0;
    if (this.#options.batching === "fixed" || this.#writing) return;
    const traffic = { recordsPerMs: this.#arrivals.perMs(now), writeMs: this.#writes.value };
    if (!isWorthWaiting(traffic, this.#options)) this.#cut.next();
  }

  complete(): void {
    this.#records.complete();
  }

  /**
   * What is cut while a write goes on is that write's to go on with. So no turns queue up: RxJS completes queued ones by
   * recursion, and thousands of them overflow the stack without a word, and the lane never writes again.
   */
  #beginsWriting(batch: readonly T[]): boolean {
    this.#bytes = 0;
    for (const record of batch) this.#waiting.push(record);
    if (batch.length === 0 || this.#writing) return false;
    this.#writing = true;
    return true;
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const startedAt = performance.now();
      await this.#options.write(takeBatch(this.#waiting, this.#options.bytesOf, this.#options));
      this.#writes.add(performance.now() - startedAt);
    }
    this.#writing = false;
  }
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
