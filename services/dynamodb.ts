import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort, isListening } from "./ports.ts";
import type { Preparation } from "./preparation.ts";
import { ServiceProcess } from "./service-process.ts";

export const DYNAMODB_NAME = "dynalite 4";

export interface Dynamodb {
  readonly url: string;
  readonly process: ServiceProcess;
}

/**
 * Dynalite, in memory: its data goes with its process. It lacks transactions, ReturnValuesOnConditionCheckFailure (the
 * caller has to read back), the limit of 32 levels of nesting, and throttling: it never leaves an item unprocessed.
 */
export async function startDynamodb({ reaper, log, signal }: Preparation): Promise<Dynamodb> {
  const program = fileURLToPath(import.meta.resolve("dynalite/cli.js"));
  const port = await freePort();
  const service = new ServiceProcess(
    {
      name: "dynalite",
      command: process.execPath,
      args: [program, "--host", "127.0.0.1", "--port", String(port), "--createTableMs", "100"],
      logFile: join(mkdtempSync(join(reaper.directory, "dynamodb-")), "dynalite.log"),
      startTimeoutMs: 30_000,
      stopTimeoutMs: 10_000,
      isReady: () => isListening(port),
    },
    reaper,
  );
  await service.start(signal);
  log(`${DYNAMODB_NAME} (DynamoDB) has started.`);
  return { url: `http://127.0.0.1:${port}`, process: service };
}
