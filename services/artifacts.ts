import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { isErrorCode } from "./command.ts";
import { ServiceError } from "./errors.ts";
import { waitUntil } from "./wait-until.ts";

/** Where jars and programs are kept from one run to the next. */
export function artifactsDirectory(): string {
  const { SPILLWAY_SERVICES_DIR: given } = process.env;
  return given === undefined || given === "" ? join(packageRoot(), ".spillway") : resolve(given);
}

/** The nearest folder with a package.json: the same from the sources and from the compiled package. */
function packageRoot(): string {
  let directory = import.meta.dirname;
  while (!existsSync(join(directory, "package.json"))) {
    const parent = dirname(directory);
    if (parent === directory) throw new ServiceError(`no package.json above ${import.meta.dirname}`);
    directory = parent;
  }
  return directory;
}

export interface Artifact {
  /** Folder name, less the hash. */
  readonly name: string;
  /** All that decides what is built: another input makes another folder. */
  readonly inputs: readonly string[];
  /** Fills the directory. */
  build(directory: string): Promise<void>;
}

/** Returns the artifact's folder, built if it is not there yet. Processes that ask at once build it once. */
export async function builtArtifact(artifact: Artifact, signal?: AbortSignal): Promise<string> {
  const root = artifactsDirectory();
  const hash = createHash("sha256").update(JSON.stringify(artifact.inputs)).digest("hex").slice(0, 12);
  const finished = join(root, `${artifact.name}-${hash}`);
  if (existsSync(finished)) return finished;

  await mkdir(root, { recursive: true });
  await withLock(join(root, `${artifact.name}.lock`), signal, async () => {
    if (existsSync(finished)) return;
    const unfinished = join(root, `unfinished-${artifact.name}-${process.pid}`);
    // Left by builds that were killed; the lock says that none is under way.
    for (const entry of await readdir(root)) {
      if (entry.startsWith(`unfinished-${artifact.name}-`)) await rm(join(root, entry), { recursive: true });
    }
    await mkdir(unfinished);
    try {
      await artifact.build(unfinished);
      await rename(unfinished, finished);
    } catch (error) {
      await rm(unfinished, { recursive: true, force: true });
      throw error;
    }
  });
  return finished;
}

const LOCK_TIMEOUT_MS = 20 * 60_000;

/** One process at a time. The lock of a process that is gone counts for nothing. */
export async function withLock<T>(file: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  const taken = (): Promise<boolean> => takeLock(file);
  await waitUntil(taken, { timeoutMs: LOCK_TIMEOUT_MS, what: `${file} is free`, everyMs: 200, signal });
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}

async function takeLock(file: string): Promise<boolean> {
  try {
    await using handle = await open(file, "wx");
    await handle.writeFile(String(process.pid));
    return true;
  } catch (error) {
    if (!isErrorCode(error, "EEXIST")) throw error;
  }
  const holder = Number(await readFile(file, "utf8").catch(() => ""));
  // 0: just made and not written yet, or just removed. Should two processes both see a dead holder and one of them
  // remove the other's new lock, both build: wasteful, yet right, as the finished folder appears by one rename.
  if (holder !== 0 && !isAlive(holder)) await rm(file, { force: true });
  return false;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return isErrorCode(error, "EPERM");
  }
}
