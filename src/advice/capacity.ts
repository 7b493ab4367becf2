import type { SinkSettings } from "./facts.ts";
import { type Load, largestBatch } from "./load.ts";
import type { Range } from "./range.ts";
import { type WriteCost, writeMs } from "./write-cost.ts";

/** What one process decodes, plans and sends at most, whatever the database does: see `bench/sink/notes.md`. */
const PROCESS = { recordsPerSecond: 30_000, bytesPerSecond: 100e6 };

/** Records per second. */
export function processMost(bytesPerRecord: number): number {
  return Math.min(PROCESS.recordsPerSecond, PROCESS.bytesPerSecond / bytesPerRecord);
}

/**
 * Records per second that a group could write under other settings, by Little's law: so many writers write one batch
 * after the other. At best the database does its part of all of them at once; at worst it does no more at once than it
 * was seen to do.
 */
export function capacityOf(settings: SinkSettings, load: Load, cost: WriteCost): Range {
  const { least: flat, most: steep } = cost.perRecordMs;
  const batch = largestBatch(settings, load.bytesPerRecord);
  const writers = writersInUse(settings, load);
  // A steeper line is dearer for larger batches than those that were seen, and cheaper for smaller ones.
  const rates = [batch.least, batch.most].flatMap((records) =>
    [flat, steep].map((slope) => (writers * records * 1_000) / writeMs(cost, records, slope)),
  );
  const most = Math.min(Math.max(...rates), processMost(load.bytesPerRecord) * load.instances);
  const least = Math.min(Math.min(...rates), databaseSeen(load, cost), most);
  return { least, most };
}

/** A hot key bounds all: one writer at a time writes its lane, and is never done. */
function writersInUse({ writers, connections }: SinkSettings, { hotKey, instances }: Load): number {
  const all = instances * Math.min(writers, connections);
  const share = hotKey?.share ?? 0;
  return Math.min(all, 1 / share);
}

/** What the database can do for sure: as much as it did, or one record after the other without a pause. */
function databaseSeen({ recordsPerSecond }: Load, { perRecordMs }: WriteCost): number {
  return Math.max(recordsPerSecond, perRecordMs.most === 0 ? Number.POSITIVE_INFINITY : 1_000 / perRecordMs.most);
}
