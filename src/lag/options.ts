import type { KafkaOptions } from "../kafka/options.ts";
import { JUDGE_DEFAULTS, type JudgeLimits } from "./judge.ts";

/** Bounds of what is read in one look, whatever waits. */
export interface ReadLimits {
  readonly bytes: number;
  readonly ms: number;
}

/** What to look at, and within which bounds. */
export interface LagOptions {
  readonly kafka: KafkaOptions;
  /** All groups that have committed something, if none are named. */
  readonly groups?: readonly string[] | undefined;
  /** All topics that they have committed for, if none are named. */
  readonly topics?: readonly string[] | undefined;
  /** What is read of unread records in one look, to count them: beyond it they are estimated. */
  readonly read: ReadLimits;
  /** Milliseconds that one look may take. */
  readonly deadlineMs: number;
  /** Milliseconds between two looks. */
  readonly intervalMs: number;
  readonly judge: JudgeLimits;
  /** What of a partition is put aside for a group, where some part of the application does that. Asked in each look. */
  readonly parked?: ((group: string, place: ParkedPlace) => Parked) | undefined;
}

export interface ParkedPlace {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
}

/** Keys whose records were put aside. */
export interface Parked {
  readonly keys: number;
  /** When the first of them was, in milliseconds since the epoch; undefined if that isn't known. */
  readonly sinceMs: number | undefined;
}

export const NOTHING_PARKED: Parked = { keys: 0, sinceMs: undefined };

/** What most callers have no reason to change. */
export const LAG_DEFAULTS = {
  read: { bytes: 32 * 1024 * 1024, ms: 5_000 },
  deadlineMs: 30_000,
  intervalMs: 2_000,
  judge: JUDGE_DEFAULTS,
} as const satisfies Partial<LagOptions>;
