import { Command } from "commander";
import type { Setting } from "../advice/facts.ts";
import type { Naming } from "../advice/report.ts";
import { type OptionKey, optionOf } from "../config/option-table.ts";
import { required } from "../config/required.ts";
import { type CliContext, prepare } from "./context.ts";
import { EXIT } from "./exit-codes.ts";
import { addFlags } from "./flags.ts";
import { kafkaOptions } from "./kafka-options.ts";
import { printReport } from "./print-report.ts";
import { untilStopped } from "./stop-signals.ts";

/** Nothing is changed, so there is nothing to finish. */
const STOP_DEADLINE_MS = 5_000;

/** `spillway advise`: which settings of a live group of sinks to change, why, and what to expect of it. */
export function adviseCommand(context: CliContext): Command {
  const command = addFlags(new Command("advise"), "advise")
    .description("which settings of a live group of sinks to change, why, and what to expect of it")
    .action(async () => {
      const { config, log } = await prepare(context, command, "advise");
      const { values } = config;
      const [{ readFacts }, { adviceReport }, { adviceText }] = await Promise.all([
        import("../advice/read-facts.ts"),
        import("../advice/report.ts"),
        import("../advice/advice-text.ts"),
      ]);
      const options = {
        kafka: kafkaOptions(values),
        from: required(values, "advise.from"),
        seconds: values["advise.forMs"] / 1_000,
      };
      const facts = await untilStopped({ log, deadlineMs: STOP_DEADLINE_MS }, (signal) =>
        readFacts(options, { log, signal }),
      );
      // Interrupted before enough was seen.
      if (facts === undefined) {
        context.exitCode = EXIT.interrupted;
        return;
      }
      const report = adviceReport(facts, (setting) => namingOf(setting, facts.target));
      await printReport(adviceText(report), JSON.stringify(report, undefined, 2), values["advise.json"]);
    });
  return command;
}

const OPTIONS: Readonly<Record<Setting, OptionKey>> = {
  batching: "sink.batching",
  writers: "sink.writers",
  batchRecords: "sink.batchRecords",
  batchBytes: "sink.batchBytes",
  batchTimeoutMs: "sink.batchTimeoutMs",
  inFlightRecords: "sink.inFlightRecords",
  inFlightBytes: "sink.inFlightBytes",
  commitIntervalMs: "sink.commitIntervalMs",
  connections: "mongo.maxPoolSize",
  writeTimeoutMs: "mongo.writeTimeoutMs",
  fetchMinBytes: "consumer.fetchMinBytes",
  fetchMaxWaitMs: "consumer.fetchMaxWaitMs",
};

const OF_DYNAMODB: Partial<Readonly<Record<Setting, OptionKey>>> = {
  connections: "dynamo.maxSockets",
  writeTimeoutMs: "dynamo.requestTimeoutMs",
};

function namingOf(setting: Setting, target: string): Naming {
  const key = (target === "dynamodb" ? OF_DYNAMODB[setting] : undefined) ?? OPTIONS[setting];
  const { flag = key, env } = optionOf(key);
  return { flag, environment: env };
}
