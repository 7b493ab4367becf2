import { SpillwayError } from "../errors.ts";

/**
 * Waits for `work`, but no longer than `ms`. The work itself is not stopped: whoever owns it has to.
 * @throws SpillwayError TIMEOUT, retryable, naming `what`
 */
export async function withDeadline<T>(work: Promise<T>, ms: number, what: string): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(new SpillwayError("TIMEOUT", `${what} took longer than ${ms} ms`, { retryable: true }));
  }, ms);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
