import { choice } from "../kinds.ts";
import { CONFIGURED_COMMANDS, option } from "../option.ts";

export const GENERAL_OPTIONS = {
  "log.level": option({
    kind: choice("silent", "fatal", "error", "warn", "info", "debug", "trace"),
    flag: "--log-level",
    env: "SPILLWAY_LOG_LEVEL",
    commands: CONFIGURED_COMMANDS,
    default: "info",
    description: "how much to log, as JSON lines on standard error; at debug, errors come with their stack",
  }),
};
