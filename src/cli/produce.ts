import { Command } from "commander";
import type { Logger } from "pino";
import type { Values } from "../config/option-table.ts";
import { required } from "../config/required.ts";
import type { RecordProducer } from "../kafka/record-producer.ts";
import type { BackfillOptions } from "../producer/backfill-plan.ts";
import type { RateShape } from "../producer/rate-shape.ts";
import { type CliContext, prepare } from "./context.ts";
import { addFlags } from "./flags.ts";
import { kafkaOptions } from "./kafka-options.ts";
import { registryOptions } from "./registry-options.ts";
import { untilStopped } from "./stop-signals.ts";

/** The last acknowledgements may take that long. */
const STOP_DEADLINE_MS = 60_000;
const DEFAULT_SEED = 1;

/** `spillway produce`: something to relay and sink. */
export function produceCommand(context: CliContext): Command {
  return new Command("produce")
    .description("write records to a topic: prices, or a flood")
    .addCommand(pricesCommand(context))
    .addCommand(backfillCommand(context));
}

function pricesCommand(context: CliContext): Command {
  const command = addFlags(new Command("prices"), "prices")
    .description("BTC, ETH and SOL prices every few seconds, until stopped")
    .action(async () => {
      const { config, log } = await prepare(context, command, "prices");
      const { values } = config;
      const { priceTopics, runPriceFeed } = await import("../producer/price-feed.ts");
      const { "prices.topic": topic } = values;
      const feed = {
        ...(topic === undefined ? {} : { topic }),
        simulate: values["prices.simulate"],
        everyMs: values["prices.everyMs"],
        seed: values["produce.seed"] ?? DEFAULT_SEED,
      };
      await untilStopped({ log, deadlineMs: STOP_DEADLINE_MS }, async (stop) => {
        const topics = priceTopics(feed);
        const encoding =
          values["prices.valueFormat"] === "json" ? {} : { encode: await avroPrices(values, topics, stop) };
        await using outlet = await openOutlet(values, topics, { log, stop });
        const acknowledged = await runPriceFeed({ ...feed, ...encoding }, { outlet, stop, log });
        log.info({ acknowledged }, "price feed stopped");
      });
    });
  return command;
}

/** Registers the schema of prices for each topic. */
async function avroPrices(values: Values, topics: readonly string[], stop: AbortSignal) {
  const { RegistryClient } = await import("../decode/registry/client.ts");
  const { avroPriceEncoder } = await import("../producer/avro-price.ts");
  return await avroPriceEncoder(new RegistryClient(registryOptions(values)), topics, stop);
}

function backfillCommand(context: CliContext): Command {
  const command = addFlags(new Command("backfill"), "backfill")
    .description("a flood of records, by a profile or by your own figures")
    .action(async () => {
      const { config, log } = await prepare(context, command, "backfill");
      const { values } = config;
      const { BACKFILL_PROFILES, BackfillPlan } = await import("../producer/backfill-plan.ts");
      const plan = new BackfillPlan(backfillOptions(values, BACKFILL_PROFILES[values["backfill.profile"]]));
      const { runBackfill } = await import("../producer/backfill.ts");
      const topic = required(values, "backfill.topic");
      await untilStopped({ log, deadlineMs: STOP_DEADLINE_MS }, async (stop) => {
        await using outlet = await openOutlet(values, [topic], { log, stop });
        log.info({ topic, ...plan.options, seconds: plan.timetable.durationMs / 1000 }, "backfill begins");
        const acknowledged = await runBackfill(plan, { topic, outlet, signal: stop }).catch(async (error: unknown) => {
          // Stopped, not failed: what was sent before is still delivered.
          if (stop.aborted) await outlet.flush();
          throw error;
        });
        log.info({ topic, acknowledged }, "backfill done");
      });
    });
  return command;
}

function backfillOptions(values: Values, profile: BackfillOptions): BackfillOptions {
  const { "backfill.skew": exponent } = values;
  return {
    ...profile,
    records: values["backfill.records"] ?? profile.records,
    rate: rateShape(values, profile.rate),
    keys: values["backfill.keys"] ?? profile.keys,
    skew: exponent === undefined ? profile.skew : { kind: "zipf", exponent },
    valueBytes: values["backfill.valueBytes"] ?? profile.valueBytes,
    seed: values["produce.seed"] ?? profile.seed,
    timeCompression: values["backfill.timeCompression"],
  };
}

/** One peak unless told: a rate alone is even, since its peaks are no higher. */
function rateShape(values: Values, profile: RateShape): RateShape {
  const given = profile.kind === "peaks" ? profile : undefined;
  const averageRate = values["backfill.rate"] ?? given?.averageRate;
  if (averageRate === undefined) return profile;
  const peakRate = values["backfill.peakRate"] ?? Math.max(averageRate, given?.peakRate ?? 0);
  return { kind: "peaks", averageRate, peakRate, peaks: values["backfill.peaks"] ?? given?.peaks ?? 1 };
}

/** A producer for topics that exist, or are made now. */
async function openOutlet(
  values: Values,
  topics: readonly string[],
  { log, stop }: { readonly log: Logger; readonly stop: AbortSignal },
): Promise<RecordProducer> {
  const kafka = kafkaOptions(values);
  const partitions = values["produce.partitions"];
  const [{ prepareTopics }, { RecordProducer }] = await Promise.all([
    import("../kafka/prepare-topics.ts"),
    import("../kafka/record-producer.ts"),
  ]);
  await prepareTopics({ kafka, existing: [], made: topics, partitions, log, signal: stop });
  // The producer outlives the signal, so that what was sent before it is still acknowledged.
  return await RecordProducer.open({ kafka, log, signal: new AbortController().signal });
}
