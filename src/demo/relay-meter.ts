import { pause } from "../runtime/backoff.ts";

/** Asks for the number of records that have arrived in the wide topic. */
export type CountRelayed = () => Promise<number>;

interface Sample {
  readonly at: number;
  readonly count: number;
}

const FAST_POLL_MS = 20;
const SLOW_POLL_MS = 500;

/**
 * Watches the wide topic fill. From `begin` to when `goal` more records have arrived it asks often, to measure the rate
 * of a burst; before and after only to show progress.
 */
export class RelayMeter {
  readonly #count: CountRelayed;
  #latest: Sample = { at: 0, count: 0 };
  #burst: { readonly begin: Sample; readonly goal: number; reachedAt?: number } | undefined;

  constructor(count: CountRelayed) {
    this.#count = count;
  }

  get count(): number {
    return this.#latest.count;
  }

  /** Records a second over the burst, or undefined while it hasn't arrived. */
  get burstRate(): number | undefined {
    if (this.#burst?.reachedAt === undefined) return undefined;
    return (this.#burst.goal * 1000) / (this.#burst.reachedAt - this.#burst.begin.at);
  }

  async ask(): Promise<number> {
    this.#latest = { at: performance.now(), count: await this.#count() };
    return this.#latest.count;
  }

  /** The burst of `goal` records begins now. */
  async begin(goal: number): Promise<void> {
    await this.ask();
    this.#burst = { begin: { at: performance.now(), count: this.#latest.count }, goal };
  }

  /** Asks until it is stopped. @throws what a question threw */
  async run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      const before = this.#latest;
      await this.ask();
      this.#noteBurst(before, this.#latest);
      const isBurst = this.#burst !== undefined && this.#burst.reachedAt === undefined;
      await pause(isBurst ? FAST_POLL_MS : SLOW_POLL_MS, stop).catch(() => undefined);
    }
  }

  #noteBurst(before: Sample, after: Sample): void {
    if (this.#burst === undefined || this.#burst.reachedAt !== undefined) return;
    const { begin, goal } = this.#burst;
    const wanted = begin.count + goal;
    if (after.count < wanted) return;
    // Somewhere between two questions: taken as if records had come evenly.
    const share = after.count === before.count ? 1 : (wanted - before.count) / (after.count - before.count);
    const reachedAt = before.at + Math.max(0, share) * (after.at - before.at);
    this.#burst.reachedAt = Math.max(reachedAt, begin.at + 1);
  }
}
