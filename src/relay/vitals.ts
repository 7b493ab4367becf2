import type { Vitals } from "../health/watchdog.ts";
import type { Watched } from "./status.ts";

/** Whether a relay gets anywhere, for the watchdog: it does while records are written, or dropped, or skipped. */
export function relayVitals({ pace, progress, stats }: Pick<Watched, "pace" | "progress" | "stats">): Vitals {
  const partitions = progress.read();
  return {
    joined: stats.rebalances > 0,
    done: partitions.reduce((sum, { offset }) => sum + Number(offset), 0) + stats.recordsWritten,
    hasWork: partitions.some(({ left }) => left > 0n),
    paused: pace.limits.paused === true,
    away: undefined,
  };
}
