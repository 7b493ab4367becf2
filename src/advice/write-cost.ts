import type { WriteSums } from "../sink/write-sums.ts";
import type { Range } from "./range.ts";

/**
 * What a write costs: a fixed part (the way there and back, the command, the commit) and so much for each record. All
 * that is certain is the mean write; the line through it may be flatter or steeper.
 */
export interface WriteCost {
  /** The mean write: its records, and its milliseconds. */
  readonly records: number;
  readonly ms: number;
  /** Milliseconds for one more record. */
  readonly perRecordMs: Range;
  /** False where all writes were of about one size: then it is assumed. */
  readonly isMeasured: boolean;
}

/** Fewer writes, or writes that differ less in size than this (standard deviation over mean), tell nothing of a slope. */
const ENOUGH_WRITES = 8;
const ENOUGH_VARIETY = 0.2;
/** A slope known worse than this part of itself is not known. */
const USEFUL_ERROR = 0.5;

/**
 * Where nothing is measured: the fixed part is worth as many records at least, no record takes longer, and beyond the way
 * there and back the fixed part takes no longer than that.
 */
const FIXED_IN_RECORDS = 10;
const DEAREST_MS = 1;
const COMMAND_MS = 30;

/**
 * Undefined where nothing was written.
 * @param pingMs to the database and back, without any work; undefined where it isn't known
 */
export function writeCostOf(sums: WriteSums, pingMs?: number): WriteCost | undefined {
  const { writes, operations, ms } = sums;
  if (writes === 0 || operations === 0) return undefined;
  const mean = { records: operations / writes, ms: ms / writes };
  const slope = slopeOf(sums);
  if (slope !== undefined) {
    // Neither part is below nothing.
    const steepest = mean.ms / mean.records;
    const [least, most] = [slope.perRecordMs - 2 * slope.error, slope.perRecordMs + 2 * slope.error];
    const within = (value: number) => Math.min(steepest, Math.max(0, value));
    return { ...mean, perRecordMs: { least: within(least), most: within(most) }, isMeasured: true };
  }
  const workMs = Math.max(0, mean.ms - (pingMs ?? 0));
  const possible = Math.min(workMs / mean.records, mean.ms / (mean.records + FIXED_IN_RECORDS));
  const sure = Math.min(possible, pingMs === undefined ? 0 : Math.max(0, workMs - COMMAND_MS) / mean.records);
  // Writers that wait for each other in the database take longer, and show it.
  const most = sure > DEAREST_MS ? possible : Math.min(possible, DEAREST_MS);
  return { ...mean, perRecordMs: { least: sure, most }, isMeasured: false };
}

/** Milliseconds of a write of so many records, at a slope within the range. */
export function writeMs({ records, ms }: WriteCost, of: number, perRecordMs: number): number {
  return Math.max(0, ms - perRecordMs * records) + perRecordMs * of;
}

/** By least squares, with its standard error; undefined where it isn't known well enough. */
function slopeOf(sums: WriteSums): { readonly perRecordMs: number; readonly error: number } | undefined {
  const { writes, operations, ms } = sums;
  if (writes < ENOUGH_WRITES) return undefined;
  const xx = sums.operationsSquared - operations ** 2 / writes;
  const xy = sums.operationsMs - (operations * ms) / writes;
  const yy = sums.msSquared - ms ** 2 / writes;
  if (Math.sqrt(Math.max(0, xx) / writes) < ENOUGH_VARIETY * (operations / writes)) return undefined;
  const perRecordMs = xy / xx;
  const error = Math.sqrt(Math.max(0, yy - perRecordMs * xy) / ((writes - 2) * xx));
  return perRecordMs > 0 && error <= USEFUL_ERROR * perRecordMs ? { perRecordMs, error } : undefined;
}
