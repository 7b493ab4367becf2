import { file, httpUrls, milliseconds } from "../kinds.ts";
import { option } from "../option.ts";

const COMMANDS = ["advise"] as const;

export const ADVISE_OPTIONS = {
  "advise.from": option({
    kind: httpUrls(),
    flag: "--from",
    env: "SPILLWAY_ADVISE_FROM",
    commands: COMMANDS,
    requiredBy: COMMANDS,
    description: "where instances of the sink listen (--listen), of one group; can be given several times",
  }),
  "advise.forMs": option({
    kind: milliseconds(1_000, 3_600_000),
    flag: "--for",
    env: "SPILLWAY_ADVISE_FOR_MS",
    commands: COMMANDS,
    default: 10_000,
    unit: "ms",
    description: "how long to look; best at a peak, and longer than a batch waits",
  }),
  "advise.json": option({
    kind: file(),
    flag: "--json",
    env: "SPILLWAY_ADVISE_JSON",
    commands: COMMANDS,
    description: "write the advice to this file as JSON; - for the output",
  }),
};
