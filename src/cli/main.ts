#!/usr/bin/env node
import { CommanderError } from "commander";
import type { CliContext } from "./context.ts";
import { EXIT, exitCodeOf } from "./exit-codes.ts";
import { printError } from "./print-error.ts";
import { createProgram } from "./program.ts";

/** Nothing should keep the process once its command is done; if something does, it ends all the same. */
const LINGER_MS = 3_000;

process.exitCode = await main(process.argv.slice(2));
setTimeout(() => {
  process.stderr.write("spillway: something was left open\n");
  process.exit();
}, LINGER_MS).unref();

async function main(args: readonly string[]): Promise<number> {
  const context: CliContext = { withStacks: false, exitCode: EXIT.ok };
  try {
    await createProgram(context).parseAsync([...args], { from: "user" });
    return context.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.configuration;
    printError(error, context.withStacks);
    return exitCodeOf(error);
  }
}
