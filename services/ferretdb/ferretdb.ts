import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { freePort, isListening } from "../ports.ts";
import type { Preparation } from "../preparation.ts";
import { ServiceProcess } from "../service-process.ts";
import { FERRETDB_VERSION, ferretdbProgram } from "./build.ts";

export const FERRETDB_NAME = `FerretDB ${FERRETDB_VERSION} (SQLite)`;

export interface Database {
  readonly url: string;
  readonly process: ServiceProcess;
}

export async function startFerretdb(preparation: Preparation): Promise<Database> {
  const { reaper, log, signal } = preparation;
  const program = await ferretdbProgram(preparation);
  const port = await freePort();
  const directory = mkdtempSync(join(reaper.directory, "ferretdb-"));
  const process = new ServiceProcess(
    {
      name: "FerretDB",
      command: program,
      args: ["-port", String(port), "-data", join(directory, "data")],
      logFile: join(directory, "ferretdb.log"),
      startTimeoutMs: 30_000,
      stopTimeoutMs: 10_000,
      isReady: async (log) => log.includes("ready") && (await isListening(port)),
    },
    reaper,
  );
  await process.start(signal);
  log(`${FERRETDB_NAME} has started.`);
  return { url: `mongodb://127.0.0.1:${port}/`, process };
}
