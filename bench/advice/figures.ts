import { setTimeout as pause } from "node:timers/promises";
import { waitUntil } from "../../services/wait-until.ts";
import { LiveTraffic } from "../../src/demo/live-traffic.ts";
import { MongoStore as Lookups } from "../../src/demo/mongo-store.ts";
import { until } from "../../src/demo/until.ts";
import { RecordProducer } from "../../src/kafka/record-producer.ts";
import { VALUE_BYTES } from "../values.ts";
import type { Ground, RunningGroup } from "./group.ts";

const FIRST_DOCUMENT_MS = 120_000;
const LOOK_MS = 100;
const ARRIVAL_MS = 120_000;

/** Documents a second under a flood, counted in the database: for so long from the first ones on, or until all are there. */
export async function floodRate(
  { place }: RunningGroup,
  {
    records,
    warmupSeconds,
    seconds,
  }: { readonly records: number; readonly warmupSeconds: number; readonly seconds: number },
): Promise<number> {
  const first = async () => (await place.count()).documents > 0;
  await waitUntil(first, { timeoutMs: FIRST_DOCUMENT_MS, what: "a document is there", everyMs: 20 });
  await pause(warmupSeconds * 1_000);
  const from = await place.count();
  let to = from;
  while (to.documents < records && to.atMs < from.atMs + seconds * 1_000) {
    await pause(LOOK_MS);
    to = await place.count();
  }
  return ((to.documents - from.documents) * 1_000) / Math.max(1, to.atMs - from.atMs);
}

export interface QuietTopic {
  readonly topic: string;
  readonly recordsPerSecond: number;
  readonly keys: number;
  readonly mongoUrl: string;
}

/**
 * Writes a few records a second while `during` runs, and returns how long half of those of its second part took, from when
 * they were due to be produced until their documents could be read.
 */
export async function quietLatency(
  { kafka, log }: Ground,
  { place }: RunningGroup,
  { topic, recordsPerSecond, keys, mongoUrl }: QuietTopic,
  {
    warmupSeconds,
    during,
    signal,
  }: {
    readonly warmupSeconds: number;
    readonly during: () => Promise<void>;
    readonly signal: AbortSignal;
  },
): Promise<number> {
  await using outlet = await RecordProducer.open({ kafka, log, signal, lingerMs: 0 });
  await using lookups = new Lookups(mongoUrl, place.collection, place.database);
  const failure = new AbortController();
  await using live = new LiveTraffic({
    ...{ topic, outlet, plan: { ratePerSecond: recordsPerSecond, keys, valueBytes: VALUE_BYTES, seed: 1 } },
    watch: { lookup: (document) => lookups.has(document), pollMs: 5 },
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
  await pause(warmupSeconds * 1_000);
  await isDelivered(performance.now());
  const from = performance.now();
  await during();
  const to = performance.now();
  await isDelivered(to);
  return live.watch.summary(from, to).p50Ms;
}
