import { KEYS } from "../values.ts";
import type { Setting, SinkName, TargetName } from "./result.ts";

/** A setting and those who are run in it. */
export interface Case extends Setting {
  readonly names: readonly SinkName[];
}

export const CASE_GROUPS = ["latencies", "partitions", "hot-keys", "latest"] as const;
export type CaseGroup = (typeof CASE_GROUPS)[number];

const PARTITIONS = 3;
const MANY_PARTITIONS = 24;
/** As many as the first account has symbols. */
const HOT_KEYS = 3;
/** Where a group is about something else than latency. */
const USUAL_MS = 100;
/** One write to DynamoDB, as the second account has measured it. */
const DYNAMODB_MS = 180;

export interface CaseChoice {
  readonly groups: readonly CaseGroup[];
  readonly names: readonly SinkName[];
  readonly latencies: readonly number[];
  readonly targets: readonly TargetName[];
}

/** What is run, in this order in each round. */
export function casesOf({ groups, names, latencies, targets }: CaseChoice): Case[] {
  const plain: Setting = {
    target: "mongodb",
    model: "insert",
    latencyMs: USUAL_MS,
    partitions: PARTITIONS,
    keys: KEYS,
  };
  const batching: readonly SinkName[] = ["spillway", "mongo-kafka-connect", "kafkajs-insert-many"];
  const all: Readonly<Record<CaseGroup, readonly Case[]>> = {
    latencies: latencies.map((latencyMs) => ({ ...plain, latencyMs, names })),
    partitions: [{ ...plain, partitions: MANY_PARTITIONS, names: batching }],
    "hot-keys": [{ ...plain, keys: HOT_KEYS, names: batching }],
    latest: [{ ...plain, model: "latest", names: ["spillway", "mongo-kafka-connect"] }],
  };
  const dynamo = (model: Setting["model"]): Case => {
    return { ...plain, target: "dynamodb", model, latencyMs: DYNAMODB_MS, names: ["spillway"] };
  };
  return [...groups.flatMap((group) => all[group]), dynamo("insert"), dynamo("latest")]
    .filter(({ target }) => targets.includes(target))
    .map((one) => ({ ...one, names: one.names.filter((name) => names.includes(name)) }))
    .filter((one) => one.names.length > 0);
}
