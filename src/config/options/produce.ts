import { boolean, bytes, choice, decimal, integer, milliseconds, topicName } from "../kinds.ts";
import { option } from "../option.ts";

const BOTH = ["prices", "backfill"] as const;
const LARGEST_SEED = 2 ** 32 - 1;

/** The defaults of a backfill are its profile's. */
export const PRODUCE_OPTIONS = {
  "produce.partitions": option({
    kind: integer(1, 10_000),
    flag: "--partitions",
    env: "SPILLWAY_PRODUCE_PARTITIONS",
    commands: BOTH,
    default: 3,
    description: "how many partitions topics are made with that don't exist; those that do stay as they are",
  }),
  "produce.seed": option({
    kind: integer(0, LARGEST_SEED),
    flag: "--seed",
    env: "SPILLWAY_PRODUCE_SEED",
    commands: BOTH,
    description: "the same seed gives the same records; a profile's own, or 1, if it isn't given",
  }),
  "prices.topic": option({
    kind: topicName(),
    flag: "--topic",
    env: "SPILLWAY_PRICES_TOPIC",
    commands: ["prices"],
    description: "one topic for all prices, keyed by symbol, instead of btc, eth and sol",
  }),
  "prices.simulate": option({
    kind: boolean(),
    flag: "--simulate",
    env: "SPILLWAY_PRICES_SIMULATE",
    commands: ["prices"],
    default: false,
    description: "a random walk instead of polling the public ticker",
  }),
  "prices.everyMs": option({
    kind: milliseconds(10, 3_600_000),
    flag: "--every-ms",
    env: "SPILLWAY_PRICES_EVERY_MS",
    commands: ["prices"],
    default: 3_000,
    unit: "ms",
    description: "how often to poll",
  }),
  "prices.valueFormat": option({
    kind: choice("json", "avro"),
    flag: "--value-format",
    env: "SPILLWAY_PRICES_VALUE_FORMAT",
    commands: ["prices"],
    default: "json",
    description: "how to encode prices; avro: by a schema that is registered at the start, see --registry-url",
  }),
  "backfill.topic": option({
    kind: topicName(),
    flag: "--topic",
    env: "SPILLWAY_BACKFILL_TOPIC",
    commands: ["backfill"],
    requiredBy: ["backfill"],
    description: "the topic to flood",
  }),
  "backfill.profile": option({
    kind: choice("burst", "second-account"),
    flag: "--profile",
    env: "SPILLWAY_BACKFILL_PROFILE",
    commands: ["backfill"],
    default: "burst",
    description:
      "burst: 200,000 records at once; second-account: 14,500,000 in a day and a half, 110/s with peaks of 450/s",
  }),
  "backfill.records": option({
    kind: integer(1, 1_000_000_000),
    flag: "--records",
    env: "SPILLWAY_BACKFILL_RECORDS",
    commands: ["backfill"],
    unit: "records",
    description: "how many records, instead of the profile's",
  }),
  "backfill.rate": option({
    kind: decimal(0.001, 10_000_000),
    flag: "--rate",
    env: "SPILLWAY_BACKFILL_RATE",
    commands: ["backfill"],
    unit: "records/s",
    description: "the average rate, instead of the profile's",
  }),
  "backfill.peakRate": option({
    kind: decimal(0.001, 10_000_000),
    flag: "--peak-rate",
    env: "SPILLWAY_BACKFILL_PEAK_RATE",
    commands: ["backfill"],
    unit: "records/s",
    description: "the rate at its peaks; the average if only that is given",
  }),
  "backfill.peaks": option({
    kind: integer(1, 1_000_000),
    flag: "--peaks",
    env: "SPILLWAY_BACKFILL_PEAKS",
    commands: ["backfill"],
    description: "how many peaks there are from beginning to end, instead of the profile's",
  }),
  "backfill.timeCompression": option({
    kind: decimal(0.001, 1_000_000),
    flag: "--time-compression",
    env: "SPILLWAY_BACKFILL_TIME_COMPRESSION",
    commands: ["backfill"],
    default: 1,
    description: "how many seconds of the profile pass in one: 100 sends a day and a half in 22 minutes",
  }),
  "backfill.keys": option({
    kind: integer(1, 10_000_000),
    flag: "--keys",
    env: "SPILLWAY_BACKFILL_KEYS",
    commands: ["backfill"],
    description: "how many different keys, instead of the profile's",
  }),
  "backfill.skew": option({
    kind: decimal(0, 10),
    flag: "--skew",
    env: "SPILLWAY_BACKFILL_SKEW",
    commands: ["backfill"],
    description: "how unevenly records fall on keys, as the exponent of Zipf's law: 0 is evenly",
  }),
  "backfill.valueBytes": option({
    kind: bytes(1, 900_000),
    flag: "--value-bytes",
    env: "SPILLWAY_BACKFILL_VALUE_BYTES",
    commands: ["backfill"],
    unit: "bytes",
    description: "the length of each value, instead of the profile's",
  }),
};
