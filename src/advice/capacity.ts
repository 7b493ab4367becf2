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
 * Records per second that a group could write under other settings, by Little's law: so many lanes write side by side,
 * each one batch after the other. At best the database does its part of all of them at once; at worst it does no more at
 * once than it was seen to do.
 */
export function capacityOf(settings: SinkSettings, load: Load, cost: WriteCost): Range {
  const { least: flat, most: steep } = cost.perRecordMs;
  const batch = largestBatch(settings, load.bytesPerRecord);
  const lanes = lanesInUse(settings, load);
  // A steeper line is dearer for larger batches than those that were seen, and cheaper for smaller ones.
  const rates = [batch.least, batch.most].flatMap((records) =>
    [flat, steep].map((slope) => (lanes * records * 1_000) / writeMs(cost, records, slope)),
  );
  const most = Math.min(Math.max(...rates), processMost(load.bytesPerRecord) * load.instances);
  const least = Math.min(Math.min(...rates), databaseSeen(load, cost), most);
  return { least, most };
}

/** The lane of a hot key has all of its records to write, and its part of the others. */
function lanesInUse({ lanes, connections }: SinkSettings, { hotKey, instances }: Load): number {
  const all = instances * Math.min(lanes, connections);
  const share = hotKey?.share ?? 0;
  return 1 / (share + (1 - share) / all);
}

/** What the database can do for sure: as much as it did, or one record after the other without a pause. */
function databaseSeen({ recordsPerSecond }: Load, { perRecordMs }: WriteCost): number {
  return Math.max(recordsPerSecond, perRecordMs.most === 0 ? Number.POSITIVE_INFINITY : 1_000 / perRecordMs.most);
}
