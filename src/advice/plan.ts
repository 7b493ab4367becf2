import { SINK_DEFAULTS } from "../sink/options.ts";
import { processMost } from "./capacity.ts";
import type { SinkSettings } from "./facts.ts";
import type { Load } from "./load.ts";
import { type WriteCost, writeMs } from "./write-cost.ts";

/** A write may take this part of its deadline: a slow moment must not become an outage. */
const DEADLINE_SHARE = 0.25;
const MOST_WRITERS = 64;
/** Records in flight cost memory several times their size, as objects. */
const MOST_IN_FLIGHT = 100_000;
/** Per writer: one is written, and others gather; what is of a lane that is being written has to wait. */
const BATCHES_IN_FLIGHT = { least: 2, good: 3 };
/** Settings that are nearly right are left alone. */
const WORTH_IT = 1.5;

/**
 * The settings by which a group that can't write more would write the most.
 * @param cost undefined where nothing was written: then only what can't be is changed
 */
export function plannedFor(
  load: Load,
  cost: WriteCost | undefined,
): Pick<SinkSettings, "writers" | "batchRecords" | "inFlightRecords"> {
  const { settings, bytesPerRecord } = load;
  const inBytes = Math.max(1, Math.floor(settings.inFlightBytes / bytesPerRecord));
  const room = Math.min(inBytes, Math.max(settings.inFlightRecords, MOST_IN_FLIGHT));
  const wanted = cost === undefined ? settings.batchRecords : wantedBatch(load, cost);
  // Where bytes bound a batch it has fewer records than it might.
  const batch = Math.max(wanted, Math.min(settings.batchRecords, settings.batchBytes / bytesPerRecord));
  const writers = cost === undefined ? settings.writers : wantedWriters(load, cost, batch);
  const fitting = Math.max(1, Math.floor(room / (BATCHES_IN_FLIGHT.least * writers)));
  const larger = Math.min(wanted, fitting);
  const batchRecords = larger > WORTH_IT * settings.batchRecords ? larger : filled(load, writers, fitting);
  const needed = load.isDatabaseBound ? batchRecords : BATCHES_IN_FLIGHT.least * writers * batchRecords;
  const isEnough = settings.inFlightRecords >= Math.min(room, needed);
  const inFlightRecords = isEnough
    ? settings.inFlightRecords
    : Math.min(room, BATCHES_IN_FLIGHT.good * writers * batchRecords);
  return { writers, batchRecords, inFlightRecords };
}

/** A batch that writers can't fill from what may be in flight is made one that they can. */
function filled(load: Load, writers: number, fitting: number): number {
  const { batchRecords, inFlightRecords } = load.settings;
  const isSpread = inFlightRecords < BATCHES_IN_FLIGHT.least * writers * batchRecords;
  const isTooLarge = batchRecords > 2 * fitting || (isSpread && batchRecords > load.largestBatch);
  return isTooLarge ? Math.min(fitting, load.largestBatch) : batchRecords;
}

/** As large as it may be: the fixed part of a write counts least then. */
function wantedBatch({ settings, bytesPerRecord, largestBatch }: Load, cost: WriteCost): number {
  const { least, most } = cost.perRecordMs;
  const slope = (least + most) / 2;
  const fixedMs = Math.max(0, cost.ms - slope * cost.records);
  const isKnown = cost.isMeasured && slope > 0;
  const inTime = isKnown ? (settings.writeTimeoutMs * DEADLINE_SHARE - fixedMs) / slope : Number.POSITIVE_INFINITY;
  const inBytes = settings.batchBytes / bytesPerRecord;
  return Math.max(1, twoDigits(Math.min(largestBatch, inTime, inBytes)));
}

/**
 * Little's law: as many writers as writes are under way when as much is written as one process can, or as the database
 * can one record after the other. The default at least; writers that a hot key leaves idle are none.
 */
function wantedWriters(
  { settings, hotKey, bytesPerRecord, isDatabaseBound }: Load,
  cost: WriteCost,
  batch: number,
): number {
  const slope = cost.perRecordMs.least;
  const process = processMost(bytesPerRecord);
  const perSecond = slope === 0 ? process : Math.min(process, 1_000 / slope);
  const underWay = Math.ceil((perSecond * writeMs(cost, batch, slope)) / 1_000 / batch);
  const wanted = Math.min(MOST_WRITERS, Math.max(SINK_DEFAULTS.writers, underWay));
  const share = hotKey?.share ?? 0;
  const reached = share === 0 ? wanted : Math.min(wanted, Math.ceil(1 / share));
  // Where writers wait for connections, nobody knows what a write takes without that. Where they wait for the database,
  // more don't help.
  if (settings.connections < settings.writers || isDatabaseBound) return settings.writers;
  return Math.max(settings.writers, reached);
}

function twoDigits(value: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, value))) - 1);
  return Math.floor(value / unit) * unit;
}
