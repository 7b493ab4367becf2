import { milliseconds, secretText } from "../kinds.ts";
import { option } from "../option.ts";
import { socketAddress } from "../steering-kinds.ts";

const PROCESSES = ["relay", "sink", "lag"] as const;

/** What a process says of itself by HTTP, and to whom. */
export const SERVER_OPTIONS = {
  "server.listen": option({
    kind: socketAddress(),
    flag: "--listen",
    env: "SPILLWAY_LISTEN",
    commands: PROCESSES,
    description:
      "where to answer HTTP: /status, /metrics, /health/live, /health/ready; a port alone is this machine's only",
  }),
  "server.stallMs": option({
    kind: milliseconds(1_000, 3_600_000),
    flag: "--stall-ms",
    env: "SPILLWAY_STALL_MS",
    commands: PROCESSES,
    default: 60_000,
    unit: "ms",
    description: "how long nothing may come to its end, while there is work, until /health/ready says so",
  }),
  "server.controlToken": option({
    kind: secretText(),
    env: "SPILLWAY_CONTROL_TOKEN",
    commands: ["relay"],
    secret: "whole",
    description: "what a request has to show that throttles, pauses or resumes by HTTP; without it none may",
  }),
};
