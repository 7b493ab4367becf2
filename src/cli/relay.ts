import { writeFile } from "node:fs/promises";
import { Command } from "commander";
import type { Logger } from "pino";
import type { Config } from "../config/config.ts";
import type { Values } from "../config/option-table.ts";
import { required } from "../config/required.ts";
import type { RelayOptions } from "../relay/options.ts";
import { Pace } from "../relay/pace.ts";
import { Progress } from "../relay/progress.ts";
import type { JobReport } from "../relay/report.ts";
import type { Settings } from "../relay/settings.ts";
import { newRelayStats } from "../relay/stats.ts";
import { relayStatus } from "../relay/status.ts";
import { relayVitals } from "../relay/vitals.ts";
import { type CliContext, prepare } from "./context.ts";
import { EXIT } from "./exit-codes.ts";
import { addFlags } from "./flags.ts";
import { fetchOptions, groupOptions, kafkaOptions, relayGroup } from "./kafka-options.ts";
import { boundHeap } from "./memory.ts";
import { dryRun, lookFirst } from "./preflight.ts";
import { serve } from "./serve.ts";
import { untilStopped } from "./stop-signals.ts";

const YIELD_LAG = { kind: "seconds", seconds: 10 } as const;
/** What disconnecting and leaving the group may take, on top of the drain. */
export const LEAVING_MS = 10_000;

/** `spillway relay`: hot topic → wide topic, until stopped. */
export function relayCommand(context: CliContext): Command {
  const command = addFlags(new Command("relay"), "relay")
    .description("drain a hot topic with few partitions into one with many, keeping the order of each key")
    .action(async () => {
      boundHeap("relay");
      const { config, log } = await prepare(context, command, "relay");
      const options = relayOptions(config);
      const { values } = config;
      const file = values["relay.json"];
      if (values["relay.dryRun"]) {
        const isDone = await dryRun(options, { log, strict: values["relay.strict"], file });
        // Interrupted: nothing is known, so this is no success.
        if (!isDone) context.exitCode = EXIT.interrupted;
        return;
      }
      const report = await untilStopped({ log, deadlineMs: options.drainDeadlineMs + LEAVING_MS }, async (signal) => {
        if (values["relay.preflight"]) await lookFirst(options, { log, strict: values["relay.strict"], signal });
        return await runWatched(options, values, { signal, log });
      });
      if (report === undefined) {
        // All that it did is committed, and yet it isn't done: whoever runs jobs must not take it for that.
        if (options.until !== undefined) context.exitCode = EXIT.interrupted;
        return;
      }
      log.info(report, "the job is done");
      if (file !== undefined) await writeFile(file, `${JSON.stringify(report, undefined, 2)}\n`);
    });
  return command;
}

/** Runs it with whoever wants to see how it does: a terminal or the log where it is a job, HTTP where that is asked for. */
async function runWatched(
  options: RelayOptions,
  values: Values,
  { signal, log }: { readonly signal: AbortSignal; readonly log: Logger },
): Promise<JobReport | undefined> {
  const { runRelay } = await import("../relay/relay.ts");
  const [pace, progress, stats] = [new Pace(), new Progress(), newRelayStats()];
  await using stack = new AsyncDisposableStack();
  const watched = { options, pace, progress, stats };
  const serving = await serve(
    values,
    {
      watch: async (registry) => (await import("../metrics/relay-metrics.ts")).watchRelay(registry, watched),
      vitals: () => relayVitals(watched),
      status: () => relayStatus(watched),
      control: { token: values["server.controlToken"], change: changing(options, { signal, log }) },
    },
    log,
  );
  if (serving !== undefined) stack.use(serving);
  if (options.until !== undefined) {
    const { showProgress } = await import("./relay-progress.ts");
    stack.use(showProgress(progress, { output: process.stdout, log }));
  }
  return await runRelay(options, { signal, log, stats, pace, progress });
}

/** What HTTP is told goes by the control topic, so that it reaches all instances. */
function changing({ kafka, source, group }: RelayOptions, { signal, log }: { signal: AbortSignal; log: Logger }) {
  return async (change: Settings) => {
    const { changeSettings } = await import("../relay/settings.ts");
    return await changeSettings({ group: group.group, source }, change, { kafka, log, signal });
  };
}

function relayOptions({ values }: Config): RelayOptions {
  const source = required(values, "relay.source");
  const yieldGroup = values["relay.yieldTo"];
  return {
    kafka: kafkaOptions(values),
    source,
    target: required(values, "relay.target"),
    partitions: values["relay.partitions"],
    ...(values["relay.from"] === undefined ? {} : { from: values["relay.from"] }),
    ...(values["relay.until"] === undefined ? {} : { until: values["relay.until"] }),
    ...(values["relay.rules"] === undefined ? {} : { rules: values["relay.rules"] }),
    limits: {
      recordsPerSecond: values["relay.recordsPerSecond"],
      bytesPerSecond: values["relay.bytesPerSecond"],
    },
    ...(yieldGroup === undefined
      ? {}
      : { yieldTo: { group: yieldGroup, bound: values["relay.yieldLag"] ?? YIELD_LAG } }),
    // Kafka's own way to say "the brokers' default".
    replicationFactor: values["relay.replicationFactor"] ?? -1,
    group: groupOptions(values, relayGroup(values, source)),
    provenance: values["relay.provenance"],
    codec: values["relay.codec"],
    batchBytes: values["relay.batchBytes"],
    lingerMs: values["relay.lingerMs"],
    guarantee: values["relay.guarantee"],
    transactionMs: values["relay.transactionMs"],
    transactionBytes: values["relay.transactionBytes"],
    transactionTimeoutMs: values["relay.transactionTimeoutMs"],
    transactionPer: values["relay.transactionPer"],
    poisonBatch: values["relay.poisonBatch"],
    deadLetterSuffix: values["relay.deadLetterSuffix"],
    commitIntervalMs: values["relay.commitIntervalMs"],
    drainDeadlineMs: values["relay.drainDeadlineMs"],
    fetch: fetchOptions(values),
    writer: { inFlightBytes: values["relay.inFlightBytes"], deliveryTimeoutMs: values["relay.deliveryTimeoutMs"] },
  };
}
