import { join } from "node:path";
import { type CommandResult, isErrorCode, runCommand } from "./command.ts";
import { MissingPrerequisite } from "./errors.ts";
import type { Reaper } from "./reaper.ts";

const OLDEST_JAVA = 17;
const OLDEST_GO = [1, 23] as const;

/** The java program to use: JAVA_HOME's, as Maven does, or else the PATH's. */
export function javaProgram(): string {
  const { JAVA_HOME: home } = process.env;
  return home === undefined || home === "" ? "java" : join(home, "bin", "java");
}

/** Returns what Java says of itself. */
export async function requireJava(reaper: Reaper): Promise<string> {
  const { stderr } = await ask("Java", javaProgram(), ["-version"], reaper);
  // Java 8 calls itself 1.8, which is too old all the same.
  const major = Number(/version "(\d+)/.exec(stderr)?.[1] ?? Number.NaN);
  if (!(major >= OLDEST_JAVA)) throw new MissingPrerequisite("Java", `version ${major} is too old`);
  return stderr;
}

export async function requireMaven(reaper: Reaper): Promise<void> {
  await ask("Maven", "mvn", ["-v"], reaper);
}

export async function requireGo(reaper: Reaper): Promise<void> {
  const { stdout } = await ask("Go", "go", ["env", "GOVERSION"], reaper);
  const [, major, minor] = /go(\d+)\.(\d+)/.exec(stdout) ?? [];
  const isNewEnough = Number(major) > OLDEST_GO[0] || (Number(major) === OLDEST_GO[0] && Number(minor) >= OLDEST_GO[1]);
  if (!isNewEnough) throw new MissingPrerequisite("Go", `version ${stdout.trim()} is too old`);
}

async function ask(name: string, program: string, args: string[], reaper: Reaper): Promise<CommandResult> {
  try {
    const result = await runCommand(program, args, { timeoutMs: 60_000, reaper });
    if (result.code === 0) return result;
    throw new MissingPrerequisite(name, `${program} ${args.join(" ")} failed: ${result.stderr.trim()}`);
  } catch (error) {
    if (isErrorCode(error, "ENOENT")) throw new MissingPrerequisite(name, `there is no program ${program}`);
    throw error;
  }
}
