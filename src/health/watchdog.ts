/** What a process says of itself when it is asked whether it is well. */
export interface Vitals {
  /** It is a member of its group and knows what is its own. */
  readonly joined: boolean;
  /** Everything that was brought to an end so far: it grows, or nothing moves. */
  readonly done: number;
  /** There is something to bring to an end. */
  readonly hasWork: boolean;
  /** It was told to stand still. */
  readonly paused: boolean;
  /** Why nothing can move, where that is known: what is away, and since when in milliseconds since the epoch. */
  readonly away: { readonly what: string; readonly since: number } | undefined;
}

export interface Readiness {
  readonly ready: boolean;
  /** Each why it isn't ready; empty if it is. */
  readonly reasons: readonly string[];
}

/**
 * Tells whether a process gets anywhere. A heartbeat shows that a process runs; this asks whether what it is to do gets
 * done: while there is work, something has to come to its end within `patienceMs`.
 */
export class Watchdog {
  readonly #patienceMs: number;
  readonly #now: () => number;
  #done = -1;
  #movedAt: number;

  /** @param now milliseconds of a clock that only goes forward */
  constructor(patienceMs: number, now: () => number = () => performance.now()) {
    this.#patienceMs = patienceMs;
    this.#now = now;
    this.#movedAt = now();
  }

  /** To be asked every few seconds, by whoever wants to know or by a timer: what happens between is not seen. */
  look({ joined, done, hasWork, paused, away }: Vitals): Readiness {
    const now = this.#now();
    if (done !== this.#done || !hasWork || paused) {
      this.#done = done;
      this.#movedAt = now;
    }
    const stoodMs = now - this.#movedAt;
    const reasons = [
      ...(joined ? [] : ["it has not joined its group"]),
      ...(away === undefined ? [] : [`${away.what} is away since ${new Date(away.since).toISOString()}`]),
      ...(stoodMs > this.#patienceMs
        ? [`nothing was done for ${Math.round(stoodMs / 1_000)} s, though there is work`]
        : []),
    ];
    return { ready: reasons.length === 0, reasons };
  }
}
