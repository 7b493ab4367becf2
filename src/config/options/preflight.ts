import { boolean } from "../kinds.ts";
import { option } from "../option.ts";

const COMMANDS = ["relay"] as const;

export const PREFLIGHT_OPTIONS = {
  "relay.preflight": option({
    kind: boolean(),
    flag: "--preflight",
    env: "SPILLWAY_RELAY_PREFLIGHT",
    commands: COMMANDS,
    default: true,
    description: "look before relaying: errors end it, warnings are logged",
  }),
  "relay.dryRun": option({
    kind: boolean(),
    flag: "--dry-run",
    env: "SPILLWAY_RELAY_DRY_RUN",
    commands: COMMANDS,
    default: false,
    description: "only look, say what was found, and relay nothing",
  }),
  "relay.strict": option({
    kind: boolean(),
    flag: "--strict",
    env: "SPILLWAY_RELAY_STRICT",
    commands: COMMANDS,
    default: false,
    description: "warnings end it too",
  }),
};
