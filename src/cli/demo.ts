import { join } from "node:path";
import { Command } from "commander";
import type { Config } from "../config/config.ts";
import { type CliContext, configOf, prepareLog } from "./context.ts";
import { demoServices, openGuard } from "./demo-services.ts";
import { EXIT } from "./exit-codes.ts";
import { addFlags } from "./flags.ts";
import { untilStopped } from "./stop-signals.ts";

/** Stopping relay, sink, Kafka and the database in order. */
const STOP_DEADLINE_MS = 120_000;

/** `spillway demo`: the main job from end to end, and its summary. */
export function demoCommand(context: CliContext): Command {
  const command = addFlags(new Command("demo"), "demo")
    .description("run a flood from end to end on real services, and account for every record")
    .action(async () => {
      const config = configOf(command, "demo");
      const { values } = config;
      const log = await prepareLog(context, config, levelOf(config));
      const { runDemo } = await import("../demo/demo.ts");
      const result = await untilStopped({ log, deadlineMs: STOP_DEADLINE_MS }, async (signal) => {
        await using guard = await openGuard();
        return await runDemo(
          { records: values["demo.records"], json: values["demo.json"], keep: values["demo.keep"] },
          {
            startServices: demoServices(values),
            spillway: [process.execPath, join(import.meta.dirname, MAIN)],
            guard,
            output: process.stdout,
            log,
            signal,
          },
        );
      });
      // Interrupted: the records were not all looked at, so this is no success.
      if (result === undefined) context.exitCode = EXIT.interrupted;
    });
  return command;
}

/** The same suffix as this file's: .ts from the sources, .js when compiled. */
const MAIN = import.meta.filename.endsWith(".ts") ? "main.ts" : "main.js";

/** Bars and tables are for people: unless asked for, logs come between them only if something is wrong. */
function levelOf({ values, settings }: Config): string {
  const source = settings.find(({ key }) => key === "log.level")?.source;
  return source?.kind === "default" ? "warn" : values["log.level"];
}
