import { DYNAMODB_MOST_AT_ONCE, SINK_DEFAULTS } from "../sink/options.ts";
import type { WriteSums } from "../sink/write-sums.ts";
import type { Facts, InstanceFacts, SinkSettings } from "./facts.ts";
import { type WriteCost, writeCostOf } from "./write-cost.ts";

/** Where no record could be read. */
const USUAL_BYTES = 300;
/** So long a group may be behind, beyond what it has written and not yet committed, and not be late. */
const LATE_SECONDS = 2;
/** So full are writers, or what is in flight, that there is no room for more. */
const BUSY = 0.7;
const FULL = 0.9;
const MOSTLY = 0.5;
/** A batch of less than this part of the largest was written since nothing more was there. */
const HALF = 0.5;

/** What a group does under its settings, of all instances that were asked, together. */
export interface Load {
  readonly settings: SinkSettings;
  readonly instances: number;
  /** Offsets per second; undefined where it isn't known. */
  readonly arrivalPerSecond: number | undefined;
  /** Records per second that came to their outcome. */
  readonly recordsPerSecond: number;
  /** Records per write, and milliseconds; undefined where nothing was written. */
  readonly cost: WriteCost | undefined;
  /** Milliseconds from when records were read to their outcome; undefined where none had one. */
  readonly latencyMs: number | undefined;
  /** How many of all writers were busy, at any time. */
  readonly writersBusy: number;
  /** Of what may be in flight, 0 … 1. */
  readonly inFlightShare: number;
  /** Processor cores that the busiest instance used. */
  readonly cores: number;
  readonly hotKey: { readonly key: string; readonly share: number } | undefined;
  readonly bytesPerRecord: number;
  /** Not committed. */
  readonly waiting: number;
  /** More waits than the commit interval explains. */
  readonly isBehind: boolean;
  /** Larger ones bring little more, and take longer than a writer should be held; some targets take none. */
  readonly largestBatch: number;
  /** It writes as much as it can by its settings. */
  readonly isSaturated: boolean;
  /** Most of a write is the database's work on records, in as many writers as it is usually given. */
  readonly isDatabaseBound: boolean;
}

export function loadOf({ instances, members, partitions, sample, target }: Facts): Load {
  const [first] = instances;
  if (first === undefined) throw new RangeError("Advice needs an instance");
  const { settings } = first;
  const seen = instances.length / Math.max(instances.length, members ?? 0);
  const arrivals = partitions.flatMap(({ arrivalPerSecond: rate }) => (rate === undefined ? [] : [rate]));
  const sums = added(instances.map(({ writes }) => writes));
  const pings = instances.flatMap(({ pingMs }) => (pingMs === undefined ? [] : [pingMs]));
  const cost = writeCostOf(sums, pings.length === 0 ? undefined : Math.min(...pings));
  const writers = settings.writers * instances.length;
  const writersBusy = Math.min(
    writers,
    total(instances, ({ writes, seconds }) => writes.ms / 1_000 / seconds),
  );
  const inFlightShare = Math.max(...instances.map((one) => one.inFlightRecords / one.settings.inFlightRecords));
  const recordsPerSecond = total(instances, ({ records, seconds }) => records / seconds);
  const waiting = partitions.reduce((sum, one) => sum + one.waiting, 0);
  const bytesPerRecord = sample?.bytesPerRecord ?? USUAL_BYTES;
  const largest = largestBatch(settings, bytesPerRecord).least;
  const hasFullBatches = cost !== undefined && cost.records >= HALF * largest;
  return {
    settings,
    instances: instances.length,
    arrivalPerSecond: arrivals.length === 0 ? undefined : seen * arrivals.reduce((sum, rate) => sum + rate, 0),
    recordsPerSecond,
    cost,
    latencyMs: sums.slices === 0 ? undefined : sums.sliceMs / sums.slices,
    writersBusy,
    inFlightShare,
    cores: Math.max(...instances.map(({ cpuSeconds, seconds }) => cpuSeconds / seconds)),
    hotKey: sample?.hotKeys[0],
    bytesPerRecord,
    waiting,
    isBehind: seen * waiting > recordsPerSecond * (settings.commitIntervalMs / 1_000 + LATE_SECONDS) + 1,
    largestBatch: target === "dynamodb" ? DYNAMODB_MOST_AT_ONCE : SINK_DEFAULTS.batchRecords,
    isDatabaseBound:
      cost !== undefined &&
      settings.writers >= SINK_DEFAULTS.writers &&
      cost.perRecordMs.least * cost.records >= MOSTLY * cost.ms,
    isSaturated: (writersBusy >= BUSY * writers && hasFullBatches) || inFlightShare >= FULL,
  };
}

/**
 * Records that a writer's batches hold at most. What is in flight is shared by the writers, and half of a writer's part
 * is being written while the other gathers; at best all of it is one batch.
 */
export function largestBatch(
  { writers, batchRecords, batchBytes, inFlightRecords, inFlightBytes }: SinkSettings,
  bytesPerRecord: number,
): { readonly least: number; readonly most: number } {
  const inFlight = Math.min(inFlightRecords, inFlightBytes / bytesPerRecord);
  const batch = Math.min(batchRecords, batchBytes / bytesPerRecord);
  const among = (parts: number) => Math.max(1, Math.min(batch, inFlight / parts));
  return { least: among(2 * writers), most: among(writers) };
}

function total(instances: readonly InstanceFacts[], of: (one: InstanceFacts) => number): number {
  return instances.reduce((sum, one) => sum + of(one), 0);
}

function added(all: readonly WriteSums[]): WriteSums {
  const sum = (of: (sums: WriteSums) => number) => all.reduce((before, one) => before + of(one), 0);
  return {
    writes: sum(({ writes }) => writes),
    operations: sum(({ operations }) => operations),
    operationsSquared: sum(({ operationsSquared }) => operationsSquared),
    ms: sum(({ ms }) => ms),
    msSquared: sum(({ msSquared }) => msSquared),
    operationsMs: sum(({ operationsMs }) => operationsMs),
    slices: sum(({ slices }) => slices),
    sliceMs: sum(({ sliceMs }) => sliceMs),
  };
}
