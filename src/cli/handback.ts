import { writeFile } from "node:fs/promises";
import { Command } from "commander";
import type { Config } from "../config/config.ts";
import { required } from "../config/required.ts";
import type { HandBackOptions } from "../handover/hand-back.ts";
import { bigintsAsText } from "../runtime/bigints-as-text.ts";
import { type CliContext, prepare } from "./context.ts";
import { EXIT } from "./exit-codes.ts";
import { addFlags } from "./flags.ts";
import { kafkaOptions, relayGroup } from "./kafka-options.ts";
import { boundHeap } from "./memory.ts";
import { untilStopped } from "./stop-signals.ts";

/** Offsets are set at once or not at all, so there is nothing to finish. */
const STOP_DEADLINE_MS = 10_000;

/** `spillway handback`: a group goes on in the hot topic where the relay stopped. */
export function handbackCommand(context: CliContext): Command {
  const command = addFlags(new Command("handback"), "handback")
    .description("let a group go on in the hot topic where the relay stopped, once what was relayed is read")
    .argument("<source>", "the hot topic")
    .action(async (source: string) => {
      boundHeap("relay");
      const { config, log } = await prepare(context, command, "handback");
      const options = handBackOptions(config, source);
      const { handBack } = await import("../handover/hand-back.ts");
      const { handBackTable, retirement } = await import("../handover/report-table.ts");
      const report = await untilStopped({ log, deadlineMs: STOP_DEADLINE_MS }, (signal) =>
        handBack(options, { signal, log }),
      );
      if (report === undefined) {
        context.exitCode = EXIT.interrupted;
        return;
      }
      const next = report.dryRun ? [] : ["", retirement(report, options.kafka.brokers)];
      process.stdout.write(`${[handBackTable(report), ...next].join("\n")}\n`);
      const file = config.values["handback.json"];
      if (file !== undefined) await writeFile(file, `${JSON.stringify(report, bigintsAsText, 2)}\n`);
    });
  return command;
}

function handBackOptions({ values }: Config, source: string): HandBackOptions {
  return {
    kafka: kafkaOptions(values),
    source,
    relayGroup: relayGroup(values, source),
    to: required(values, "handback.to").group,
    targets: required(values, "handback.targets"),
    readers: values["handback.readers"],
    rewind: values["handback.rewind"],
    newGroup: values["handback.newGroup"],
    dryRun: values["handback.dryRun"],
    deadLetterSuffix: values["relay.deadLetterSuffix"],
  };
}
