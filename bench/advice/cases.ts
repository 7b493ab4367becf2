import type { AdviceCode } from "../../src/advice/advice.ts";

/**
 * A flood's figure is documents a second, a quiet topic's milliseconds from when a record is due until it can be read, and
 * a crash's the documents that were written and not committed.
 */
export type Figure = "documents/s" | "ms" | "documents again";

/** A group under settings that are wrong, and the rule that should say so. */
export interface MisSet {
  readonly rule: AdviceCode;
  readonly figure: Figure;
  readonly latencyMs: number;
  readonly args: readonly string[];
}

export const MIS_SET: readonly MisSet[] = [
  { rule: "BATCH_SMALL", figure: "documents/s", latencyMs: 50, args: ["--batch-records", "1"] },
  { rule: "WRITERS_FEW", figure: "documents/s", latencyMs: 200, args: ["--writers", "1"] },
  { rule: "IN_FLIGHT_SMALL", figure: "documents/s", latencyMs: 50, args: ["--in-flight-records", "1000"] },
  { rule: "CONNECTIONS_FEW", figure: "documents/s", latencyMs: 200, args: ["--max-pool-size", "1"] },
  {
    rule: "BATCH_UNFILLED",
    figure: "documents/s",
    latencyMs: 0,
    args: ["--batching", "fixed", "--batch-records", "20000", "--batch-bytes", "16MiB", "--batch-timeout-ms", "5000"],
  },
  {
    rule: "BATCH_WAITS",
    figure: "ms",
    latencyMs: 20,
    args: ["--batching", "fixed", "--batch-records", "5000", "--batch-timeout-ms", "5000"],
  },
  { rule: "COMMITS_OFTEN", figure: "documents/s", latencyMs: 0, args: ["--commit-interval-ms", "10"] },
  { rule: "COMMITS_SELDOM", figure: "documents again", latencyMs: 0, args: ["--commit-interval-ms", "20000"] },
  { rule: "FETCH_WAITS", figure: "ms", latencyMs: 20, args: ["--fetch-min-bytes", "10240"] },
];

/** What a rule says is of no use, tried all the same, beside the defaults. */
export interface NoUse {
  readonly rule: AdviceCode;
  readonly partitions: number;
  /** 1 for a topic of one key. */
  readonly keys: number | undefined;
  readonly tried: readonly Try[];
}

export interface Try {
  readonly what: string;
  readonly args: readonly string[];
  readonly instances: number;
  readonly partitions: number;
}

const AS_IT_IS: Try = { what: "defaults", args: [], instances: 1, partitions: 3 };
const MORE_WRITERS: Try = {
  ...AS_IT_IS,
  what: "16 writers",
  args: ["--writers", "16", "--in-flight-records", "48000"],
};

export const NO_USE: readonly NoUse[] = [
  {
    rule: "DATABASE_LIMIT",
    partitions: 3,
    keys: undefined,
    tried: [
      AS_IT_IS,
      MORE_WRITERS,
      { ...AS_IT_IS, what: "2 instances", instances: 2 },
      { ...AS_IT_IS, what: "24 partitions", partitions: 24 },
    ],
  },
  { rule: "HOT_KEY", partitions: 3, keys: 1, tried: [AS_IT_IS, MORE_WRITERS] },
  // All records of one key are in one partition.
  {
    rule: "UNEVEN_PARTITIONS",
    partitions: 3,
    keys: 1,
    tried: [AS_IT_IS, { ...AS_IT_IS, what: "3 instances", instances: 3 }],
  },
  {
    rule: "IDLE_INSTANCES",
    partitions: 3,
    keys: undefined,
    tried: [
      { ...AS_IT_IS, what: "3 instances", instances: 3 },
      { ...AS_IT_IS, what: "4 instances", instances: 4 },
    ],
  },
];
