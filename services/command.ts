import { type SpawnOptionsWithStdioTuple, spawn } from "node:child_process";
import { ServiceError } from "./errors.ts";
import type { Reaper } from "./reaper.ts";

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly timeoutMs: number;
  readonly reaper: Reaper;
  readonly stdin?: string | undefined;
  readonly cwd?: string | undefined;
  readonly env?: NodeJS.ProcessEnv | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Runs a program to its end. A program that isn't there rejects with the system's ENOENT. */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  options.signal?.throwIfAborted();
  const spawnOptions: SpawnOptionsWithStdioTuple<"pipe", "pipe", "pipe"> = {
    stdio: ["pipe", "pipe", "pipe"],
    // A group of its own, so that what it starts can be ended with it.
    detached: true,
    env: options.env ?? process.env,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  };
  const child = spawn(command, [...args], spawnOptions);
  const group = child.pid;
  if (group !== undefined) options.reaper.watch(group);

  const output = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output.stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    output.stderr += text;
  });
  // A program may end without reading its input.
  child.stdin.on("error", () => undefined);
  child.stdin.end(options.stdin ?? "");

  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const kill = (): void => {
    if (group !== undefined) killGroup(group, "SIGKILL");
  };
  const timer = setTimeout(() => {
    const tail = lastLines(output.stderr || output.stdout, 20);
    reject(new ServiceError(`${command} ${args.at(0) ?? ""} took longer than ${options.timeoutMs / 1000} s\n${tail}`));
    kill();
  }, options.timeoutMs);
  const onAbort = (): void => {
    reject(options.signal?.reason);
    kill();
  };
  options.signal?.addEventListener("abort", onAbort, { once: true });
  child.once("error", reject);
  child.once("close", (code) => resolve(code ?? -1));
  try {
    return { code: await promise, ...output };
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", onAbort);
    if (group !== undefined) options.reaper.forget(group);
  }
}

export function killGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch (error) {
    if (!isErrorCode(error, "ESRCH")) throw error;
  }
}

export function isErrorCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

export function lastLines(text: string, count: number): string {
  return text.trimEnd().split("\n").slice(-count).join("\n");
}
