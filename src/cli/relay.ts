import { writeFile } from "node:fs/promises";
import { Command } from "commander";
import type { Config } from "../config/config.ts";
import { required } from "../config/required.ts";
import type { RelayOptions } from "../relay/options.ts";
import { type CliContext, prepare } from "./context.ts";
import { EXIT } from "./exit-codes.ts";
import { addFlags } from "./flags.ts";
import { fetchOptions, groupOptions, kafkaOptions } from "./kafka-options.ts";
import { boundHeap } from "./memory.ts";
import { dryRun, lookFirst } from "./preflight.ts";
import { untilStopped } from "./stop-signals.ts";

/** What disconnecting and leaving the group may take, on top of the drain. */
const LEAVING_MS = 10_000;

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
      const { runRelay } = await import("../relay/relay.ts");
      const report = await untilStopped({ log, deadlineMs: options.drainDeadlineMs + LEAVING_MS }, async (signal) => {
        if (values["relay.preflight"]) await lookFirst(options, { log, strict: values["relay.strict"], signal });
        return await runRelay(options, { signal, log });
      });
      if (report === undefined) return;
      log.info(report, "the job is done");
      if (file !== undefined) await writeFile(file, `${JSON.stringify(report, undefined, 2)}\n`);
    });
  return command;
}

function relayOptions({ values }: Config): RelayOptions {
  const source = required(values, "relay.source");
  return {
    kafka: kafkaOptions(values),
    source,
    target: required(values, "relay.target"),
    partitions: values["relay.partitions"],
    ...(values["relay.until"] === undefined ? {} : { until: values["relay.until"] }),
    ...(values["relay.rules"] === undefined ? {} : { rules: values["relay.rules"] }),
    // Kafka's own way to say "the brokers' default".
    replicationFactor: values["relay.replicationFactor"] ?? -1,
    group: groupOptions(values, values["relay.group"] ?? `spillway-relay-${source}`),
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
