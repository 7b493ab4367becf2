import type { PlannedPartition } from "./plan.ts";

/** What a hand-back has done, or would do. The shape is stable: it is what `--json` writes, offsets as text. */
export interface HandBackReport {
  readonly source: string;
  readonly relayGroup: string;
  readonly to: string;
  readonly targets: readonly TargetReport[];
  /** `drained`: all that was relayed is read. `rewound`: some is not, and will be read from the source again. */
  readonly how: "drained" | "rewound";
  /** Nothing was changed. */
  readonly dryRun: boolean;
  readonly partitions: readonly PlannedPartition[];
  /** In the targets, and not committed by their readers. */
  readonly unreadRecords: number;
  /** So many records at most, of those that the relay has committed: what it committed and is to be read again. */
  readonly handledTwiceAtMost: bigint;
  /** Written and not committed by an at-least-once relay that was killed: handled again as well. So many at least. */
  readonly uncommittedAtLeast: bigint;
  /** What the relay could not read, if it has kept any. */
  readonly deadLetters: { readonly topic: string; readonly records: bigint } | undefined;
}

export interface TargetReport {
  readonly topic: string;
  /** The groups that have committed something there. */
  readonly readers: readonly string[];
}
