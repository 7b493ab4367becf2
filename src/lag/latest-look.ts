import type { Vitals } from "../health/watchdog.ts";
import type { LagReport } from "./report.ts";

export interface LookTiming {
  /** Milliseconds between two looks. */
  readonly intervalMs: number;
  /** Milliseconds that one look may take. */
  readonly deadlineMs: number;
}

/** What repeated looks have come to, for whoever asks between them: a scrape, a probe. */
export class LatestLook {
  readonly #timing: LookTiming;
  readonly #now: () => number;
  readonly #startedAt = Date.now();
  #report: LagReport | undefined;
  /** When the last whole look ended, or when this began. */
  #seenAt: number;
  #whole = 0;
  #failed = 0;

  /** @param now milliseconds of a clock that only goes forward */
  constructor(timing: LookTiming, now: () => number = () => performance.now()) {
    this.#timing = timing;
    this.#now = now;
    this.#seenAt = now();
  }

  saw(report: LagReport): void {
    this.#report = report;
    this.#seenAt = this.#now();
    this.#whole++;
  }

  failed(): void {
    this.#failed++;
  }

  /**
   * Undefined before the first, and once it is so old that a look must have failed, and the next one too: what was so
   * then must not be taken for what is so now.
   */
  get report(): LagReport | undefined {
    const { intervalMs, deadlineMs } = this.#timing;
    return this.#ageMs > 2 * (intervalMs + deadlineMs) ? undefined : this.#report;
  }

  get looks(): { readonly whole: number; readonly failed: number; readonly ageSeconds: number } {
    return { whole: this.#whole, failed: this.#failed, ageSeconds: this.#ageMs / 1_000 };
  }

  /** What may be said to whoever asks by HTTP, who need not be allowed to read the topics: no keys, no clients' hosts. */
  get status() {
    const { atMs, groups = [], unseen = [] } = this.report ?? {};
    const ofGroups = groups.map(({ partitions, ...group }) => ({
      ...group,
      partitions: partitions.map(({ topic, partition, status, messages, seconds }) => {
        return { topic, partition, status, messages, seconds };
      }),
    }));
    return { ...this.looks, atMs, groups: ofGroups, unseen };
  }

  /** For the watchdog: a look that is due is work, one that ends is work done. */
  vitals(): Vitals {
    return {
      joined: true,
      done: this.#whole,
      hasWork: this.#ageMs > this.#timing.intervalMs,
      paused: false,
      away:
        this.report === undefined
          ? { what: "a look at the groups", since: this.#report?.atMs ?? this.#startedAt }
          : undefined,
    };
  }

  get #ageMs(): number {
    return this.#now() - this.#seenAt;
  }
}
