import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { isRetryable } from "../errors.ts";

/** Exponential backoff with full jitter: see "Exponential Backoff And Jitter", AWS Architecture Blog, 2015. */
export interface Backoff {
  readonly baseMs: number;
  readonly maxMs: number;
}

export interface RetryOptions {
  readonly signal: AbortSignal;
  readonly backoff: Backoff;
  /** Milliseconds after which a failure is final, however retryable. */
  readonly deadlineMs: number;
  /** Decides which errors are worth another attempt; those that say so themselves by default. */
  readonly retryable?: (error: unknown) => boolean;
  /** Told before each pause, so that a retry is visible. */
  readonly onRetry?: (error: unknown, attempt: number, delayMs: number) => void;
}

/** The pause before attempt `attempt` (the first retry is 1): anywhere up to the exponential bound. */
export function backoffMs(attempt: number, { baseMs, maxMs }: Backoff, random: () => number = Math.random): number {
  return random() * Math.min(maxMs, baseMs * 2 ** Math.min(attempt - 1, 30));
}

/**
 * Calls `operation` until it succeeds.
 * @throws the last error once it isn't retryable or the deadline has passed; the signal's reason once that is aborted
 */
export async function retry<T>(operation: (attempt: number) => Promise<T>, options: RetryOptions): Promise<T> {
  const retryable = options.retryable ?? isRetryable;
  const giveUpAt = performance.now() + options.deadlineMs;
  for (let attempt = 1; ; attempt++) {
    options.signal.throwIfAborted();
    try {
      return await operation(attempt);
    } catch (error) {
      const delayMs = backoffMs(attempt, options.backoff);
      if (options.signal.aborted || !retryable(error) || performance.now() + delayMs > giveUpAt) throw error;
      options.onRetry?.(error, attempt, delayMs);
      await pause(delayMs, options.signal);
    }
  }
}

/** Waits. @throws the signal's reason when that is aborted first */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

/** Resolves when the signal is aborted. */
export async function untilAborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, "abort");
}
