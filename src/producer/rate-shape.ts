import { SpillwayError } from "../errors.ts";

/** How many records a second, over time. */
export type RateShape =
  /** All at once: as fast as the cluster takes them. */
  | { readonly kind: "unlimited" }
  /** `peaks` times over the whole length the rate climbs to `peakRate` and falls back; it is `averageRate` on average. */
  | { readonly kind: "peaks"; readonly averageRate: number; readonly peakRate: number; readonly peaks: number }
  /** The first `burst` records at once, the rest evenly until `tailMs` after the start. */
  | { readonly kind: "burst"; readonly burst: number; readonly tailMs: number };

/** When records are due. */
export interface Timetable {
  readonly durationMs: number;
  /** How many records are due so long after the start. Never falls; all of them once the duration is over. */
  due(elapsedMs: number): number;
}

/** A peak takes this share of the time from one peak to the next, unless the average is too low for that. */
const PEAK_SHARE = 0.2;

/** @param timeCompression how many seconds of the plan pass in one */
export function timetable(records: number, shape: RateShape, timeCompression = 1): Timetable {
  if (!(timeCompression > 0)) {
    throw new SpillwayError("CONFIG_INVALID", `the time compression is ${timeCompression}, but must be above 0`);
  }
  const plan = planned(records, shape);
  const durationMs = plan.durationMs / timeCompression;
  return {
    durationMs,
    due(elapsedMs) {
      // Not compared in planned time: divided and multiplied again, the end may come out a little before itself.
      if (elapsedMs >= durationMs) return records;
      return elapsedMs < 0 ? 0 : Math.min(records, Math.floor(plan.due(elapsedMs * timeCompression)));
    },
  };
}

function planned(records: number, shape: RateShape): Timetable {
  switch (shape.kind) {
    case "unlimited":
      return { durationMs: 0, due: () => records };
    case "burst": {
      const { burst, tailMs } = shape;
      if (!(burst >= 0 && tailMs >= 0)) {
        throw new SpillwayError("CONFIG_INVALID", `a burst of ${burst} records and ${tailMs} ms can't be negative`);
      }
      const first = Math.min(burst, records);
      return { durationMs: tailMs, due: (elapsedMs) => first + (records - first) * (elapsedMs / tailMs) };
    }
    case "peaks":
      return peaks(records, shape);
  }
}

function peaks(records: number, shape: Extract<RateShape, { kind: "peaks" }>): Timetable {
  const { averageRate, peakRate, peaks: count } = shape;
  if (!(averageRate > 0 && peakRate >= averageRate)) {
    throw new SpillwayError(
      "CONFIG_INVALID",
      `an average of ${averageRate} and peaks of ${peakRate} records a second don't fit together: the average must be above 0 and not above the peaks`,
    );
  }
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new SpillwayError("CONFIG_INVALID", `the number of peaks is ${count}, but must be a positive integer`);
  }
  const durationMs = (records / averageRate) * 1000;
  // Whole cycles of one sin² bump over `share` of a cycle, whose mean height is half the bump's: so the average is kept
  // exactly, and the rate between the peaks (`low`) follows from it and never falls below 0.
  const share = Math.min(PEAK_SHARE, (2 * averageRate) / peakRate);
  const low = Math.max(0, (averageRate - (peakRate * share) / 2) / (1 - share / 2));
  const cycleMs = durationMs / count;
  const perCycle = records / count;
  const peakStart = (1 - share) / 2;
  return {
    durationMs,
    due(elapsedMs) {
      const cycle = Math.floor(elapsedMs / cycleMs);
      const phase = elapsedMs / cycleMs - cycle;
      const intoPeak = Math.min(1, Math.max(0, (phase - peakStart) / share));
      const bump = share * (intoPeak / 2 - Math.sin(2 * Math.PI * intoPeak) / (4 * Math.PI));
      return cycle * perCycle + (cycleMs / 1000) * (low * phase + (peakRate - low) * bump);
    },
  };
}
