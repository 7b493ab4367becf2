import { once } from "node:events";
import { type FileHandle, open } from "node:fs/promises";
import { Command } from "commander";
import type { Logger } from "pino";
import type { Values } from "../config/option-table.ts";
import type { LagOptions } from "../lag/options.ts";
import type { LagReport } from "../lag/report.ts";
import { bigintsAsText } from "../runtime/bigints-as-text.ts";
import { type CliContext, prepare } from "./context.ts";
import { EXIT } from "./exit-codes.ts";
import { addFlags } from "./flags.ts";
import { kafkaOptions } from "./kafka-options.ts";
import { printReport, STANDARD_OUTPUT } from "./print-report.ts";
import { untilStopped } from "./stop-signals.ts";

/** Nothing is written but reports, so there is nothing to finish. */
const STOP_DEADLINE_MS = 10_000;
const READ_SHARE = 1 / 6;

/** `spillway lag`: how far consumer groups are behind, whether they come closer, and if not, why. */
export function lagCommand(context: CliContext): Command {
  const command = addFlags(new Command("lag"), "lag")
    .description("how far consumer groups are behind, whether they come closer, and if not, why")
    .action(async () => {
      const { config, log } = await prepare(context, command, "lag");
      const { values } = config;
      const { followParked, ParkedWatch } = await import("../dead-letter/parked-watch.ts");
      const parked = new ParkedWatch();
      const options: LagOptions = { ...lagOptions(values), parked: (group, place) => parked.of(group, place) };
      const last = await untilStopped({ log, deadlineMs: STOP_DEADLINE_MS }, async (signal) => {
        await using _ = await followParked(parked, { kafka: options.kafka, log, signal });
        const look = values["lag.watch"] ? watch : lookOnce;
        return await look(options, values, { log, signal });
      });
      // Interrupted before anything was seen.
      if (last === undefined) context.exitCode = EXIT.interrupted;
      else if (values["lag.check"] && (await import("../lag/report.ts")).isInTrouble(last)) {
        context.exitCode = EXIT.groupInTrouble;
      }
    });
  return command;
}

interface Hands {
  readonly log: Logger;
  readonly signal: AbortSignal;
}

async function lookOnce(options: LagOptions, values: Values, hands: Hands): Promise<LagReport> {
  const { readLag } = await import("../lag/read-lag.ts");
  const report = await readLag(options, hands);
  const { lagTable } = await import("../lag/lag-table.ts");
  await printReport(lagTable(report), toJson(report, 2), values["lag.json"]);
  return report;
}

/** The last report, once it is stopped. */
async function watch(
  options: LagOptions,
  values: Values,
  { log, signal: stopped }: Hands,
): Promise<LagReport | undefined> {
  const { watchLag } = await import("../lag/read-lag.ts");
  const { LagScreen } = await import("./lag-screen.ts");
  const output = process.stdout;
  const gone = new AbortController();
  // Whoever read it has had enough, as `head` has.
  output.once("error", () => gone.abort());
  const signal = AbortSignal.any([stopped, gone.signal]);
  const path = values["lag.json"];
  const file: FileHandle | undefined =
    path === undefined || path === STANDARD_OUTPUT ? undefined : await open(path, "a");
  const screen = output.isTTY && path !== STANDARD_OUTPUT ? new LagScreen(output) : undefined;
  let last: LagReport | undefined;
  try {
    const failed = (error: Error) => log.warn({ error: error.message }, "could not look, trying again");
    for await (const report of watchLag(options, { log, signal }, failed)) {
      last = report;
      await file?.appendFile(`${toJson(report)}\n`);
      if (screen !== undefined) screen.draw(report);
      else if (file === undefined && !output.write(`${toJson(report)}\n`))
        await once(output, "drain", { signal }).catch(() => {});
    }
  } finally {
    screen?.end();
    await file?.close();
  }
  return last;
}

function toJson(report: LagReport, indent?: number): string {
  return JSON.stringify(report, asJson, indent);
}

/** Offsets in quotes: they can be more than a number in JavaScript holds. What isn't known is null. */
function asJson(name: string, value: unknown): unknown {
  return bigintsAsText(name, value) ?? null;
}

function lagOptions(values: Values): LagOptions {
  const deadlineMs = values["lag.deadlineMs"];
  return {
    kafka: kafkaOptions(values),
    groups: values["lag.groups"],
    topics: values["lag.topics"],
    read: { bytes: values["lag.readBytes"], ms: deadlineMs * READ_SHARE },
    deadlineMs,
    judge: { stalledAfterMs: values["lag.stalledAfterMs"], blockedAfterMs: values["lag.blockedAfterMs"] },
    intervalMs: values["lag.intervalMs"],
  };
}
