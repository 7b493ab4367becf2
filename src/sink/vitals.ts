import type { Vitals } from "../health/watchdog.ts";
import { recordsDone, type SinkStats } from "./stats.ts";

/** Whether a sink gets anywhere, for the watchdog: it does while records come to their outcome. */
export function sinkVitals(stats: SinkStats): Vitals {
  return {
    joined: stats.rebalances > 0,
    done: recordsDone(stats),
    hasWork: stats.recordsInFlight > 0,
    paused: false,
    away: stats.awaySince === undefined ? undefined : { what: "the database", since: stats.awaySince },
  };
}
