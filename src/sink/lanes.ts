import { finalize, lastValueFrom, merge } from "rxjs";
import { type Batching, Filling, isWorthWaiting, Rate, RecentMean } from "./batching.ts";
import { Lane, type LaneOptions } from "./lane.ts";
import { OldestFirst } from "./oldest-first.ts";

export interface LanesOptions<T> extends LaneOptions<T>, Batching {
  readonly lanes: number;
  /** Batches that are written side by side. */
  readonly writers: number;
  /** Grows with each item that is pushed, into whatever lane. */
  readonly orderOf: (item: T) => number;
  /** Writes one batch, of records of any lanes. Its rejection ends all lanes. */
  readonly write: (batch: readonly T[]) => Promise<void>;
}

/**
 * Many lanes, which keep the order, and a few writers, which take what all lanes have gathered: a batch is full however
 * thinly records are spread, and whatever holds one lane up leaves the others alone.
 *
 * Invariants: what a lane was given is written in that order, one part after the other. A batch is of what came first in
 * all lanes that aren't being written, whether or not these have reached a bound of their own; of a part of the lanes where
 * there is enough for several writers.
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
  #isBeginning = false;
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
      if (!to.isOpen) this.#open.add(to);
      this.#openRecords++;
      this.#openBytes += this.#options.bytesOf(item);
    }
    to.push(item);
    // At once, so that it is exactly full; unless lanes are about to go on of which it may be filled, too.
    if (this.#idleWriters > 0 && !this.#isBeginning && this.#isBatchFull()) this.#begin();
  }

  /** Does something in a lane behind the records that it has, and before those that come; no writer waits for it. */
  run(lane: number, work: () => Promise<void>): void {
    this.#lanes[lane]?.run(work);
  }

  /** No more is at hand: idle writers that need not wait for company begin to write. */
  pause(): void {
    this.#arrivals.add(this.#pushed, performance.now());
    this.#pushed = 0;
    this.#beginSoon();
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
    this.#beginSoon();
  }

  #turn(lane: Lane<T>): Promise<void> {
    const turn = Promise.withResolvers<void>();
    this.#ready.set(lane, turn);
    this.#beginSoon();
    return turn.promise;
  }

  #isBatchFull(): boolean {
    return this.#openRecords >= this.#options.batchRecords || this.#openBytes >= this.#options.batchBytes;
  }

  /** Whether idle writers should wait for more, where no lane has reached a bound. */
  #isWaitingWorth(): boolean {
    const { batching, writers } = this.#options;
    const recordsPerMs = this.#arrivals.perMs(performance.now()) / writers;
    return batching === "fixed" || isWorthWaiting({ recordsPerMs, writeMs: this.#writes.value }, this.#options);
  }

  /** Not before all lanes have gone on whose batch has been written in this turn: the next one is filled from them, too. */
  #beginSoon(): void {
    if (this.#isBeginning || this.#idleWriters === 0) return;
    this.#isBeginning = true;
    queueMicrotask(() => {
      this.#isBeginning = false;
      this.#begin();
    });
  }

  #begin(): void {
    if (this.#isOver) return;
    const waits = this.#isWaitingWorth();
    const shouldBegin = () => this.#ready.size > 0 || (this.#open.size > 0 && (!waits || this.#isBatchFull()));
    while (this.#idleWriters > 0 && shouldBegin()) void this.#writeNext();
  }

  async #writeNext(): Promise<void> {
    const { items, turns } = this.#nextBatch();
    if (items.length === 0) return; // all of its lanes lack something
    this.#idleWriters--;
    const startedAt = performance.now();
    try {
      await this.#options.write(items);
    } catch (error) {
      this.#isOver = true; // and this writer is never idle again: nothing more is to be written
      for (const turn of turns) turn.reject(error);
      return;
    }
    this.#writes.add(performance.now() - startedAt);
    this.#idleWriters++;
    for (const turn of turns) turn.resolve();
    this.#beginSoon();
  }

  /**
   * The oldest records of the lanes of one writer, in the order in which they came: a database writes neighbours together,
   * and ids that come from a record's origin are neighbours in their index as well.
   */
  #nextBatch(): { readonly items: readonly T[]; readonly turns: readonly PromiseWithResolvers<void>[] } {
    const { orderOf, bytesOf } = this.#options;
    const lanes = this.#share();
    for (const lane of lanes) lane.cut();
    const ready = lanes.filter((lane) => this.#ready.has(lane));
    const oldest = new OldestFirst(ready, orderOf);
    const batch = new Filling<T>(this.#options);
    for (let item = oldest.head(); item !== undefined && batch.add(item, bytesOf(item)); item = oldest.head()) {
      oldest.shift();
    }
    const turns = ready.flatMap((lane) => {
      const turn = lane.settle() ? this.#ready.get(lane) : undefined;
      if (turn === undefined) return [];
      this.#ready.delete(lane);
      return [turn];
    });
    return { items: batch.items, turns };
  }

  /** The lanes for the next batch: all that aren't being written, or a part where they have a batch for other idle writers. */
  #share(): readonly Lane<T>[] {
    const { batchRecords, batchBytes } = this.#options;
    const all = [...this.#ready.keys(), ...this.#open];
    const records = all.reduce((sum, lane) => sum + lane.records, 0);
    const bytes = all.reduce((sum, lane) => sum + lane.bytes, 0);
    const batches = Math.floor(Math.max(records / batchRecords, bytes / batchBytes));
    return all.slice(0, Math.ceil(all.length / Math.max(1, Math.min(this.#idleWriters, batches))));
  }
}
