/** How a lane cuts its records into batches: whichever bound is reached first. */
export interface Batching {
  /**
   * `fixed`: a batch waits for its bounds. `auto`: it waits only where that brings it company; see `isWorthWaiting`.
   */
  readonly batching: BatchingMode;
  readonly batchRecords: number;
  /** Of keys, values and headers. A record that is larger is a batch of its own. */
  readonly batchBytes: number;
  readonly batchTimeoutMs: number;
}

export const BATCHING_MODES = ["auto", "fixed"] as const;
export type BatchingMode = (typeof BATCHING_MODES)[number];

/** A batch of this part of the largest is full enough: its fixed cost hardly counts any more. */
const FULL_ENOUGH = 0.1;

/** What a lane has seen lately. */
export interface Traffic {
  readonly recordsPerMs: number;
  /** Of one write, in milliseconds. */
  readonly writeMs: number;
}

/**
 * Whether an idle lane should wait for more records before it writes those it has.
 * - Where fewer than one is to be expected within the time-out, waiting is all delay.
 * - Where enough of them gather while a write goes on, the next batch is full in any case, and the sooner it begins the
 *   better.
 */
export function isWorthWaiting(
  { recordsPerMs, writeMs }: Traffic,
  { batchTimeoutMs, batchRecords }: Pick<Batching, "batchTimeoutMs" | "batchRecords">,
): boolean {
  return recordsPerMs * batchTimeoutMs >= 1 && recordsPerMs * writeMs < batchRecords * FULL_ENOUGH;
}

/** Events per millisecond, those of a second ago counting a third of those of now. */
export class Rate {
  #weight = 0;
  #at = 0;

  add(count: number, nowMs: number): void {
    this.#weight = this.#decayed(nowMs) + count;
    this.#at = nowMs;
  }

  perMs(nowMs: number): number {
    return this.#decayed(nowMs) / MEMORY_MS;
  }

  #decayed(nowMs: number): number {
    return this.#weight * Math.exp((this.#at - nowMs) / MEMORY_MS);
  }
}

const MEMORY_MS = 1_000;

/** A mean in which a new value counts a fifth. */
export class RecentMean {
  #mean: number | undefined;

  add(value: number): void {
    this.#mean = this.#mean === undefined ? value : this.#mean + (value - this.#mean) / 5;
  }

  /** 0 before the first value. */
  get value(): number {
    return this.#mean ?? 0;
  }
}

/** Takes the next batch off the front of a queue. */
export function takeBatch<T>(
  queue: T[],
  bytesOf: (item: T) => number,
  { batchRecords, batchBytes }: Pick<Batching, "batchRecords" | "batchBytes">,
): T[] {
  let bytes = 0;
  let count = 0;
  for (const item of queue) {
    bytes += bytesOf(item);
    if (count === batchRecords || (count > 0 && bytes > batchBytes)) break;
    count++;
  }
  return queue.splice(0, count);
}
