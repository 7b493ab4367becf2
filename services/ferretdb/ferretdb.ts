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

export interface DatabaseLogin {
  readonly username: string;
  readonly password: string;
}

/** @param login that everybody needs then; without one nobody does */
export async function startFerretdb(preparation: Preparation, login?: DatabaseLogin): Promise<Database> {
  const { reaper, log, signal } = preparation;
  const program = await ferretdbProgram(preparation);
  const port = await freePort();
  const directory = mkdtempSync(join(reaper.directory, "ferretdb-"));
  const process = new ServiceProcess(
    {
      name: "FerretDB",
      command: program,
      args: ["-port", String(port), "-data", join(directory, "data")],
      env: { ...globalThis.process.env, ...setupOf(login) },
      logFile: join(directory, "ferretdb.log"),
      startTimeoutMs: 30_000,
      stopTimeoutMs: 10_000,
      isReady: async (log) => log.includes("ready") && (await isListening(port)),
    },
    reaper,
  );
  await process.start(signal);
  log(`${FERRETDB_NAME} has started.`);
  return { url: `mongodb://${userOf(login)}127.0.0.1:${port}/`, process };
}

function setupOf(login: DatabaseLogin | undefined): NodeJS.ProcessEnv {
  if (login === undefined) return {};
  return { FERRETDB_SETUP_USERNAME: login.username, FERRETDB_SETUP_PASSWORD: login.password };
}

function userOf(login: DatabaseLogin | undefined): string {
  if (login === undefined) return "";
  return `${encodeURIComponent(login.username)}:${encodeURIComponent(login.password)}@`;
}
