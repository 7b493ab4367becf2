import type { Logger } from "pino";
import { messageOf } from "../errors.ts";
import { type Backoff, retry } from "../runtime/backoff.ts";
import type { SinkStats } from "./stats.ts";

export interface OutlastOptions<T> {
  readonly backoff: Backoff;
  /** Ends the wait. */
  readonly signal: AbortSignal;
  /** Whether a success shows that the outage is over: always, unless said. */
  readonly shows?: (done: T) => boolean;
}

/**
 * Makes an outage visible: one line when it begins and one when it is over, however many attempts fail meanwhile.
 *
 * Attempts overlap, so an outcome counts only if its attempt began behind what was seen last: an attempt that hung since
 * before the recovery doesn't begin a new outage, and a success that was under way when others failed doesn't end it.
 */
export class Outage {
  readonly #what: string;
  readonly #log: Logger;
  readonly #stats: SinkStats | undefined;
  #since: number | undefined;
  #lastFailureAt = Number.NEGATIVE_INFINITY;
  #overAt = Number.NEGATIVE_INFINITY;

  /** @param stats where it is shown too */
  constructor(what: string, log: Logger, stats?: SinkStats) {
    this.#what = what;
    this.#log = log;
    this.#stats = stats;
  }

  /** @param startedAt when the attempt began, by `performance.now()` */
  failed(startedAt: number, message: string): void {
    if (startedAt < this.#overAt) return;
    const now = performance.now();
    this.#lastFailureAt = now;
    if (this.#since !== undefined) return;
    this.#since = now;
    if (this.#stats !== undefined) this.#stats.awaySince = Date.now();
    this.#log.warn({ error: message }, `${this.#what} is away: trying until it is back`);
  }

  /** @param startedAt when the attempt began, by `performance.now()` */
  succeeded(startedAt: number): void {
    if (this.#since === undefined || startedAt < this.#lastFailureAt) return;
    const now = performance.now();
    const milliseconds = Math.round(now - this.#since);
    this.#since = undefined;
    this.#overAt = now;
    if (this.#stats !== undefined) this.#stats.awaySince = undefined;
    this.#log.info({ milliseconds }, `${this.#what} is back`);
  }

  /**
   * Tries until it succeeds, however long the outage lasts.
   * @throws what no retry mends; the signal's reason once that is aborted
   */
  async outlast<T>(operation: () => Promise<T>, { backoff, signal, shows }: OutlastOptions<T>): Promise<T> {
    let startedAt = 0;
    const done = await retry(
      () => {
        startedAt = performance.now();
        return operation();
      },
      {
        signal,
        backoff,
        deadlineMs: Number.POSITIVE_INFINITY,
        onRetry: (error) => this.failed(startedAt, messageOf(error)),
      },
    );
    if (shows === undefined || shows(done)) this.succeeded(startedAt);
    return done;
  }
}
