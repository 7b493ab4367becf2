import { join } from "node:path";
import type { SinkJob, SinkPeer } from "./peer.ts";

const CLI = join(import.meta.dirname, "../../../src/cli/main.ts");

/** Any will do for a local DynamoDB, and none for no request at all. */
export const LOCAL_CREDENTIALS = { AWS_ACCESS_KEY_ID: "local", AWS_SECRET_ACCESS_KEY: "local" };

/**
 * The command as anybody would run it, with its defaults.
 * @param others options that aren't at their defaults, to try them out
 */
export function spillwaySink(others: readonly string[]): SinkPeer {
  return {
    name: "spillway",
    warmup: "native",
    settings: () => ({ options: others.length === 0 ? "defaults" : `defaults, but ${others.join(" ")}` }),
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
      : ["--target", "dynamodb", "--dynamo-endpoint", url, "--dynamo-region", "local", "--dynamo-create-table"];
  return [
    ...["--brokers", brokers.join(), "--topic", topic, "--collection", collection],
    ...["--group", group, "--model", model, ...where],
  ];
}
