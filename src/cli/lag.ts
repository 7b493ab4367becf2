import { Command } from "commander";
import type { Logger } from "pino";
import type { Values } from "../config/option-table.ts";
import type { LagOptions } from "../lag/options.ts";
import type { LagReport } from "../lag/report.ts";
import { type CliContext, prepare } from "./context.ts";
import { EXIT } from "./exit-codes.ts";
import { addFlags } from "./flags.ts";
import { kafkaOptions } from "./kafka-options.ts";
import { lagJson, lagOutlet } from "./lag-outlet.ts";
import { printReport } from "./print-report.ts";
import { serve } from "./serve.ts";
import { untilStopped } from "./stop-signals.ts";

/** Nothing is written but reports, so there is nothing to finish. */
export const STOP_DEADLINE_MS = 10_000;
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
      const isServed = values["server.listen"] !== undefined;
      const last = await untilStopped({ log, deadlineMs: STOP_DEADLINE_MS }, async (signal) => {
        await using _ = await followParked(parked, { kafka: options.kafka, log, signal });
        const look = values["lag.watch"] || isServed ? watch : lookOnce;
        return await look(options, values, { log, signal });
      });
      // Interrupted before anything was seen: one that answers HTTP goes on until it is stopped, whenever that is.
      const isCutShort = last === undefined && !isServed;
      if (isCutShort) context.exitCode = EXIT.interrupted;
      else if (last !== undefined && values["lag.check"] && (await import("../lag/report.ts")).isInTrouble(last)) {
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
  await printReport(lagTable(report), lagJson(report, 2), values["lag.json"]);
  return report;
}

/** The last report, once it is stopped. */
async function watch(
  options: LagOptions,
  values: Values,
  { log, signal: stopped }: Hands,
): Promise<LagReport | undefined> {
  const [{ watchLag }, { LatestLook }] = await Promise.all([
    import("../lag/read-lag.ts"),
    import("../lag/latest-look.ts"),
  ]);
  const gone = new AbortController();
  // Whoever read it has had enough, as `head` has.
  process.stdout.once("error", () => gone.abort());
  const signal = AbortSignal.any([stopped, gone.signal]);
  const latest = new LatestLook(options);
  const serving = await serve(
    values,
    {
      watch: async (registry) => (await import("../metrics/lag-metrics.ts")).watchLagReports(registry, latest),
      vitals: () => latest.vitals(),
      status: () => latest.status,
    },
    log,
  );
  await using stack = new AsyncDisposableStack();
  if (serving !== undefined) stack.use(serving);
  const outlet = stack.use(await lagOutlet(values, signal));
  let last: LagReport | undefined;
  const failed = (error: Error) => {
    latest.failed();
    log.warn({ error: error.message }, "could not look, trying again");
  };
  for await (const report of watchLag(options, { log, signal }, failed)) {
    last = report;
    latest.saw(report);
    await outlet.write(report);
  }
  return last;
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
