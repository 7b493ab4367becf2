import { writeFile } from "node:fs/promises";
import { Command } from "commander";
import { required } from "../config/required.ts";
import { SpillwayError } from "../errors.ts";
import type { Rule } from "../relay/routing.ts";
import type { IsDropped } from "../verify/source-ledger.ts";
import { type CliContext, configOf, prepareLog } from "./context.ts";
import { EXIT } from "./exit-codes.ts";
import { addFlags } from "./flags.ts";
import { kafkaOptions } from "./kafka-options.ts";
import { boundHeap } from "./memory.ts";
import { untilStopped } from "./stop-signals.ts";

/** Nothing is written but the report, so there is nothing to finish. */
const STOP_DEADLINE_MS = 10_000;

/**
 * Which records a relay with these rules drops. What a rule means is the relay's to say; verifying shares that, and no more.
 * @throws SpillwayError CONFIG_INVALID for rules whose meaning depends on when they were applied
 */
async function droppedBy(rules: readonly Rule[]): Promise<IsDropped | undefined> {
  if (rules.every(({ to }) => to !== "drop")) return undefined;
  if (rules.some(({ when }) => when.kind === "older-than")) {
    throw new SpillwayError("CONFIG_INVALID", "What is dropped by age can't be told later", {
      context: { hint: "Say it by times, as in: time 2026-01-01..2026-02-01 -> drop" },
    });
  }
  const { Router } = await import("../relay/router.ts");
  const router = new Router(rules, { topic: "", partitions: 1 }, () => "kept");
  return (cursor, batch) => router.route(cursor, batch, 0).to === "drop";
}

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
      const rules = values["relay.rules"] ?? [];
      const targets = [
        ...required(values, "verify.in"),
        ...rules.flatMap(({ to }) => (to === "drop" ? [] : [to.topic])),
      ];
      const isDropped = await droppedBy(rules);
      const options = { kafka: kafkaOptions(values), sources, targets, ...(isDropped && { isDropped }) };
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
