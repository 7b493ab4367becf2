import { type Backoff, backoffMs, pause } from "../runtime/backoff.ts";
import type { Outage } from "./outage.ts";
import type { Availability } from "./target.ts";

export interface BreakerOptions {
  /** Of what is behind the breaker; told of every attempt. */
  readonly outage: Outage;
  /** Asks whether it is back. @throws what no retry mends */
  readonly probe: () => Promise<Availability>;
  /** Between two probes, and two attempts of a batch. */
  readonly backoff: Backoff;
  /** Attempts side by side from which on all may pass again: the number of writers. */
  readonly fullAt: number;
}

/** Attempts that fail one after the other, none that succeeds between them, until nobody passes any more. */
const TRIPS_AT = 3;

/**
 * Keeps an outage from being hammered at, and a recovery from a stampede. Closed, every attempt passes. Open, none does,
 * and one of those who wait asks now and then whether the database is back. Then one attempt passes, and with each that
 * succeeds one more side by side, doubling, until all do.
 *
 * Nothing is lost by waiting: what waits is in flight, and bounded; the group's membership has its own heartbeat.
 */
export class Breaker {
  readonly #options: BreakerOptions;
  #failures = 0;
  #probes = 0;
  /** Attempts that may be made side by side; undefined: as many as want to. */
  #allowed: number | undefined;
  #underWay = 0;
  #probing = false;
  #waiting: (() => void)[] = [];

  constructor(options: BreakerOptions) {
    this.#options = options;
  }

  /** True while attempts are held back. */
  get isOpen(): boolean {
    return this.#allowed !== undefined;
  }

  /**
   * Makes one attempt, when it may be made. `attempt` says whether the database was there to take it: undefined, or what
   * was wrong.
   * @throws the signal's reason; what the attempt or a probe throws
   */
  async through(attempt: () => Promise<string | undefined>, signal: AbortSignal): Promise<void> {
    await this.#turn(signal);
    const startedAt = performance.now();
    try {
      const failure = await attempt();
      if (failure === undefined) this.#succeeded(startedAt);
      else this.#failed(startedAt, failure);
    } finally {
      this.#underWay--;
      this.#wake();
    }
  }

  /** Counted as under way in the same step in which it is allowed: many are woken at once. */
  async #turn(signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#allowed === undefined || this.#underWay < this.#allowed) {
        this.#underWay++;
        return;
      }
      if (this.#allowed === 0 && !this.#probing) await this.#probe(signal);
      else await this.#wait(signal);
    }
  }

  /** Once; whoever comes next probes next. */
  async #probe(signal: AbortSignal): Promise<void> {
    this.#probing = true;
    try {
      this.#probes++;
      await pause(backoffMs(this.#probes, this.#options.backoff), signal);
      const answer = await this.#options.probe();
      if (answer.kind === "available") this.#allowed = 1;
    } finally {
      this.#probing = false;
      this.#wake();
    }
  }

  #succeeded(startedAt: number): void {
    this.#options.outage.succeeded(startedAt);
    this.#failures = 0;
    if (this.#allowed === undefined) return;
    this.#allowed = Math.max(1, this.#allowed * 2);
    if (this.#allowed < this.#options.fullAt) return;
    this.#allowed = undefined;
    this.#probes = 0;
  }

  #failed(startedAt: number, message: string): void {
    this.#options.outage.failed(startedAt, message);
    this.#failures++;
    if (this.#allowed !== undefined || this.#failures >= TRIPS_AT) this.#allowed = 0;
  }

  async #wait(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => resolve();
    this.#waiting.push(wake);
    signal.addEventListener("abort", wake, { once: true });
    await promise;
    signal.removeEventListener("abort", wake);
    this.#waiting = this.#waiting.filter((other) => other !== wake);
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}
