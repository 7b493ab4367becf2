import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

const ROOT = join(import.meta.dirname, "..");
const BUILD_DEADLINE_MS = 300_000;

/** The command as it is published: run from its sources, Node's reader of TypeScript would take part, in memory above all. */
export const CLI = join(ROOT, "dist/cli/main.js");

/** Builds it from the sources as they are now. @throws with what the compiler says */
export async function buildCli(signal: AbortSignal): Promise<void> {
  await promisify(execFile)("npm", ["run", "build"], { cwd: ROOT, signal, timeout: BUILD_DEADLINE_MS });
}
