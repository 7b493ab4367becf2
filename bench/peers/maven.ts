import { lastLines, runCommand } from "../../services/command.ts";
import { requireMaven } from "../../services/prerequisites.ts";
import type { Reaper } from "../../services/reaper.ts";

const COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";
const TIMEOUT_MS = 10 * 60_000;

/** An input of what is built from the jars: how they are fetched. */
export const FETCHING = COPY;

/** Copies the jars that a project file names, and theirs, into a folder. @throws Error with the end of Maven's output */
export async function fetchJars(pom: string, directory: string, reaper: Reaper, signal: AbortSignal): Promise<void> {
  await requireMaven(reaper);
  const args = ["-B", "-q", "-f", pom, COPY, "-DincludeScope=runtime", `-DoutputDirectory=${directory}`];
  await runOrThrow("mvn", args, reaper, signal);
}

/** @throws Error with the end of its output if it fails */
export async function runOrThrow(
  command: string,
  args: readonly string[],
  reaper: Reaper,
  signal: AbortSignal,
): Promise<void> {
  const { code, stdout, stderr } = await runCommand(command, args, { timeoutMs: TIMEOUT_MS, reaper, signal });
  if (code !== 0) throw new Error(`${command} failed:\n${lastLines(stdout + stderr, 20)}`);
}
