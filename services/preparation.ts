import type { Reaper } from "./reaper.ts";

/** What every step on the way to a running service is given. */
export interface Preparation {
  readonly reaper: Reaper;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal | undefined;
}
