import { z } from "zod";
import type { GroupReference } from "../../handover/take-over.ts";
import { boolean, file, groupNames, type Kind, topicNames } from "../kinds.ts";
import { option } from "../option.ts";

const RELAY = ["relay"] as const;
const HANDBACK = ["handback"] as const;

/** Moving a topic's consumption from a group to the relay's, and back. */
export const HANDOVER_OPTIONS = {
  "relay.from": option({
    kind: groupReference(),
    flag: "--from",
    env: "SPILLWAY_RELAY_FROM",
    commands: RELAY,
    description: "where to begin: group:NAME for where that group is, which must have no members any more",
  }),
  "handback.to": option({
    kind: groupReference(),
    flag: "--to",
    env: "SPILLWAY_HANDBACK_TO",
    commands: HANDBACK,
    requiredBy: HANDBACK,
    description: "the group that is to read the hot topic again, as group:NAME",
  }),
  "handback.targets": option({
    kind: topicNames(),
    flag: "--target",
    env: "SPILLWAY_HANDBACK_TARGETS",
    commands: HANDBACK,
    requiredBy: HANDBACK,
    description: "all topics that the relay has written to, wide and backfill; can be given several times",
  }),
  "handback.readers": option({
    kind: groupNames(),
    flag: "--reader",
    env: "SPILLWAY_HANDBACK_READERS",
    commands: HANDBACK,
    description: "the groups whose commits count in these topics; all that have some there if not given",
  }),
  "handback.rewind": option({
    kind: boolean(),
    flag: "--rewind",
    env: "SPILLWAY_HANDBACK_REWIND",
    commands: HANDBACK,
    default: false,
    description: "go back to the oldest record that was relayed and not read, instead of refusing while there is one",
  }),
  "handback.newGroup": option({
    kind: boolean(),
    flag: "--new-group",
    env: "SPILLWAY_HANDBACK_NEW_GROUP",
    commands: HANDBACK,
    default: false,
    description: "hand back to a group without offsets in the hot topic: brokers forget them after a week",
  }),
  "handback.dryRun": option({
    kind: boolean(),
    flag: "--dry-run",
    env: "SPILLWAY_HANDBACK_DRY_RUN",
    commands: HANDBACK,
    default: false,
    description: "check everything, say what would be done, and change nothing",
  }),
  "handback.json": option({
    kind: file(),
    flag: "--json",
    env: "SPILLWAY_HANDBACK_JSON",
    commands: HANDBACK,
    description: "write the report to this file as JSON",
  }),
};

function groupReference(): Kind<GroupReference> {
  const schema = z
    .string()
    .regex(/^group:./)
    .transform((reference): GroupReference => ({ kind: "group", group: reference.slice("group:".length) }));
  return { schema, allowed: "group: and a consumer group's name", shape: "single", placeholder: "group:name" };
}
