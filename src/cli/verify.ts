import { writeFile } from "node:fs/promises";
import { Command } from "commander";
import { required } from "../config/required.ts";
import { SpillwayError } from "../errors.ts";
import { type CliContext, configOf, prepareLog } from "./context.ts";
import { EXIT } from "./exit-codes.ts";
import { addFlags } from "./flags.ts";
import { kafkaOptions } from "./kafka-options.ts";
import { boundHeap } from "./memory.ts";
import { untilStopped } from "./stop-signals.ts";

/** Nothing is written but the report, so there is nothing to finish. */
const STOP_DEADLINE_MS = 10_000;

/** `spillway verify`: whether what was in some topics is in others, as relays leave it there. */
export function verifyCommand(context: CliContext): Command {
  const command = addFlags(new Command("verify"), "verify")
    .description("prove that the records of source topics are in target topics: each once, in its order and place")
    .argument("<source...>", "the topics that were relayed")
    .action(async (sources: string[]) => {
      boundHeap("relay");
      const config = configOf(command, "verify");
      const { values } = config;
      const log = await prepareLog(context, config, values["log.level"]);
      const { verifyRelay } = await import("../verify/verify.ts");
      const { isProven } = await import("../verify/report.ts");
      const { reportTable } = await import("../verify/report-table.ts");
      const options = { kafka: kafkaOptions(values), sources, targets: required(values, "verify.in") };
      const report = await untilStopped({ log, deadlineMs: STOP_DEADLINE_MS }, (signal) =>
        verifyRelay(options, { signal, log }),
      );
      if (report === undefined) {
        // Interrupted: the records were not all looked at, so this is no success.
        context.exitCode = EXIT.interrupted;
        return;
      }
      process.stdout.write(`${reportTable(report)}\n`);
      if (values["verify.json"] !== undefined) {
        await writeFile(values["verify.json"], `${JSON.stringify(report, undefined, 2)}\n`);
      }
      if (!isProven(report)) {
        throw new SpillwayError("RECORDS_UNACCOUNTED", "The target does not hold what the sources do, as they do");
      }
    });
  return command;
}
