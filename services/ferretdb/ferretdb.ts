import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import type { CertificateFiles } from "../certificates.ts";
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

/** What everybody needs who connects; what is left out nobody does. */
export interface DatabaseAccess {
  readonly login?: DatabaseLogin;
  /** Its own certificate, and that of the authority that issued it. */
  readonly tls?: CertificateFiles & { readonly caFile: string };
}

/** @returns with all of `access` in the URL */
export async function startFerretdb(preparation: Preparation, access: DatabaseAccess = {}): Promise<Database> {
  const { reaper, log, signal } = preparation;
  const program = await ferretdbProgram(preparation);
  const port = await freePort();
  const directory = mkdtempSync(join(reaper.directory, "ferretdb-"));
  const process = new ServiceProcess(
    {
      name: "FerretDB",
      command: program,
      args: ["-port", String(port), "-data", join(directory, "data"), ...tlsOf(access)],
      env: { ...globalThis.process.env, ...setupOf(access) },
      logFile: join(directory, "ferretdb.log"),
      startTimeoutMs: 30_000,
      stopTimeoutMs: 10_000,
      isReady: async (log) => log.includes("ready") && (await isListening(port)),
    },
    reaper,
  );
  await process.start(signal);
  log(`${FERRETDB_NAME} has started.`);
  return { url: `mongodb://${userOf(access)}127.0.0.1:${port}/${optionsOf(access)}`, process };
}

function tlsOf({ tls }: DatabaseAccess): readonly string[] {
  return tls === undefined ? [] : ["-tls-cert", tls.certFile, "-tls-key", tls.keyFile];
}

function setupOf({ login }: DatabaseAccess): NodeJS.ProcessEnv {
  if (login === undefined) return {};
  return { FERRETDB_SETUP_USERNAME: login.username, FERRETDB_SETUP_PASSWORD: login.password };
}

function userOf({ login }: DatabaseAccess): string {
  if (login === undefined) return "";
  return `${encodeURIComponent(login.username)}:${encodeURIComponent(login.password)}@`;
}

function optionsOf({ tls }: DatabaseAccess): string {
  return tls === undefined ? "" : `?tls=true&tlsCAFile=${encodeURIComponent(tls.caFile)}`;
}
