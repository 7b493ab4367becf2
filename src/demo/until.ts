import { SpillwayError } from "../errors.ts";
import { pause } from "../runtime/backoff.ts";

const POLL_MS = 50;

/** Waits for something that has no event of its own. @throws SpillwayError TIMEOUT, saying what didn't happen */
export async function until(
  condition: () => boolean,
  { timeoutMs, what, signal }: { readonly timeoutMs: number; readonly what: string; readonly signal: AbortSignal },
): Promise<void> {
  for (const deadline = performance.now() + timeoutMs; !condition(); ) {
    if (performance.now() > deadline) {
      throw new SpillwayError("TIMEOUT", `Waited ${timeoutMs / 1000} s in vain until ${what}`);
    }
    await pause(POLL_MS, signal);
  }
}
