import { givenTime, origins, recordKey, recordPlace } from "../dlq-kinds.ts";
import { boolean, file, integer, text, topicName } from "../kinds.ts";
import { option } from "../option.ts";

const ALL = ["dlq-list", "dlq-show", "dlq-redrive"] as const;
const REDRIVE = ["dlq-redrive"] as const;

/** Which dead letters are meant, and what becomes of them. */
export const DLQ_OPTIONS = {
  "dlq.error": option({
    kind: text("code"),
    flag: "--error",
    env: "SPILLWAY_DLQ_ERROR",
    commands: ALL,
    description: "only those with this error code, such as invalid-json or parked",
  }),
  "dlq.key": option({
    kind: recordKey(),
    flag: "--key",
    env: "SPILLWAY_DLQ_KEY",
    commands: ALL,
    description: "only those of this key",
  }),
  "dlq.since": option({
    kind: givenTime(),
    flag: "--since",
    env: "SPILLWAY_DLQ_SINCE",
    commands: ALL,
    description: "only those that failed then or later: a time, or so long ago, such as 2h",
  }),
  "dlq.until": option({
    kind: givenTime(),
    flag: "--until",
    env: "SPILLWAY_DLQ_UNTIL",
    commands: ALL,
    description: "only those that failed before",
  }),
  "dlq.record": option({
    kind: recordPlace(),
    flag: "--record",
    env: "SPILLWAY_DLQ_RECORD",
    commands: ALL,
    description: "only this record: where it lies, where it was read, or where it first came from",
  }),
  "dlq.group": option({
    kind: text("group"),
    flag: "--group",
    env: "SPILLWAY_DLQ_GROUP",
    commands: ["dlq-list", "dlq-redrive"],
    description: "the sink's consumer group, for its parked keys",
  }),
  "dlq.parked": option({
    kind: boolean(),
    flag: "--parked",
    env: "SPILLWAY_DLQ_PARKED",
    commands: ["dlq-list"],
    default: false,
    description: "list the keys that the group has parked, instead",
  }),
  "dlq.top": option({
    kind: integer(1, 1_000),
    flag: "--top",
    env: "SPILLWAY_DLQ_TOP",
    commands: ["dlq-list"],
    default: 10,
    description: "how many keys to name",
  }),
  "dlq.limit": option({
    kind: integer(1, 10_000),
    flag: "--limit",
    env: "SPILLWAY_DLQ_LIMIT",
    commands: ["dlq-show"],
    default: 10,
    description: "how many letters to show",
  }),
  "dlq.to": option({
    kind: topicName(),
    flag: "--to",
    env: "SPILLWAY_DLQ_TO",
    commands: REDRIVE,
    description: "redrive into this topic, instead of those they were read from",
  }),
  "dlq.dryRun": option({
    kind: boolean(),
    flag: "--dry-run",
    env: "SPILLWAY_DLQ_DRY_RUN",
    commands: REDRIVE,
    default: false,
    description: "only say what would be sent where, and which groups read there",
  }),
  "dlq.recordsPerSecond": option({
    kind: integer(1, 1_000_000),
    flag: "--records-per-second",
    env: "SPILLWAY_DLQ_RECORDS_PER_SECOND",
    commands: REDRIVE,
    unit: "records/s",
    description: "how fast to redrive at most",
  }),
  "dlq.maxRedrives": option({
    kind: integer(1, 1_000),
    flag: "--max-redrives",
    env: "SPILLWAY_DLQ_MAX_REDRIVES",
    commands: REDRIVE,
    default: 3,
    description: "a letter that was redriven so often already is left where it is",
  }),
  "dlq.again": option({
    kind: boolean(),
    flag: "--again",
    env: "SPILLWAY_DLQ_AGAIN",
    commands: REDRIVE,
    default: false,
    description: "redrive all that fit once more, whatever an earlier run of the same command has done",
  }),
  "dlq.without": option({
    kind: origins(),
    flag: "--without",
    env: "SPILLWAY_DLQ_WITHOUT",
    commands: REDRIVE,
    description: "of parked keys: leave this letter out, by where it first came from or was read",
  }),
  "dlq.json": option({
    kind: file(),
    flag: "--json",
    env: "SPILLWAY_DLQ_JSON",
    commands: ALL,
    description: "write it to this file as JSON, too; -: to standard output, instead of the table",
  }),
};
