import type { Logger } from "pino";
import type { SinkStats } from "./stats.ts";

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
}
