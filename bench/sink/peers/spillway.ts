import { CLI } from "../../built-cli.ts";
import type { SinkJob, SinkPeer } from "./peer.ts";

/** Any will do for a local DynamoDB, and none for no request at all. */
export const LOCAL_CREDENTIALS = { AWS_ACCESS_KEY_ID: "local", AWS_SECRET_ACCESS_KEY: "local" };

/** The values have an `id` of their own, which the table's key must not be called. */
const FOR_DYNAMODB = ["--dynamo-key", "_id"];

/**
 * The command as anybody would run it, with its defaults.
 * @param others options that aren't at their defaults, to try them out
 */
export function spillwaySink(others: readonly string[]): SinkPeer {
  return {
    name: "spillway",
    warmup: "native",
    settings: ({ target }) => {
      const given = [...(target === "dynamodb" ? FOR_DYNAMODB : []), ...others];
      return { options: given.length === 0 ? "defaults" : `defaults, but ${given.join(" ")}` };
    },
    command: (job) => ({
      command: process.execPath,
      args: [...job.nodeFlags, CLI, "sink", ...argumentsOf(job), ...others],
      env: { ...process.env, ...LOCAL_CREDENTIALS },
    }),
  };
}

function argumentsOf({ brokers, topic, group, target, url, database, collection, model }: SinkJob): string[] {
  const where =
    target === "mongodb"
      ? ["--mongo-url", url, "--database", database]
      : [
          ...["--target", "dynamodb", "--dynamo-endpoint", url, "--dynamo-region", "local", "--dynamo-create-table"],
          ...FOR_DYNAMODB,
        ];
  return [
    ...["--brokers", brokers.join(), "--topic", topic, "--collection", collection],
    ...["--group", group, "--model", model, ...where],
  ];
}
