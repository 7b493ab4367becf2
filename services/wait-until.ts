import { setTimeout as pause } from "node:timers/promises";
import { ServiceError } from "./errors.ts";

export interface WaitOptions {
  readonly timeoutMs: number;
  /** Completes the sentence "waited 5 s until …". */
  readonly what: string;
  readonly everyMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Polls a condition that gives no event of its own. */
export async function waitUntil(condition: () => boolean | Promise<boolean>, options: WaitOptions): Promise<void> {
  const deadline = performance.now() + options.timeoutMs;
  while (!(await condition())) {
    options.signal?.throwIfAborted();
    if (performance.now() > deadline) {
      throw new ServiceError(`waited ${options.timeoutMs / 1000} s in vain until ${options.what}`);
    }
    await pause(options.everyMs ?? 25);
  }
}
