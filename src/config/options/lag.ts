import { LAG_DEFAULTS } from "../../lag/options.ts";
import { boolean, bytes, file, groupNames, milliseconds, topicNames } from "../kinds.ts";
import { option } from "../option.ts";

const COMMANDS = ["lag"] as const;

export const LAG_OPTIONS = {
  "lag.groups": option({
    kind: groupNames(),
    flag: "--group",
    env: "SPILLWAY_LAG_GROUPS",
    commands: COMMANDS,
    description: "the groups to look at, all of the cluster if none is given; can be given several times",
  }),
  "lag.topics": option({
    kind: topicNames(),
    flag: "--topic",
    env: "SPILLWAY_LAG_TOPICS",
    commands: COMMANDS,
    description: "the topics to look at, all that the groups read if none is given; can be given several times",
  }),
  "lag.watch": option({
    kind: boolean(),
    flag: "--watch",
    env: "SPILLWAY_LAG_WATCH",
    commands: COMMANDS,
    default: false,
    description: "look again and again until it is stopped: a table on a terminal, a line of JSON a look elsewhere",
  }),
  "lag.intervalMs": option({
    kind: milliseconds(500, 600_000),
    flag: "--interval",
    env: "SPILLWAY_LAG_INTERVAL_MS",
    commands: COMMANDS,
    default: LAG_DEFAULTS.intervalMs,
    unit: "ms",
    description: "between two looks",
  }),
  "lag.stalledAfterMs": option({
    kind: milliseconds(1_000, 3_600_000),
    flag: "--stalled-after",
    env: "SPILLWAY_LAG_STALLED_AFTER_MS",
    commands: COMMANDS,
    default: LAG_DEFAULTS.judge.stalledAfterMs,
    unit: "ms",
    description:
      "without a commit, while records wait, a group is stalled; more than its groups take between two commits. So long it looks at most, without --watch",
  }),
  "lag.blockedAfterMs": option({
    kind: milliseconds(0, 3_600_000),
    flag: "--blocked-after",
    env: "SPILLWAY_LAG_BLOCKED_AFTER_MS",
    commands: COMMANDS,
    default: LAG_DEFAULTS.judge.blockedAfterMs,
    unit: "ms",
    description: "an open transaction that keeps readers waiting for longer blocks them",
  }),
  "lag.readBytes": option({
    kind: bytes(0, 1024 ** 3),
    flag: "--read-bytes",
    env: "SPILLWAY_LAG_READ_BYTES",
    commands: COMMANDS,
    default: LAG_DEFAULTS.read.bytes,
    unit: "bytes",
    description: "of unread records to read in one look, to count them; more than that are estimated",
  }),
  "lag.deadlineMs": option({
    kind: milliseconds(1_000, 600_000),
    flag: "--deadline",
    env: "SPILLWAY_LAG_DEADLINE_MS",
    commands: COMMANDS,
    default: LAG_DEFAULTS.deadlineMs,
    unit: "ms",
    description: "for one look; a sixth of it at most goes to reading records",
  }),
  "lag.check": option({
    kind: boolean(),
    flag: "--check",
    env: "SPILLWAY_LAG_CHECK",
    commands: COMMANDS,
    default: false,
    description: "exit with 18 if a group loses data, is stalled, or could not be seen",
  }),
  "lag.json": option({
    kind: file(),
    flag: "--json",
    env: "SPILLWAY_LAG_JSON",
    commands: COMMANDS,
    description: "write the report to this file as JSON, a line for each look with --watch; - for the output",
  }),
};
