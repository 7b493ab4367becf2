import type { Logger } from "pino";
import { EXIT } from "./exit-codes.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export interface StopOptions {
  readonly log: Logger;
  /** How long a graceful stop may take altogether. */
  readonly deadlineMs: number;
}

/**
 * Does work that a signal may stop. The first signal aborts the work's own, which then has until the deadline to flush,
 * commit and leave; a second one ends the process at once.
 */
export async function untilStopped<T>(
  { log, deadlineMs }: StopOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  const stop = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const onSignal = (name: NodeJS.Signals): void => {
    if (stop.signal.aborted) {
      log.warn({ signal: name }, "second signal: ending at once; what is in flight will be done again");
      process.exit(EXIT.interrupted);
    }
    log.info({ signal: name, deadlineMs }, "stopping: a second signal ends at once");
    timer = setTimeout(() => {
      log.error({ deadlineMs }, "not stopped in time: ending at once; what is in flight will be done again");
      process.exit(EXIT.stopTimedOut);
    }, deadlineMs);
    stop.abort(new Error(`stopped by ${name}`));
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  try {
    return await work(stop.signal);
  } catch (error) {
    // Work that ends by the signal's own reason has stopped as it was told to.
    if (stop.signal.aborted && error === stop.signal.reason) return undefined;
    throw error;
  } finally {
    clearTimeout(timer);
    for (const name of SIGNALS) process.off(name, onSignal);
  }
}
