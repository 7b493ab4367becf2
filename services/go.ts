import { type CommandOptions, lastLines, runCommand } from "./command.ts";
import { ServiceError } from "./errors.ts";
import { requireGo } from "./prerequisites.ts";

/** Runs `go` with these arguments, and returns what it says. @throws ServiceError with the end of its complaints */
export type Go = (...args: string[]) => Promise<string>;

/** Go in a folder, which need not be there yet. @throws MissingPrerequisite without a Go that is new enough */
export async function goIn(cwd: string, options: Omit<CommandOptions, "cwd" | "stdin">): Promise<Go> {
  await requireGo(options.reaper);
  return async (...args) => {
    const { code, stdout, stderr } = await runCommand("go", args, { ...options, cwd });
    if (code === 0) return stdout;
    throw new ServiceError(`go ${args.join(" ")} failed:\n${lastLines(stderr || stdout, 20)}`);
  };
}
