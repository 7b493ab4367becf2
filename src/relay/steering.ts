import type { Logger } from "pino";
import { messageOf, SpillwayError } from "../errors.ts";
import type { RelayOptions } from "./options.ts";
import type { Limits, Pace } from "./pace.ts";
import { followSettings, limitsBy, type Settings } from "./settings.ts";
import { giveWay } from "./yield-to.ts";

interface Context {
  readonly signal: AbortSignal;
  readonly log: Logger;
}

/**
 * Holds a relay's pace to its options, to what it is told while it runs, and to the group that it gives way to, until
 * it is disposed of. What it was told before it started holds from the beginning.
 */
export async function steer(pace: Pace, options: RelayOptions, { signal, log }: Context): Promise<AsyncDisposable> {
  const { kafka, source, group, limits = {}, yieldTo } = options;
  await using stack = new AsyncDisposableStack();
  pace.set(limits);
  const take = (settings: Settings): void => {
    const next = limitsBy(limits, settings);
    if (!isSame(next, pace.limits)) log.info({ source, ...next }, next.paused === true ? "paused" : "new limits");
    pace.set(next);
  };
  const control = { kafka, log, signal };
  await followSettings({ group: group.group, source }, take, control).then(
    (following) => stack.use(following),
    (error: unknown) => {
      // That it may not be read, or made, or holds what can't be read, is no reason not to relay.
      if (!(error instanceof SpillwayError) || error.retryable) throw error;
      log.warn({ error: messageOf(error) }, "throttle, pause and resume will not be heard");
    },
  );
  if (yieldTo !== undefined) stack.use(giveWay(yieldTo, pace, { kafka, log, signal }));
  return stack.move();
}

function isSame(a: Limits, b: Limits): boolean {
  return (
    a.recordsPerSecond === b.recordsPerSecond &&
    a.bytesPerSecond === b.bytesPerSecond &&
    (a.paused === true) === (b.paused === true)
  );
}
