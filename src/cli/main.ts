#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { maskSecrets } from "../config/secrets.ts";
import { adviseCommand } from "./advise.ts";
import { configCommand } from "./config.ts";
import type { CliContext } from "./context.ts";
import { demoCommand } from "./demo.ts";
import { dlqCommand } from "./dlq.ts";
import { EXIT, exitCodeOf } from "./exit-codes.ts";
import { handbackCommand } from "./handback.ts";
import { lagCommand } from "./lag.ts";
import { printError } from "./print-error.ts";
import { produceCommand } from "./produce.ts";
import { relayCommand } from "./relay.ts";
import { servicesCommand } from "./services.ts";
import { sinkCommand } from "./sink.ts";
import { steeringCommands } from "./steer.ts";
import { verifyCommand } from "./verify.ts";

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

function createProgram(context: CliContext): Command {
  const program = new Command("spillway")
    .description("Keeps live traffic safe from backfill floods on Kafka.")
    .version(packageVersion())
    .showSuggestionAfterError()
    .addHelpText(
      "after",
      "\nEach command has its own --help. Options: flags over environment over --config FILE over defaults.",
    );
  for (const command of [
    ...[relayCommand(context), ...steeringCommands(context)],
    ...[lagCommand(context), adviseCommand(context), verifyCommand(context), handbackCommand(context)],
    ...[sinkCommand(context), dlqCommand(context), produceCommand(context)],
    ...[demoCommand(context), servicesCommand(context), configCommand()],
  ]) {
    program.addCommand(command);
  }
  for (const command of withAllBelow(program)) {
    command.exitOverride().allowExcessArguments(false).configureOutput({ writeErr: writeError });
  }
  return program;
}

/** What Commander says about a wrong command line, which it repeats. */
function writeError(text: string): void {
  process.stderr.write(maskSecrets(text));
}

function withAllBelow(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withAllBelow)];
}

function packageVersion(): string {
  const { version }: { version: string } = JSON.parse(
    readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
  );
  return version;
}
