import { STATUSES, type Status } from "./judge.ts";
import type { NextRecord } from "./ranges-of-part.ts";
import type { CatchUp, Rate } from "./rates.ts";
import type { UntilDeleted } from "./until-deleted.ts";
import type { Waiting } from "./waiting.ts";

/** What was seen of the consumer groups of a cluster. */
export interface LagReport {
  /** When the last look ended, in milliseconds since the epoch. */
  readonly atMs: number;
  /** How many looks it rests on. */
  readonly looks: number;
  /** By name. */
  readonly groups: readonly GroupLagReport[];
  /** Of what nothing could be seen, and why. */
  readonly unseen: readonly { readonly what: string; readonly why: string }[];
}

export interface GroupLagReport {
  readonly group: string;
  /** The worst of its partitions. */
  readonly status: Status;
  /** Undefined for a protocol of which the members can't be counted. */
  readonly members: number | undefined;
  /** Over all partitions. */
  readonly messages: Waiting;
  /** The most in any partition; undefined if it isn't known in one that is behind. */
  readonly seconds: number | undefined;
  /** Partitions of its topics in which it has committed nothing: where it would begin there isn't known. */
  readonly uncommitted: number;
  /** By topic and number. */
  readonly partitions: readonly PartitionLagReport[];
}

export interface PartitionLagReport {
  readonly topic: string;
  readonly partition: number;
  readonly status: Status;
  /** Why, in words. */
  readonly reason: string;
  /** The next offset to be read, as committed. */
  readonly committed: bigint;
  /** Of the first record that retention has left. */
  readonly logStart: bigint;
  /** How far it can read now. */
  readonly end: bigint;
  /** The high watermark: more than `end` while a transaction is open. */
  readonly written: bigint;
  readonly messages: Waiting;
  /** Age of the oldest unread record by its own timestamp, 0 if none waits; undefined if it isn't known. */
  readonly seconds: number | undefined;
  readonly arrival: Rate | undefined;
  readonly consumption: Rate | undefined;
  readonly catchUp: CatchUp;
  readonly untilDeleted: UntilDeleted;
  /** The next record, if one waits and could be read. */
  readonly next: NextRecord | undefined;
  /** What keeps readers of committed records from going on, if anything does. */
  readonly openTransaction: OpenTransactionReport | undefined;
  /** Keys whose records were put aside. */
  readonly parked: number;
  /** Since the first of them was; undefined if none is, or it isn't known. */
  readonly parkedSeconds: number | undefined;
  /** The client that has the partition, and its host, if known. */
  readonly reader: string | undefined;
}

export interface OpenTransactionReport {
  readonly producerId: bigint;
  readonly transactionalId: string | undefined;
  /** Offsets that readers of committed records can't see yet. */
  readonly heldBack: number;
  /** Seconds since it began, or was first seen. */
  readonly seconds: number | undefined;
}

/** The same with what deserves a look first: for whoever sees the beginning only. */
export function worstFirst(report: LagReport): LagReport {
  const rank = ({ status }: { readonly status: Status }) => STATUSES.indexOf(status);
  const groups = report.groups.map((group) => ({
    ...group,
    partitions: group.partitions.toSorted((a, b) => rank(a) - rank(b) || b.messages.messages - a.messages.messages),
  }));
  return { ...report, groups: groups.toSorted((a, b) => rank(a) - rank(b)) };
}

/**
 * Whether somebody has to come and look: records are being lost, a reader stands, or something could not be seen. So
 * counts a group that has committed nothing: a check of one whose name is wrong would pass for good.
 */
export function isInTrouble({ groups, unseen }: LagReport): boolean {
  const bad = groups.some(({ status }) => status === "losing data" || status === "stalled");
  return bad || unseen.length > 0 || groups.some(({ partitions }) => partitions.length === 0);
}
