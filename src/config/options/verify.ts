import { file, topicNames } from "../kinds.ts";
import { option } from "../option.ts";

const COMMANDS = ["verify"] as const;

export const VERIFY_OPTIONS = {
  "verify.in": option({
    kind: topicNames(),
    flag: "--in",
    env: "SPILLWAY_VERIFY_IN",
    commands: COMMANDS,
    requiredBy: COMMANDS,
    description: "the topics that must hold all that is in the sources; can be given several times",
  }),
  "verify.json": option({
    kind: file(),
    flag: "--json",
    env: "SPILLWAY_VERIFY_JSON",
    commands: COMMANDS,
    description: "write the report to this file as JSON",
  }),
};
