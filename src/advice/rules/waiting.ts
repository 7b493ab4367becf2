import { isWorthWaiting } from "../../sink/batching.ts";
import { SINK_DEFAULTS } from "../../sink/options.ts";
import { type Advice, changing } from "../advice.ts";
import type { SinkSettings } from "../facts.ts";
import { type Load, largestBatch } from "../load.ts";
import { figure } from "../words.ts";
import { writeMs } from "../write-cost.ts";

/** Nobody minds a wait of this many milliseconds. */
const SHORT_MS = 2 * SINK_DEFAULTS.batchTimeoutMs;
const SHORT_FETCH_MS = 50;
/** Where latency was measured, waits have to be this part of it to be believed. */
const BELIEVED = 0.25;

/**
 * A topic that is quiet should not wait for company that doesn't come: a large size with a short time-out.
 * @param settings with the batch that there will be
 */
export function batchWaits(load: Load, settings: SinkSettings): readonly Advice[] {
  const { arrivalPerSecond = load.recordsPerSecond, latencyMs, cost } = load;
  const { batching, batchTimeoutMs } = settings;
  const smallMs = cost === undefined ? 0 : writeMs(cost, 1, cost.perRecordMs.most);
  const recordsPerMs = arrivalPerSecond / 1_000 / load.instances;
  const traffic = { recordsPerMs: recordsPerMs / settings.writers, writeMs: smallMs };
  const waits = batching === "fixed" || isWorthWaiting(traffic, settings);
  const { most: largest } = largestBatch(settings, load.bytesPerRecord);
  const fillMs = largest / recordsPerMs;
  const waitMs = Math.min(batchTimeoutMs, fillMs);
  if (!waits || waitMs <= SHORT_MS) return [];
  // As long as it can't write more, batches fill: unless they will be larger.
  const isLarger = largest > largestBatch(load.settings, load.bytesPerRecord).most;
  if (load.isSaturated && !isLarger) return [];
  if (!isLarger && latencyMs !== undefined && latencyMs - (cost?.ms ?? 0) < BELIEVED * waitMs) return [];
  const timeout = Math.min(batchTimeoutMs, SINK_DEFAULTS.batchTimeoutMs);
  const [least, most] =
    cost === undefined ? [0, timeout] : [smallMs, timeout + writeMs(cost, cost.records, cost.perRecordMs.least)];
  return changing(
    "BATCH_WAITS",
    settings,
    { batching: "auto", batchTimeoutMs: timeout },
    {
      why:
        `An instance gets ${figure(recordsPerMs * 1_000)} records/s, so a batch ${isLarger ? "would wait" : "waits"} ${figure(waitMs)} ms for company. ` +
        "A short time-out costs nothing under a flood: what comes during a write is joined to the next batch",
      effect: { of: "ms from read to written", from: latencyMs ?? waitMs, to: { least, most } },
    },
  );
}

/** The broker should not hold back what there is. */
export function fetchWaits(load: Load): readonly Advice[] {
  const { settings, arrivalPerSecond, instances, bytesPerRecord, isBehind } = load;
  const { fetchMinBytes, fetchMaxWaitMs } = settings;
  if (isBehind || arrivalPerSecond === undefined || arrivalPerSecond === 0) return [];
  const gatherMs = (1_000 * fetchMinBytes * instances) / (arrivalPerSecond * bytesPerRecord);
  const waitMs = Math.min(fetchMaxWaitMs, gatherMs);
  if (waitMs <= SHORT_FETCH_MS) return [];
  return changing(
    "FETCH_WAITS",
    settings,
    { fetchMinBytes: 1 },
    {
      why: `${figure(arrivalPerSecond)} records/s take ${figure(gatherMs)} ms to be ${figure(fetchMinBytes)} bytes: the broker holds them back for ${figure(waitMs)} ms`,
      effect: { of: "ms until fetched", from: waitMs, to: { least: 0, most: SHORT_FETCH_MS } },
    },
  );
}
