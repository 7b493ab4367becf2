import { milliseconds, registryUrl, secretText, text } from "../kinds.ts";
import { option } from "../option.ts";

const COMMANDS = ["sink", "prices"] as const;

/** Where schemas are, and who asks for them. */
export const REGISTRY_OPTIONS = {
  "registry.url": option({
    kind: registryUrl(),
    flag: "--registry-url",
    env: "SPILLWAY_REGISTRY_URL",
    commands: COMMANDS,
    secret: "uri",
    description: "the schema registry, up to what stands before /subjects and /schemas",
  }),
  "registry.username": option({
    kind: text("name"),
    flag: "--registry-username",
    env: "SPILLWAY_REGISTRY_USERNAME",
    commands: COMMANDS,
    description: "whom to log in to the schema registry as",
  }),
  "registry.password": option({
    kind: secretText(),
    env: "SPILLWAY_REGISTRY_PASSWORD",
    commands: COMMANDS,
    secret: "whole",
    description: "the password for the schema registry",
  }),
  "registry.token": option({
    kind: secretText(),
    env: "SPILLWAY_REGISTRY_TOKEN",
    commands: COMMANDS,
    secret: "whole",
    description: "a bearer token for the schema registry, instead of name and password",
  }),
  "registry.timeoutMs": option({
    kind: milliseconds(100, 600_000),
    flag: "--registry-timeout-ms",
    env: "SPILLWAY_REGISTRY_TIMEOUT_MS",
    commands: COMMANDS,
    default: 5_000,
    unit: "ms",
    description: "how long the schema registry may take for one answer before that counts as an outage",
  }),
};
