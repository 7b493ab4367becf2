import type { Brokers } from "../kafka/cluster.ts";
import { type OpenTransaction, oldestOpenTransaction } from "../kafka/open-transaction.ts";
import { partitionKey } from "../kafka/topic-partition.ts";
import { mapBounded } from "../runtime/map-bounded.ts";
import type { CountedRanges } from "./counted-ranges.ts";
import { knowNothing, type LogFacts } from "./facts.ts";
import type { NextRecord } from "./ranges-of-part.ts";
import type { Look } from "./rates.ts";
import type { Observed } from "./report-of.ts";
import type { Retention } from "./until-deleted.ts";

const TRANSACTIONS_AT_ONCE = 8;
/** Partitions whose open transaction is asked for in one look. */
const MOST_TRANSACTIONS = 64;

/** What is kept of a group in a partition from look to look. */
export interface Track {
  readonly topicId: string;
  readonly looks: readonly Look[];
  /** Before the first look, by timestamps. */
  readonly arrived: number | undefined;
  readonly next: { readonly committed: bigint; readonly record: NextRecord } | undefined;
}

/** A group in a partition, in one look. */
export interface Placed {
  readonly group: string;
  readonly log: LogFacts;
  readonly committed: bigint;
  /** Where it would go on: at the log's start, if that is later than what is committed. */
  readonly from: bigint;
  readonly end: bigint;
  readonly track: Track | undefined;
  next: NextRecord | undefined;
  ranges: CountedRanges;
}

export function trackOf({ log, looks, next, arrived }: Observed): Track {
  const committed = looks.at(-1)?.committed ?? 0n;
  return { topicId: log.topicId, looks, arrived, next: next === undefined ? undefined : { committed, record: next } };
}

export function trackKey(group: string, place: LogFacts): string {
  return `${group}\n${partitionKey(place)}`;
}

export function isBehind({ from, end }: Placed): boolean {
  return from < end;
}

/** Beyond the last stable offset a reader of committed records sees nothing. */
export function isCountable(placed: Placed): boolean {
  return isBehind(placed) && placed.end <= placed.log.stable;
}

/** Logs whose size matters. */
export function bySize(placed: readonly Placed[], retentions: ReadonlyMap<string, Retention>): readonly LogFacts[] {
  const behind = placed.filter((one) => isBehind(one) && retentions.get(one.log.topic)?.bytes !== Infinity);
  const known = behind.filter(({ log }) => retentions.get(log.topic)?.isDeleting === true);
  return [...new Map(known.map(({ log }) => [partitionKey(log), log])).values()];
}

/** @param since the first offset that is young enough, -1 if there is none */
export function arrivals({ start, written }: LogFacts, since = -1n): number {
  if (since < 0n) return 0;
  return Number(written - (since < start ? start : since));
}

/** What holds readers up, by `partitionKey`; only where somebody waits for it. */
export async function transactionsOf(
  brokers: Brokers,
  placed: readonly Placed[],
): Promise<ReadonlyMap<string, OpenTransaction>> {
  const held = placed.filter(({ log, end }) => end < log.written);
  const logs = [...new Map(held.map(({ log }) => [partitionKey(log), log])).values()].slice(0, MOST_TRANSACTIONS);
  const found = await mapBounded(logs, TRANSACTIONS_AT_ONCE, async (log) => {
    const transaction = await oldestOpenTransaction(brokers, log.leader, log).catch(knowNothing);
    return transaction === undefined ? [] : [[partitionKey(log), transaction] as const];
  });
  return new Map(found.flat());
}
