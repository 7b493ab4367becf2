import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

/** What `running.json` says of the services that run in the background. */
const runningSchema = z.object({
  /** Of their keeper. For people: a number may have gone to another process, so nothing is sent to it. */
  pid: z.number(),
  /** Address of the keeper's own HTTP server, and the word that tells it from another on the same port. */
  keeper: z.url(),
  token: z.string(),
  brokers: z.array(z.string()),
  mongoUrl: z.string(),
  database: z.string(),
  toxiproxy: z.string(),
  registryUrl: z.string().optional(),
});

export type Running = z.infer<typeof runningSchema>;

/** The services in the background, if there are any: of a keeper that is gone, nothing is left but the file. */
export async function findRunning(directory: string): Promise<Running | undefined> {
  let running: Running;
  try {
    running = runningSchema.parse(JSON.parse(await readFile(runningFile(directory), "utf8")));
  } catch {
    // No file, or one of another version of Spillway.
    return undefined;
  }
  if (await ask(running, "GET", 5_000)) return running;
  await forgetRunning(directory);
  return undefined;
}

/** Resolves when all is stopped. */
export async function askToStop(running: Running): Promise<boolean> {
  return await ask(running, "DELETE", 120_000);
}

async function ask({ keeper, token }: Running, method: "GET" | "DELETE", timeoutMs: number): Promise<boolean> {
  try {
    const headers = { authorization: token };
    const response = await fetch(keeper, { method, headers, signal: AbortSignal.timeout(timeoutMs) });
    return response.ok;
  } catch {
    return false;
  }
}

export async function writeRunning(directory: string, running: Running): Promise<void> {
  const unfinished = `${runningFile(directory)}.${process.pid}`;
  await writeFile(unfinished, `${JSON.stringify(running, undefined, 2)}\n`, { mode: 0o600 });
  await rename(unfinished, runningFile(directory));
}

export async function forgetRunning(directory: string): Promise<void> {
  await rm(runningFile(directory), { force: true });
}

function runningFile(directory: string): string {
  return join(directory, "running.json");
}
