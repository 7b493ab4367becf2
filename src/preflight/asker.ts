import { SpillwayError } from "../errors.ts";
import { retry } from "../runtime/backoff.ts";
import { withDeadline } from "../runtime/deadline.ts";
import type { Answer } from "./facts.ts";

const BACKOFF = { baseMs: 50, maxMs: 500 };
/** What is left once the time is up: a question that is asked all the same fails at once. */
const LEAST_MS = 1;

/**
 * Asks questions, all within one time. A question that fails is an answer too. One that hangs, as at a broker that is
 * frozen, takes half of the time that is left at most: there is always some for the next.
 */
export class Asker {
  readonly #signal: AbortSignal;
  readonly #endsAt: number;

  constructor(signal: AbortSignal, deadlineMs: number) {
    this.#signal = signal;
    this.#endsAt = performance.now() + deadlineMs;
  }

  get leftMs(): number {
    return Math.max(LEAST_MS, this.#endsAt - performance.now());
  }

  /** Tries again while leaders and coordinators are moving. @throws the signal's reason once that is aborted */
  async persist<T>(what: string, work: () => Promise<T>): Promise<Answer<T>> {
    const deadlineMs = this.leftMs / 2;
    const limits = { signal: this.#signal, backoff: BACKOFF, deadlineMs };
    return await this.once(what, () => retry(work, limits), deadlineMs);
  }

  /** @throws the signal's reason once that is aborted */
  async once<T>(what: string, work: () => Promise<T>, deadlineMs = this.leftMs / 2): Promise<Answer<T>> {
    try {
      return { kind: "known", value: await withDeadline(work(), deadlineMs, what) };
    } catch (error) {
      this.#signal.throwIfAborted();
      if (!(error instanceof SpillwayError)) throw error;
      const isForbidden = error.code === "NOT_AUTHORIZED";
      return { kind: "unknown", why: error.message, isForbidden };
    }
  }
}

export function unknown(why: string): Answer<never> {
  return { kind: "unknown", why, isForbidden: false };
}
