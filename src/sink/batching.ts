/** The bounds of a batch: whichever is reached first. */
export interface BatchBounds {
  readonly batchRecords: number;
  /** Of keys, values and headers. A record that is larger is a batch of its own. */
  readonly batchBytes: number;
  readonly batchTimeoutMs: number;
}

/** When records that have come are written. */
export interface Batching extends BatchBounds {
  /**
   * `fixed`: a batch waits for its bounds. `auto`: it waits only where that brings it company; see `isWorthWaiting`.
   */
  readonly batching: BatchingMode;
}

export const BATCHING_MODES = ["auto", "fixed"] as const;
export type BatchingMode = (typeof BATCHING_MODES)[number];

/** A batch of this part of the largest is full enough: its fixed cost hardly counts any more. */
const FULL_ENOUGH = 0.1;

/** What one writer has seen lately. */
export interface Traffic {
  readonly recordsPerMs: number;
  /** Of one write, in milliseconds. */
  readonly writeMs: number;
}

/**
 * Whether an idle writer should wait for more records before it writes those there are.
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

/** A batch that is being filled. */
export class Filling<T> {
  readonly items: T[] = [];
  readonly #bounds: Pick<BatchBounds, "batchRecords" | "batchBytes">;
  #bytes = 0;
  #isFull = false;

  constructor(bounds: Pick<BatchBounds, "batchRecords" | "batchBytes">) {
    this.#bounds = bounds;
  }

  /** It has as many as it may, or one didn't fit any more. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** False if it has no room for it. */
  add(item: T, bytes: number): boolean {
    const { batchRecords, batchBytes } = this.#bounds;
    if (this.items.length > 0 && this.#bytes + bytes > batchBytes) this.#isFull = true;
    if (this.#isFull) return false;
    this.items.push(item);
    this.#bytes += bytes;
    this.#isFull = this.items.length >= batchRecords;
    return true;
  }
}
