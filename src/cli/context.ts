import type { Command } from "commander";
import type { Logger } from "pino";
import { type Config, loadConfig } from "../config/config.ts";
import type { ConfiguredCommand } from "../config/option.ts";
import { givenFlags } from "./flags.ts";

/** What the commands of one run share. */
export interface CliContext {
  /** At debug, an error is printed with its stack. Known once the configuration is. */
  withStacks: boolean;
  /** Left to the process as its exit code. */
  exitCode: number;
}

export interface Prepared {
  readonly config: Config;
  readonly log: Logger;
}

/** Reads the configuration of a command and opens its log. */
export async function prepare(context: CliContext, command: Command, name: ConfiguredCommand): Promise<Prepared> {
  const config = configOf(command, name);
  return { config, log: await prepareLog(context, config, config.values["log.level"]) };
}

export async function prepareLog(context: CliContext, { warnings }: Config, level: string): Promise<Logger> {
  context.withStacks = level === "debug" || level === "trace";
  const { createLogger } = await import("./logger.ts");
  const log = createLogger(level);
  for (const warning of warnings) log.warn(warning);
  return log;
}

export function configOf(command: Command, name: ConfiguredCommand): Config {
  return loadConfig({ command: name, flags: givenFlags(command, name), file: configFile(command) });
}

export function configFile(command: Command): string | undefined {
  const file: unknown = command.getOptionValue("config");
  return typeof file === "string" ? file : undefined;
}
