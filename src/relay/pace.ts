import { setTimeout as sleep } from "node:timers/promises";
import type { FetchedPartition } from "../kafka/source.ts";
import { spansOf } from "../record-batch/batch.ts";

/** How fast a relay may go, all of its instances together. */
export interface Limits {
  readonly recordsPerSecond?: number | undefined;
  readonly bytesPerSecond?: number | undefined;
  readonly paused?: boolean | undefined;
}

/** So much is relayed in one go where there is a limit: smaller pieces are a steadier flow, and more to do. */
const PIECE_SECONDS = 0.25;
const LONGEST_SLEEP_MS = 60_000;

/**
 * Holds a relay to its limits, which may change at any time. What was relayed is a debt that is worked off at the rate
 * that is allowed; nothing is relayed while there is any. So a rate is kept on average from the first record on, and
 * time in which nothing was to be done is not saved up.
 *
 * All shares of an instance go by one pace. An instance takes its part of the limits by its part of the partitions.
 */
export class Pace {
  readonly #now: () => number;
  #limits: Limits = {};
  /** Records per second at most while others are given way to. */
  #ceiling: number | undefined;
  /** Of the source's partitions, what this instance has. */
  #fraction = 1;
  #debt = { records: 0, bytes: 0 };
  #settledAt: number;
  /** Whoever waits, until a limit is changed. Not one promise for all: each race for it would stay in memory. */
  readonly #waiting = new Set<AbortController>();
  #records = 0;

  /** @param now milliseconds of a clock that only goes forward */
  constructor(limits: Limits = {}, now: () => number = () => performance.now()) {
    this.#now = now;
    this.#settledAt = now();
    this.#limits = limits;
  }

  get limits(): Limits {
    return this.#limits;
  }

  get ceiling(): number | undefined {
    return this.#ceiling;
  }

  /** Relayed since the beginning. */
  get records(): number {
    return this.#records;
  }

  set(limits: Limits): void {
    this.#change(() => {
      this.#limits = limits;
    });
  }

  giveWay(ceiling: number | undefined): void {
    this.#change(() => {
      this.#ceiling = ceiling;
    });
  }

  share(fraction: number): void {
    this.#change(() => {
      this.#fraction = fraction;
    });
  }

  /** What this instance may do in a second. */
  get rates(): { readonly records: number; readonly bytes: number } {
    const { recordsPerSecond = Infinity, bytesPerSecond = Infinity } = this.#limits;
    return {
      records: Math.min(recordsPerSecond * this.#fraction, this.#ceiling ?? Infinity),
      bytes: bytesPerSecond * this.#fraction,
    };
  }

  /** Takes what was relayed into account. */
  spend(records: number, bytes: number): void {
    this.#settle();
    this.#records += records;
    this.#debt.records += records;
    this.#debt.bytes += bytes;
  }

  /** Milliseconds until something may be relayed; infinite while it is paused. */
  waitMs(): number {
    if (this.#limits.paused === true) return Infinity;
    this.#settle();
    const { records, bytes } = this.rates;
    return Math.max(timeFor(this.#debt.records, records), timeFor(this.#debt.bytes, bytes));
  }

  /** Resolves once something may be relayed. @throws the signal's reason when that is aborted first */
  async open(signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      const ms = this.waitMs();
      if (ms <= 0) return;
      const waiting = new AbortController();
      const until = AbortSignal.any([signal, waiting.signal]);
      this.#waiting.add(waiting);
      await sleep(Math.min(ms, LONGEST_SLEEP_MS), undefined, { signal: until }).catch(() => {});
      this.#waiting.delete(waiting);
    }
  }

  /** True while there is a limit. */
  get isLimited(): boolean {
    const { records, bytes } = this.rates;
    return records !== Infinity || bytes !== Infinity;
  }

  /**
   * The first piece of what was fetched, as large as it may be relayed in one go, and the rest. A piece ends at an
   * offset, so that it can be committed. It is measured by records: offsets may hold none, for long stretches.
   */
  split(fetched: FetchedPartition): { readonly piece: FetchedPartition; readonly rest?: FetchedPartition } {
    if (!this.isLimited) return { piece: fetched };
    const { records, bytes } = this.rates;
    let [recordsLeft, bytesLeft] = [Math.max(1, records * PIECE_SECONDS), bytes * PIECE_SECONDS];
    for (const span of spansOf(fetched)) {
      const fits = Math.min(recordsLeft / span.records, bytesLeft / span.bytes);
      if (fits < 1) {
        const wanted = span.from + BigInt(Math.floor(fits * Number(span.to - span.from)));
        const end = wanted > fetched.fetchOffset ? wanted : fetched.fetchOffset + 1n;
        if (end >= fetched.nextOffset) break;
        return { piece: { ...fetched, endOffset: end, nextOffset: end }, rest: { ...fetched, fetchOffset: end } };
      }
      recordsLeft -= span.records;
      bytesLeft -= span.bytes;
    }
    return { piece: fetched };
  }

  #change(apply: () => void): void {
    this.#settle();
    apply();
    for (const waiting of this.#waiting) waiting.abort();
  }

  /** Works the debt off at the rate that was in force. */
  #settle(): void {
    const now = this.#now();
    const seconds = (now - this.#settledAt) / 1_000;
    this.#settledAt = now;
    if (this.#limits.paused === true) return;
    const { records, bytes } = this.rates;
    this.#debt.records = left(this.#debt.records, records * seconds);
    this.#debt.bytes = left(this.#debt.bytes, bytes * seconds);
  }
}

function left(debt: number, paid: number): number {
  return Number.isNaN(paid) ? 0 : Math.max(0, debt - paid);
}

function timeFor(debt: number, perSecond: number): number {
  return debt === 0 ? 0 : (debt / perSecond) * 1_000;
}
