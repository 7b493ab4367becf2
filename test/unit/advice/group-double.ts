import type { Facts, SinkSettings } from "../../../src/advice/facts.ts";
import { largestBatch } from "../../../src/advice/load.ts";
import { isWorthWaiting } from "../../../src/sink/batching.ts";
import { SINK_DEFAULTS } from "../../../src/sink/options.ts";
import { WriteMeter, type WriteSums } from "../../../src/sink/write-sums.ts";

export const DEFAULTS: SinkSettings = {
  batching: SINK_DEFAULTS.batching,
  writers: SINK_DEFAULTS.writers,
  batchRecords: SINK_DEFAULTS.batchRecords,
  batchBytes: SINK_DEFAULTS.batchBytes,
  batchTimeoutMs: SINK_DEFAULTS.batchTimeoutMs,
  inFlightRecords: SINK_DEFAULTS.inFlightRecords,
  inFlightBytes: SINK_DEFAULTS.inFlightBytes,
  commitIntervalMs: SINK_DEFAULTS.commitIntervalMs,
  connections: 50,
  writeTimeoutMs: 10_000,
  fetchMinBytes: 1,
  fetchMaxWaitMs: 500,
};

/** A group as arithmetic has it: what is true of it, and of what it reads. */
export interface Truth {
  readonly fixedMs: number;
  readonly perRecordMs: number;
  readonly arrivalPerSecond: number;
  readonly waiting: number;
  readonly bytesPerRecord: number;
  /** Of the most frequent key; 0 for none. */
  readonly hotShare: number;
  readonly pingMs?: number;
}

export const SECONDS = 10;

/** What it writes at most: as many batches side by side as it has writers, the database without a limit. */
export function mostPerSecond(
  settings: SinkSettings,
  { fixedMs, perRecordMs, bytesPerRecord, hotShare }: Truth,
): number {
  const records = largestBatch(settings, bytesPerRecord).most;
  const writers = Math.min(settings.writers, settings.connections);
  const inUse = Math.min(writers, 1 / hotShare);
  return (inUse * records * 1_000) / (fixedMs + perRecordMs * records);
}

/** Milliseconds that a record waits for its batch to be full, or due. */
export function waitMs(settings: SinkSettings, truth: Truth): number {
  const { batching, writers, batchTimeoutMs } = settings;
  const recordsPerMs = truth.arrivalPerSecond / 1_000;
  const traffic = { recordsPerMs: recordsPerMs / writers, writeMs: truth.fixedMs + truth.perRecordMs };
  if (batching === "auto" && !isWorthWaiting(traffic, settings)) return 0;
  return Math.min(batchTimeoutMs, largestBatch(settings, truth.bytesPerRecord).most / recordsPerMs);
}

/** What is seen of such a group. */
export function factsOf(settings: SinkSettings, truth: Truth): Facts {
  const { fixedMs, perRecordMs, arrivalPerSecond, waiting, bytesPerRecord, hotShare, pingMs } = truth;
  const most = mostPerSecond(settings, truth);
  const isPressed = waiting > 0 || arrivalPerSecond >= most;
  const perSecond = isPressed ? most : arrivalPerSecond;
  const { most: largest } = largestBatch(settings, bytesPerRecord);
  const wait = waitMs(settings, truth);
  const gathered = (arrivalPerSecond / 1_000) * Math.max(wait, fixedMs / settings.writers);
  const size = isPressed ? largest : Math.min(largest, Math.max(1, gathered));
  const latencyMs = (isPressed ? 0 : wait) + fixedMs + perRecordMs * size;
  return {
    group: "group",
    target: "mongodb",
    instances: [
      {
        from: "http://127.0.0.1:1",
        settings,
        seconds: SECONDS,
        records: perSecond * SECONDS,
        writes: sumsOf((perSecond * SECONDS) / size, size, { fixedMs, perRecordMs, latencyMs }),
        retries: 0,
        inFlightRecords: isPressed ? settings.inFlightRecords : 0,
        cpuSeconds: 1,
        pingMs,
      },
    ],
    members: 1,
    partitions: [{ topic: "topic", partition: 0, waiting, arrivalPerSecond }],
    sample: {
      records: 1_000,
      bytesPerRecord,
      hotKeys: hotShare === 0 ? [] : [{ key: "hot", share: hotShare }],
    },
  };
}

/** So many writes of so many records, all alike: any number, since it is arithmetic. */
function sumsOf(
  writes: number,
  size: number,
  cost: { readonly fixedMs: number; readonly perRecordMs: number; readonly latencyMs: number },
): WriteSums {
  const meter = new WriteMeter();
  meter.wrote(size, cost.fixedMs + cost.perRecordMs * size);
  meter.finished(cost.latencyMs);
  const { sums } = meter;
  return Object.fromEntries(Object.entries(sums).map(([name, one]) => [name, one * writes])) as unknown as WriteSums;
}
