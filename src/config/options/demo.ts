import { boolean, file, integer } from "../kinds.ts";
import { option } from "../option.ts";

export const DEMO_OPTIONS = {
  "demo.records": option({
    kind: integer(1_000, 100_000_000),
    flag: "--records",
    env: "SPILLWAY_DEMO_RECORDS",
    commands: ["demo"],
    default: 200_000,
    unit: "records",
    description: "how many records the flood has",
  }),
  "demo.json": option({
    kind: file(),
    flag: "--json",
    env: "SPILLWAY_DEMO_JSON",
    commands: ["demo"],
    description: "write the result to this file as JSON",
  }),
  "demo.keep": option({
    kind: boolean(),
    flag: "--keep",
    env: "SPILLWAY_DEMO_KEEP",
    commands: ["demo"],
    default: false,
    description: "leave the services up in the end and say how to reach them",
  }),
  "demo.docker": option({
    kind: boolean(),
    flag: "--docker",
    env: "SPILLWAY_DEMO_DOCKER",
    commands: ["demo"],
    default: false,
    description: "run the services by Docker Compose instead of by Java and Go on this machine",
  }),
};
