import { randomUUID } from "node:crypto";
import { FLOOD_HEADER, HOT_PARTITIONS, type Scenario } from "./catalog.ts";

/** A topic that the service reads, and as which group. */
export interface Reading {
  readonly topic: string;
  readonly partitions: number;
  readonly group: string;
}

/** What one run of a scenario calls its things: no two runs share any. */
export interface Names {
  readonly hot: string;
  readonly relayGroup: string;
  readonly collection: string;
  /** Where live messages end up; the hot topic itself where nothing is relayed. */
  readonly live: Reading;
  /** Where the flood ends up if that is elsewhere. */
  readonly backfill: Reading | undefined;
}

export const DATABASE = "spillway";

export function namesFor({ relay, partitions, backfillPartitions }: Scenario): Names {
  const run = randomUUID().slice(0, 8);
  const hot = `hot-${run}`;
  const reading = (topic: string, count: number): Reading => ({
    topic,
    partitions: count,
    group: `service-of-${topic}`,
  });
  return {
    hot,
    relayGroup: `scenario-relay-${run}`,
    collection: `scenario-${run}`,
    live: relay === "none" ? reading(hot, HOT_PARTITIONS) : reading(`wide-${run}`, partitions),
    backfill: backfillPartitions === undefined ? undefined : reading(`backfill-${run}`, backfillPartitions),
  };
}

/**
 * The service knows a message that comes twice. Transactions would end with a marker in every partition that they wrote
 * to, each of which every one of 200 consumers fetches for itself, on the cores that all share here.
 */
const GUARANTEE = ["--guarantee", "at-least-once"];

/** The arguments of `spillway`, all defaults but for what goes where. */
export function relayArguments({ hot, relayGroup, live, backfill }: Names, brokers: readonly string[]): string[] {
  const from = ["relay", "--brokers", brokers.join(), "--source", hot, "--group", relayGroup, ...GUARANTEE];
  const to = ["--target", live.topic, "--partitions", String(live.partitions)];
  const rule = backfill && `header ${FLOOD_HEADER} -> ${backfill.topic}/${backfill.partitions}`;
  return [...from, ...to, ...(rule === undefined ? [] : ["--rule", rule])];
}
