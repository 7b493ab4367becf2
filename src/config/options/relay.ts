import { POISON_BATCH } from "../../dead-letter/poison.ts";
import { CODECS } from "../../record-batch/layout.ts";
import { RELAY_DEFAULTS } from "../../relay/options.ts";
import { boolean, bytes, choice, integer, milliseconds, text, topicName } from "../kinds.ts";
import { option } from "../option.ts";
import { rules } from "../rules.ts";
import { until } from "../until.ts";

const COMMANDS = ["relay"] as const;
/** Those that speak to a relay by way of its group. */
const OF_GROUP = ["relay", "throttle", "pause", "resume", "status", "handback"] as const;
/** To find what a relay has left. */
const WITH_HANDBACK = ["relay", "handback"] as const;

export const RELAY_OPTIONS = {
  "relay.source": option({
    kind: topicName(),
    flag: "--source",
    env: "SPILLWAY_RELAY_SOURCE",
    commands: COMMANDS,
    requiredBy: COMMANDS,
    description: "the hot topic to drain",
  }),
  "relay.target": option({
    kind: topicName(),
    flag: "--target",
    env: "SPILLWAY_RELAY_TARGET",
    commands: COMMANDS,
    requiredBy: COMMANDS,
    description: "the wide topic to drain it into; made if it doesn't exist",
  }),
  "relay.partitions": option({
    kind: integer(1, 10_000),
    flag: "--partitions",
    env: "SPILLWAY_RELAY_PARTITIONS",
    commands: COMMANDS,
    default: RELAY_DEFAULTS.partitions,
    description: "how many partitions the wide topic is made with; one that exists must have as many",
  }),
  "relay.rules": option({
    kind: rules(),
    flag: "--rule",
    env: "SPILLWAY_RELAY_RULES",
    commands: [...COMMANDS, "verify"],
    description:
      "which records go elsewhere: such as header backfill -> prices.backfill/200; can be given several times",
  }),
  "relay.replicationFactor": option({
    kind: integer(1, 32_767),
    flag: "--replication-factor",
    env: "SPILLWAY_RELAY_REPLICATION_FACTOR",
    commands: COMMANDS,
    description: "how many replicas the wide topic is made with; the brokers' own default if it isn't given",
  }),
  "relay.group": option({
    kind: text("group"),
    flag: "--group",
    env: "SPILLWAY_RELAY_GROUP",
    commands: OF_GROUP,
    description: "the consumer group that says how far the hot topic is drained; spillway-relay-<source> if not given",
  }),
  "relay.until": option({
    kind: until(),
    flag: "--until",
    env: "SPILLWAY_RELAY_UNTIL",
    commands: COMMANDS,
    description: "where to end by itself, settled when it is first started; without it the relay runs until stopped",
  }),
  "relay.json": option({
    kind: text("file"),
    flag: "--json",
    env: "SPILLWAY_RELAY_JSON",
    commands: COMMANDS,
    description: "a file for the report of a relay that has come to its end, or of a dry run, as JSON",
  }),
  "relay.guarantee": option({
    kind: choice("exactly-once", "at-least-once"),
    flag: "--guarantee",
    env: "SPILLWAY_RELAY_GUARANTEE",
    commands: COMMANDS,
    default: RELAY_DEFAULTS.guarantee,
    description:
      "what is promised for each record on its way from the hot to the wide topic, to read_committed readers",
  }),
  "relay.transactionMs": option({
    kind: milliseconds(5, 60_000),
    flag: "--transaction-ms",
    env: "SPILLWAY_RELAY_TRANSACTION_MS",
    commands: COMMANDS,
    default: RELAY_DEFAULTS.transactionMs,
    unit: "ms",
    description: "exactly once: at which age a transaction is closed; readers wait that much longer",
  }),
  "relay.transactionBytes": option({
    kind: bytes(64 * 1024, 1024 ** 3),
    flag: "--transaction-bytes",
    env: "SPILLWAY_RELAY_TRANSACTION_BYTES",
    commands: COMMANDS,
    default: RELAY_DEFAULTS.transactionBytes,
    unit: "bytes",
    description: "exactly once: at which size a transaction is closed",
  }),
  "relay.transactionTimeoutMs": option({
    kind: milliseconds(1_000, 900_000),
    flag: "--transaction-timeout-ms",
    env: "SPILLWAY_RELAY_TRANSACTION_TIMEOUT_MS",
    commands: COMMANDS,
    default: RELAY_DEFAULTS.transactionTimeoutMs,
    unit: "ms",
    description: "exactly once: how long the brokers let a transaction live whose relay is gone; it holds readers up",
  }),
  "relay.transactionPer": option({
    kind: choice("partition", "member"),
    flag: "--transaction-per",
    env: "SPILLWAY_RELAY_TRANSACTION_PER",
    commands: COMMANDS,
    default: RELAY_DEFAULTS.transactionPer,
    description: "exactly once: whose the transactions are; member, for many source partitions, needs an instance id",
  }),
  "relay.provenance": option({
    kind: boolean(),
    flag: "--provenance",
    env: "SPILLWAY_RELAY_PROVENANCE",
    commands: COMMANDS,
    default: RELAY_DEFAULTS.provenance,
    description: "each record's origin as a header, by which sinks tell a replayed record from a new one",
  }),
  "relay.codec": option({
    kind: choice("source", ...CODECS),
    flag: "--codec",
    env: "SPILLWAY_RELAY_CODEC",
    commands: COMMANDS,
    default: RELAY_DEFAULTS.codec,
    description: "how to compress what is written; source: as it was read",
  }),
  "relay.batchBytes": option({
    kind: bytes(1024, 16 * 1024 ** 2),
    flag: "--batch-bytes",
    env: "SPILLWAY_RELAY_BATCH_BYTES",
    commands: COMMANDS,
    default: RELAY_DEFAULTS.batchBytes,
    unit: "bytes",
    description: "at which size a batch for one partition is sent, before compression",
  }),
  "relay.lingerMs": option({
    kind: milliseconds(0, 60_000),
    flag: "--linger-ms",
    env: "SPILLWAY_RELAY_LINGER_MS",
    commands: COMMANDS,
    default: RELAY_DEFAULTS.lingerMs,
    unit: "ms",
    description: "how long a batch waits for more records",
  }),
  "relay.inFlightBytes": option({
    kind: bytes(1024, 1024 ** 3),
    flag: "--in-flight-bytes",
    env: "SPILLWAY_RELAY_IN_FLIGHT_BYTES",
    commands: COMMANDS,
    default: 16 * 1024 ** 2,
    unit: "bytes",
    description: "how much may be sent and not yet acknowledged",
  }),
  "relay.deliveryTimeoutMs": option({
    kind: milliseconds(1_000, 3_600_000),
    flag: "--delivery-timeout-ms",
    env: "SPILLWAY_RELAY_DELIVERY_TIMEOUT_MS",
    commands: COMMANDS,
    default: 120_000,
    unit: "ms",
    description: "how long to try to deliver a batch before giving up",
  }),
  "relay.poisonBatch": option({
    kind: choice(...POISON_BATCH),
    flag: "--poison-batch",
    env: "SPILLWAY_RELAY_POISON_BATCH",
    commands: COMMANDS,
    default: RELAY_DEFAULTS.poisonBatch,
    description: "when a record batch can't be read: stop, or keep its bytes in the dead-letter topic and go on",
  }),
  "relay.deadLetterSuffix": option({
    kind: text("suffix"),
    flag: "--dead-letter-suffix",
    env: "SPILLWAY_RELAY_DEAD_LETTER_SUFFIX",
    commands: WITH_HANDBACK,
    default: RELAY_DEFAULTS.deadLetterSuffix,
    description: "what to append to the hot topic's name for the topic of batches that can't be read",
  }),
  "relay.commitIntervalMs": option({
    kind: milliseconds(10, 600_000),
    flag: "--commit-interval-ms",
    env: "SPILLWAY_RELAY_COMMIT_INTERVAL_MS",
    commands: COMMANDS,
    default: RELAY_DEFAULTS.commitIntervalMs,
    unit: "ms",
    description: "how often to commit what is acknowledged; a crash repeats what wasn't committed",
  }),
  "relay.drainDeadlineMs": option({
    kind: milliseconds(100, 600_000),
    flag: "--drain-deadline-ms",
    env: "SPILLWAY_RELAY_DRAIN_DEADLINE_MS",
    commands: COMMANDS,
    default: RELAY_DEFAULTS.drainDeadlineMs,
    unit: "ms",
    description: "how long to finish what was read when partitions move or the relay is stopped",
  }),
};
