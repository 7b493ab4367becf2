import { readFileSync } from "node:fs";
import { Command } from "commander";
import { maskSecrets } from "../config/secrets.ts";
import { adviseCommand } from "./advise.ts";
import { configCommand } from "./config.ts";
import type { CliContext } from "./context.ts";
import { demoCommand } from "./demo.ts";
import { dlqCommand } from "./dlq.ts";
import { handbackCommand } from "./handback.ts";
import { lagCommand } from "./lag.ts";
import { produceCommand } from "./produce.ts";
import { relayCommand } from "./relay.ts";
import { servicesCommand } from "./services.ts";
import { sinkCommand } from "./sink.ts";
import { steeringCommands } from "./steer.ts";
import { verifyCommand } from "./verify.ts";

/** `spillway` with all its commands, none of which has run. */
export function createProgram(context: CliContext): Command {
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
