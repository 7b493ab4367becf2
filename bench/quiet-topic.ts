import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "pino";
import { LiveTraffic } from "../src/demo/live-traffic.ts";
import type { LatencySummary } from "../src/demo/live-watch.ts";
import { MongoStore as Lookups } from "../src/demo/mongo-store.ts";
import { until } from "../src/demo/until.ts";
import type { KafkaOptions } from "../src/kafka/options.ts";
import { RecordProducer } from "../src/kafka/record-producer.ts";
import type { Place } from "./sink/stores.ts";
import { VALUE_BYTES } from "./values.ts";

const ARRIVAL_MS = 120_000;

export interface QuietTopic {
  readonly kafka: KafkaOptions;
  readonly log: Logger;
  readonly topic: string;
  readonly recordsPerSecond: number;
  readonly keys: number;
  /** The database itself, past any proxy. */
  readonly mongoUrl: string;
  readonly place: Place;
  /** A document is looked for so often, by its `_id`: latencies are exact within that and a look's own time. */
  readonly pollMs: number;
  /** The first few find connections that are not open and code that is not compiled yet: they don't count. */
  readonly warmupMs: number;
  readonly signal: AbortSignal;
}

/**
 * Writes a few records a second while `during` runs, and returns how long those took, from when they were due to be
 * produced until their documents could be read.
 */
export async function quietTopic(
  { kafka, log, topic, recordsPerSecond, keys, mongoUrl, place, pollMs, warmupMs, signal }: QuietTopic,
  during: () => Promise<void>,
): Promise<LatencySummary> {
  await using outlet = await RecordProducer.open({ kafka, log, signal, lingerMs: 0 });
  await using lookups = new Lookups(mongoUrl, place.collection, place.database);
  const failure = new AbortController();
  await using live = new LiveTraffic({
    ...{ topic, outlet, plan: { ratePerSecond: recordsPerSecond, keys, valueBytes: VALUE_BYTES, seed: 1 } },
    watch: { lookup: (document) => lookups.has(document), pollMs },
    ...{ settleTimeoutMs: ARRIVAL_MS, signal: AbortSignal.any([signal, failure.signal]) },
    onAcknowledged: (_key, _sequence, { topicId, partition, offset }) => `${topicId}-${partition}-${offset}`,
    onFailure: (error) => failure.abort(error),
  });
  const isDelivered = (before: number) =>
    until(() => live.watch.isDelivered(before), {
      timeoutMs: ARRIVAL_MS,
      what: "every document is there",
      signal: failure.signal,
    });
  await pause(warmupMs);
  await isDelivered(performance.now());
  const from = performance.now();
  await during();
  const to = performance.now();
  await isDelivered(to);
  return live.watch.summary(from, to);
}
