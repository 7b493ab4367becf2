import type { RelayOptions } from "./options.ts";
import type { Pace } from "./pace.ts";
import type { Progress } from "./progress.ts";
import type { RelayStats } from "./stats.ts";

/** What an instance of a relay is doing, as JSON says it. */
export interface RelayStatus {
  readonly source: string;
  readonly group: string;
  readonly guarantee: RelayOptions["guarantee"];
  readonly paused: boolean;
  /** Of all instances together. Null where there is no limit. */
  readonly limits: { readonly recordsPerSecond: number | null; readonly bytesPerSecond: number | null };
  /** Null if there is none to give way to. */
  readonly yieldTo: null | {
    readonly group: string;
    /** Records per second that it has to do with now, this instance alone; null while it is free. */
    readonly ceiling: number | null;
  };
  /** Those of this instance. Offsets are in quotes: they may be larger than a JSON number holds exactly. */
  readonly partitions: readonly {
    readonly partition: number;
    readonly offset: string;
    readonly end: string;
    readonly left: string;
    readonly perSecond: number;
    readonly secondsLeft: readonly [least: number, most: number] | null;
  }[];
  readonly stats: RelayStats;
}

export interface Watched {
  readonly options: RelayOptions;
  readonly pace: Pace;
  readonly progress: Progress;
  readonly stats: RelayStats;
}

export function relayStatus({ options, pace, progress, stats }: Watched): RelayStatus {
  const { source, group, guarantee, yieldTo } = options;
  const { recordsPerSecond, bytesPerSecond, paused } = pace.limits;
  return {
    ...{ source, group: group.group, guarantee },
    paused: paused === true,
    limits: { recordsPerSecond: recordsPerSecond ?? null, bytesPerSecond: bytesPerSecond ?? null },
    yieldTo: yieldTo === undefined ? null : { group: yieldTo.group, ceiling: pace.ceiling ?? null },
    partitions: progress.read().map(({ partition, offset, end, left, perSecond, secondsLeft }) => ({
      ...{ partition, offset: String(offset), end: String(end), left: String(left) },
      perSecond: Math.round(perSecond),
      secondsLeft: secondsLeft === undefined ? null : secondsLeft,
    })),
    stats: { ...stats },
  };
}
