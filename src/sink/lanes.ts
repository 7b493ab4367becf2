import { finalize, lastValueFrom, merge } from "rxjs";
import { type Batching, Filling, isWorthWaiting, Rate, RecentMean } from "./batching.ts";
import { Lane, type LaneOptions } from "./lane.ts";

export interface LanesOptions<T> extends LaneOptions<T>, Batching {
  readonly lanes: number;
  /** Batches that are written side by side. */
  readonly writers: number;
  /** Writes one batch, of records of any lanes. Its rejection ends all lanes. */
  readonly write: (batch: readonly T[]) => Promise<void>;
}

/**
 * Many lanes, which keep the order, and a few writers, which take what all lanes have gathered: a batch is full however
 * thinly records are spread, and whatever holds one lane up leaves the others alone.
 *
 * Invariants: what a lane was given is written in that order, one part after the other. A writer that is idle takes the
 * lane that waits longest first, and fills its batch from others, whether or not these have reached a bound of their own.
 *
 * RxJS knows no backpressure: whoever pushes bounds what is in flight.
 */
export class Lanes<T> {
  readonly #options: LanesOptions<T>;
  readonly #lanes: readonly Lane<T>[];
  /** Lanes that wait for a writer. Those that wait longest stand first, here and below. */
  readonly #ready = new Map<Lane<T>, PromiseWithResolvers<void>>();
  /** Lanes that gather records and have nothing else to do. */
  readonly #open = new Set<Lane<T>>();
  readonly #arrivals = new Rate();
  readonly #writes = new RecentMean();
  #pushed = 0;
  /** Of the open lanes. */
  #openRecords = 0;
  #openBytes = 0;
  #idleWriters: number;
  /** While a batch is filled, lanes that are cut for it wait for it. */
  #isFilling = false;
  /** Lanes that nobody subscribes to any more can't be cut. */
  #isOver = false;
  /** Resolves when all lanes have written everything, after `complete`. Rejects at the first write that does. */
  readonly finished: Promise<void>;

  constructor(options: LanesOptions<T>) {
    this.#options = options;
    this.#idleWriters = options.writers;
    const host = {
      turn: (lane: Lane<T>) => this.#turn(lane),
      busy: (lane: Lane<T>) => this.#busy(lane),
      rested: (lane: Lane<T>) => this.#rested(lane),
    };
    this.#lanes = Array.from({ length: options.lanes }, () => new Lane(options, host));
    const written = merge(...this.#lanes.map((lane) => lane.written)).pipe(finalize(() => (this.#isOver = true)));
    this.finished = lastValueFrom(written, { defaultValue: undefined });
  }

  /** `lane` counts from 0. */
  push(lane: number, item: T): void {
    const to = this.#lanes[lane] as Lane<T>;
    this.#pushed++;
    if (!to.isBusy) {
      this.#open.add(to);
      this.#openRecords++;
      this.#openBytes += this.#options.bytesOf(item);
    }
    to.push(item);
    this.#fillIdle(() => this.#isBatchFull());
  }

  /** Does something in a lane behind the records that it has, and before those that come; no writer waits for it. */
  run(lane: number, work: () => Promise<void>): void {
    this.#lanes[lane]?.run(work);
  }

  /** No more is at hand: idle writers that need not wait for company begin to write. */
  pause(): void {
    this.#arrivals.add(this.#pushed, performance.now());
    this.#pushed = 0;
    this.#hurry();
  }

  /** Flushes what is gathered; no more can be pushed. */
  complete(): void {
    for (const lane of this.#lanes) lane.complete();
  }

  #busy(lane: Lane<T>): void {
    if (!this.#open.delete(lane)) return;
    this.#openRecords -= lane.records;
    this.#openBytes -= lane.bytes;
  }

  #rested(lane: Lane<T>): void {
    if (!lane.isOpen) return;
    this.#open.add(lane);
    this.#openRecords += lane.records;
    this.#openBytes += lane.bytes;
    this.#hurry();
  }

  #turn(lane: Lane<T>): Promise<void> {
    const turn = Promise.withResolvers<void>();
    this.#ready.set(lane, turn);
    this.#begin();
    return turn.promise;
  }

  #isBatchFull(): boolean {
    return this.#openRecords >= this.#options.batchRecords || this.#openBytes >= this.#options.batchBytes;
  }

  #hurry(): void {
    const { batching, writers } = this.#options;
    const recordsPerMs = this.#arrivals.perMs(performance.now()) / writers;
    const traffic = { recordsPerMs, writeMs: this.#writes.value };
    const waits = batching === "fixed" || isWorthWaiting(traffic, this.#options);
    this.#fillIdle(() => !waits || this.#isBatchFull());
  }

  /** Has idle writers begin with open lanes, for as long as it should be. */
  #fillIdle(shouldBe: () => boolean): void {
    while (!this.#isOver && this.#idleWriters > 0 && this.#open.size > 0 && shouldBe()) this.#cutNext();
  }

  /** The lane is busy then, and ready unless it lacks something. */
  #cutNext(): void {
    const [lane] = this.#open;
    lane?.cut();
  }

  #begin(): void {
    if (this.#isFilling) return;
    while (!this.#isOver && this.#idleWriters > 0 && this.#ready.size > 0) void this.#writeNext();
  }

  async #writeNext(): Promise<void> {
    const { items, turns } = this.#nextBatch();
    this.#idleWriters--;
    const startedAt = performance.now();
    try {
      await this.#options.write(items);
    } catch (error) {
      for (const turn of turns) turn.reject(error);
      return; // never idle again: nothing more is to be written
    }
    this.#writes.add(performance.now() - startedAt);
    for (const turn of turns) turn.resolve();
    await undefined; // all of its lanes go on first, so that the next batch may be filled from them too
    this.#idleWriters++;
    this.#begin();
    this.#hurry();
  }

  #nextBatch(): { readonly items: readonly T[]; readonly turns: readonly PromiseWithResolvers<void>[] } {
    const batch = new Filling<T>(this.#options);
    const turns = [];
    this.#isFilling = true;
    while (!batch.isFull) {
      const [next] = this.#ready;
      if (next === undefined) {
        if (this.#open.size === 0) break;
        this.#cutNext();
        continue;
      }
      const [lane, turn] = next;
      if (lane.fill(batch) === 0) break; // it had no room for the first of them
      this.#ready.delete(lane);
      turns.push(turn);
    }
    this.#isFilling = false;
    return { items: batch.items, turns };
  }
}
