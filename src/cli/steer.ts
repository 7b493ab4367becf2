import { writeFile } from "node:fs/promises";
import { Command } from "commander";
import type { ConfiguredCommand } from "../config/option.ts";
import type { Values } from "../config/option-table.ts";
import { SpillwayError } from "../errors.ts";
import type { Settings } from "../relay/settings.ts";
import { type CliContext, prepare } from "./context.ts";
import { EXIT } from "./exit-codes.ts";
import { addFlags } from "./flags.ts";
import { kafkaOptions, relayGroup } from "./kafka-options.ts";
import { untilStopped } from "./stop-signals.ts";

const STOP_DEADLINE_MS = 10_000;

/** `spillway throttle`, `pause`, `resume` and `status`: they speak to all instances of a relay, by way of Kafka. */
export function steeringCommands(context: CliContext): readonly Command[] {
  return [
    changing(context, "throttle", "change how fast a relay may go, while it runs or before", throttle),
    changing(context, "pause", "have a relay stand still; it stays in its group, and paused over restarts", () => ({
      paused: true,
    })),
    changing(context, "resume", "have a paused relay go on", () => ({ paused: false })),
    statusCommand(context),
  ];
}

function throttle(values: Values): Settings {
  const { "throttle.recordsPerSecond": records, "throttle.bytesPerSecond": bytes } = values;
  if (records === undefined && bytes === undefined) {
    throw new SpillwayError(
      "CONFIG_INVALID",
      "There is no limit to set: give --records-per-second or --bytes-per-second",
    );
  }
  return {
    ...(records === undefined ? {} : { recordsPerSecond: records }),
    ...(bytes === undefined ? {} : { bytesPerSecond: bytes }),
  };
}

function changing(
  context: CliContext,
  name: "throttle" | "pause" | "resume",
  description: string,
  changeOf: (values: Values) => Settings,
): Command {
  const command = commandFor(name, description);
  return command.action(async (source: string) => {
    const { log, relay, kafka, values } = await opened(context, command, name, source);
    const change = changeOf(values);
    const { changeSettings } = await import("../relay/settings.ts");
    const settings = await untilStopped({ log, deadlineMs: STOP_DEADLINE_MS }, (signal) =>
      changeSettings(relay, change, { kafka, log, signal }),
    );
    // Nobody knows whether the relay was told.
    if (settings === undefined) context.exitCode = EXIT.interrupted;
    else process.stdout.write(`${JSON.stringify({ ...relay, ...settings })}\n`);
  });
}

function statusCommand(context: CliContext): Command {
  const command = commandFor("status", "show how far a relay has come, and what it was told");
  return command.action(async (source: string) => {
    const { log, relay, kafka, values } = await opened(context, command, "status", source);
    const { lookAtRelay, statusTable } = await import("../relay/look.ts");
    const seen = await untilStopped({ log, deadlineMs: STOP_DEADLINE_MS }, (signal) =>
      lookAtRelay(relay, { kafka, log, signal }),
    );
    if (seen === undefined) {
      context.exitCode = EXIT.interrupted;
      return;
    }
    process.stdout.write(`${statusTable(seen)}\n`);
    const file = values["status.json"];
    if (file !== undefined) await writeFile(file, `${JSON.stringify(seen, undefined, 2)}\n`);
  });
}

function commandFor(name: ConfiguredCommand, description: string): Command {
  return addFlags(new Command(name), name).description(description).argument("<source>", "the hot topic");
}

async function opened(context: CliContext, command: Command, name: ConfiguredCommand, source: string) {
  const { config, log } = await prepare(context, command, name);
  const { values } = config;
  return { log, values, relay: { group: relayGroup(values, source), source }, kafka: kafkaOptions(values) };
}
