import type { Job } from "./job.ts";
import type { RelayOptions } from "./options.ts";
import { targetsOf } from "./routing.ts";
import type { RelayStats } from "./stats.ts";

/** What a job has done. Counts are those of the instance that reports: others have their own. */
export interface JobReport {
  readonly source: string;
  readonly targets: readonly string[];
  readonly guarantee: RelayOptions["guarantee"];
  readonly startedAt: string;
  readonly finishedAt: string;
  /** By partition, of the first record that was not relayed. */
  readonly ends: Readonly<Record<string, string>>;
  readonly recordsRead: number;
  readonly recordsWritten: number;
  readonly recordsDropped: number;
  readonly bytesWritten: number;
  readonly batchesDeadLettered: number;
  readonly offsetsLost: number;
  readonly seconds: number;
}

export function reportOf(job: Job, options: RelayOptions, stats: RelayStats): JobReport {
  const { recordsRead, recordsWritten, recordsDropped, bytesWritten, batchesDeadLettered, offsetsLost } = stats;
  return {
    source: options.source,
    targets: targetsOf(options).map(({ topic }) => topic),
    guarantee: options.guarantee,
    startedAt: job.startedAt,
    finishedAt: new Date().toISOString(),
    ends: Object.fromEntries([...job.ends].map(([partition, end]) => [partition, String(end)])),
    ...{ recordsRead, recordsWritten, recordsDropped, bytesWritten, batchesDeadLettered, offsetsLost },
    seconds: (Date.now() - stats.startedAt) / 1_000,
  };
}
