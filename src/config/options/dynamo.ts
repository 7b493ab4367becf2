import { boolean, httpUrl, integer, milliseconds, text } from "../kinds.ts";
import { option } from "../option.ts";

const COMMANDS = ["sink"] as const;

/** Credentials are no options: they come from the AWS environment variables, files and roles. */
export const DYNAMO_OPTIONS = {
  "dynamo.endpoint": option({
    kind: httpUrl(),
    flag: "--dynamo-endpoint",
    env: "SPILLWAY_DYNAMO_ENDPOINT",
    commands: COMMANDS,
    description: "where DynamoDB is, if not at AWS: a local one, or an endpoint inside a network",
  }),
  "dynamo.region": option({
    kind: text("region"),
    flag: "--dynamo-region",
    env: "SPILLWAY_DYNAMO_REGION",
    commands: COMMANDS,
    description: "the region of the tables; that of the AWS environment or profile if it isn't given",
  }),
  "dynamo.key": option({
    kind: text("attribute"),
    flag: "--dynamo-key",
    env: "SPILLWAY_DYNAMO_KEY",
    commands: COMMANDS,
    default: "id",
    description: "the partition key of the tables: a string, which holds the id that MongoDB would have as _id",
  }),
  "dynamo.createTable": option({
    kind: boolean(),
    flag: "--dynamo-create-table",
    env: "SPILLWAY_DYNAMO_CREATE_TABLE",
    commands: COMMANDS,
    default: false,
    description: "make tables that are missing, billed per request, instead of ending with an error",
  }),
  "dynamo.maxSockets": option({
    kind: integer(1, 10_000),
    flag: "--dynamo-max-sockets",
    env: "SPILLWAY_DYNAMO_MAX_SOCKETS",
    commands: COMMANDS,
    default: 50,
    description: "how many connections to open to DynamoDB at most, each for one request at a time",
  }),
  "dynamo.requestTimeoutMs": option({
    kind: milliseconds(100, 600_000),
    flag: "--dynamo-request-timeout-ms",
    env: "SPILLWAY_DYNAMO_REQUEST_TIMEOUT_MS",
    commands: COMMANDS,
    default: 10_000,
    unit: "ms",
    description: "how long DynamoDB may take for one request before that counts as an outage",
  }),
};
