import type { GroupReaders } from "../kafka/group-readers.ts";
import type { OpenTransaction } from "../kafka/open-transaction.ts";
import { partitionKey } from "../kafka/topic-partition.ts";
import type { GroupCommits, LogFacts, Unseen } from "./facts.ts";
import { type JudgeLimits, judge, type Reader, type Status, worst } from "./judge.ts";
import type { Parked } from "./options.ts";
import type { NextRecord } from "./ranges-of-part.ts";
import { catchUpOf, type Look, type Rate, rateOf } from "./rates.ts";
import type { GroupLagReport, LagReport, PartitionLagReport } from "./report.ts";
import { type Retention, untilDeleted } from "./until-deleted.ts";
import type { Waiting } from "./waiting.ts";

/** What was seen of a group in a partition. */
export interface Observed {
  readonly group: string;
  readonly log: LogFacts;
  /** Where it would go on reading. */
  readonly from: bigint;
  /** The last one of now. */
  readonly looks: readonly Look[];
  readonly waiting: Waiting;
  readonly next: NextRecord | undefined;
  /** Undefined if it isn't known. */
  readonly readers: GroupReaders | undefined;
  readonly retention: Retention | undefined;
  readonly logBytes: number | undefined;
  readonly transaction: OpenTransaction | undefined;
  /** Offsets of `arrivedMs` before it was first looked at, by timestamps; undefined if that isn't known, or is long ago. */
  readonly arrived: number | undefined;
  readonly arrivedMs: number;
  readonly parked: Parked;
}

export interface Seen {
  readonly groups: readonly GroupCommits[];
  readonly observed: readonly Observed[];
  readonly readers: ReadonlyMap<string, GroupReaders>;
  readonly unseen: readonly Unseen[];
  /** How many each topic has. */
  readonly partitions: ReadonlyMap<string, number>;
  readonly looks: number;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  readonly judge: JudgeLimits;
}

/** Puts together what was seen, and judges it. */
export function reportOf({
  groups,
  observed,
  readers,
  unseen,
  partitions,
  looks,
  nowMs,
  judge: limits,
}: Seen): LagReport {
  const byGroup = Map.groupBy(observed, ({ group }) => group);
  const reports = groups.map(({ group, committed }) => {
    const ofGroup = (byGroup.get(group) ?? []).map((one) => partitionReport(one, nowMs, limits));
    const topics = new Map([...partitions].filter(([name]) => committed.some(({ topic }) => topic === name)));
    const all = topics.values().reduce((sum, count) => sum + count, 0);
    return groupReport(group, ofGroup, { readers: readers.get(group), uncommitted: all - ofGroup.length });
  });
  return { atMs: nowMs, looks, unseen, groups: reports.toSorted((a, b) => compare(a.group, b.group)) };
}

function groupReport(
  group: string,
  partitions: readonly PartitionLagReport[],
  { readers, uncommitted }: { readonly readers: GroupReaders | undefined; readonly uncommitted: number },
): GroupLagReport {
  const sum = (value: (waiting: Waiting) => number) =>
    partitions.reduce((all, { messages }) => all + value(messages), 0);
  const seconds = partitions.map((one) => one.seconds);
  const nothing: Status = "idle";
  return {
    group,
    status: partitions.length === 0 ? nothing : worst(partitions.map(({ status }) => status)),
    members: readers?.members,
    messages: {
      messages: sum(({ messages }) => messages),
      exact: partitions.every(({ messages }) => messages.exact),
      atMost: sum(({ atMost }) => atMost),
    },
    seconds: seconds.includes(undefined) ? undefined : Math.max(0, ...seconds.map((one) => one ?? 0)),
    uncommitted: Math.max(0, uncommitted),
    partitions: partitions.toSorted((a, b) => compare(a.topic, b.topic) || a.partition - b.partition),
  };
}

function partitionReport(observed: Observed, nowMs: number, limits: JudgeLimits): PartitionLagReport {
  const { log, looks, waiting, next, parked } = observed;
  const now = looks.at(-1) as Look;
  const isWaiting = waiting.messages > 0;
  const arrival = arrivalOf(observed);
  const reader = readerOf(observed);
  const heldBack = Number(log.written - now.end);
  const openMs = openMsOf(observed, nowMs);
  const { producerId, transactionalId } = observed.transaction ?? {};
  const verdict = judge(
    {
      ...{
        looks,
        next,
        reader,
        parked: parked.keys,
        parkedMs: ageMs(parked.sinceMs, nowMs),
        heldBack,
        logStart: log.start,
        waiting: waiting.messages,
      },
      blocking: heldBack === 0 ? undefined : { producerId, transactionalId, openMs },
      arrivalPerSecond: arrivalByTimestamps(observed)?.perSecond,
    },
    limits,
  );
  const timestampMs = next?.timestampMs;
  return {
    topic: log.topic,
    partition: log.partition,
    ...verdict,
    committed: now.committed,
    logStart: log.start,
    end: now.end,
    written: log.written,
    messages: waiting,
    seconds: isWaiting ? inSeconds(ageMs(timestampMs, nowMs)) : 0,
    arrival,
    consumption: rateOf(looks, "committed"),
    catchUp: catchUpOf(looks, isWaiting),
    untilDeleted: untilDeleted(observed.retention, {
      ...{ isWaiting, nowMs, oldestMs: timestampMs, logBytes: observed.logBytes },
      unreadOffsets: Number(log.written - observed.from),
      logOffsets: Number(log.written - log.start),
      arrivalPerSecond: arrival?.perSecond,
    }),
    next,
    openTransaction:
      heldBack === 0 || producerId === undefined
        ? undefined
        : { producerId, transactionalId, heldBack, seconds: inSeconds(openMs) },
    parked: parked.keys,
    parkedSeconds: inSeconds(ageMs(parked.sinceMs, nowMs)),
    reader: reader.kind === "member" ? reader.name : undefined,
  };
}

function ageMs(sinceMs: number | undefined, nowMs: number): number | undefined {
  return sinceMs === undefined ? undefined : Math.max(0, nowMs - sinceMs);
}

function inSeconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1_000;
}

/** Seen, if there were looks enough; else as timestamps tell. */
function arrivalOf(observed: Observed): Rate | undefined {
  return rateOf(observed.looks, "written") ?? arrivalByTimestamps(observed);
}

function arrivalByTimestamps({ arrived, arrivedMs }: Observed): Rate | undefined {
  if (arrived === undefined) return undefined;
  const seconds = arrivedMs / 1_000;
  return { perSecond: arrived / seconds, seconds, by: "timestamps" };
}

function readerOf({ readers, log }: Observed): Reader {
  if (readers === undefined || readers.members === undefined) return { kind: "somebody" };
  const { members, owners } = readers;
  if (members === 0) return { kind: "nobody", members };
  if (owners === undefined) return { kind: "somebody" };
  const name = owners.get(partitionKey(log));
  return name === undefined ? { kind: "nobody", members } : { kind: "member", name };
}

/** As the brokers say, or for how long readers were seen to stand before it. */
function openMsOf({ transaction, looks, log }: Observed, nowMs: number): number | undefined {
  const now = looks.at(-1) as Look;
  const moved = looks.findLastIndex(({ end, written }) => end !== now.end || written === end);
  const seen = now.atMs - (looks[moved + 1]?.atMs ?? now.atMs);
  // Another one may have been opened since the last stable offset was asked for.
  const startedMs = transaction?.firstOffset === log.stable ? transaction.startedMs : undefined;
  if (startedMs === undefined) return seen === 0 ? undefined : seen;
  return Math.max(seen, nowMs - startedMs);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
