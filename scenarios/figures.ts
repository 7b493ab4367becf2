import type { LatencySummary } from "../src/demo/live-watch.ts";
import { type Pace, type ScenarioName, scenarioOf, WANTED_SAMPLES, WRITE_MS } from "./catalog.ts";
import type { Verdict } from "./ledger.ts";
import type { WriteTimes } from "./service/processes.ts";

/** A live message: when it was due, in seconds after the flood's beginning; its latency; 1 if it was delivered, or 0. */
export type CurvePoint = readonly [atSeconds: number, latencyMs: number, delivered: 0 | 1];

/** What came of one scenario. */
export interface Figures {
  readonly scenario: ScenarioName;
  readonly quiet: LatencySummary;
  /** Of live messages that were due while the flood was produced, or its backlog worked off. */
  readonly flood: LatencySummary;
  readonly curve: readonly CurvePoint[];
  readonly floodRecords: number;
  readonly producedSeconds: number;
  /** From the flood's beginning until its last record was written; undefined where it was cut off. */
  readonly workedOffSeconds: number | undefined;
  readonly verdict: Verdict;
  /** Messages that the service was given again. */
  readonly repeated: number;
  readonly writes: WriteTimes;
  /** Of all the machine's cores, how many were busy. Unknown where the system doesn't say. */
  readonly busyCores: { readonly quiet: number; readonly flood: number } | undefined;
}

/** What `--json` writes of each scenario. */
export interface ScenarioResult {
  readonly scenario: ScenarioName;
  readonly ok: boolean;
  readonly liveP99QuietMs: number;
  readonly liveP99FloodMs: number;
  readonly isolation: number;
  readonly missing: number;
  readonly duplicates: number;
  readonly orderViolations: number;
}

export function resultOf(figures: Figures, pace: Pace): ScenarioResult {
  const { scenario, quiet, flood, verdict, repeated } = figures;
  return {
    scenario,
    ok: faultsOf(figures, pace).length === 0,
    liveP99QuietMs: Math.round(quiet.p99Ms),
    liveP99FloodMs: Math.round(flood.p99Ms),
    isolation: isolationOf(figures),
    missing: verdict.missing,
    duplicates: verdict.duplicates + repeated,
    orderViolations: verdict.orderViolations,
  };
}

/** By how much the flood makes live messages slower, at their 99th percentile. 1: not at all. */
export function isolationOf({ quiet, flood }: Pick<Figures, "quiet" | "flood">): number {
  return Math.round((flood.p99Ms / quiet.p99Ms) * 100) / 100;
}

/** How much slower than it should be a write may have been, at the median: beyond it the machine is what was measured. */
const WRITE_TOLERANCE_MS = 20;

/** The check at a scenario's end: what is wrong, each in a sentence. Of a short run, speed says nothing. */
export function faultsOf(figures: Figures, { isFull }: Pace): string[] {
  const { verdict, repeated, quiet, flood, writes } = figures;
  const { isCutOff = false, reach } = scenarioOf(figures.scenario);
  const faults: string[] = [];
  const mustBeNone = (count: number, what: string): void => {
    if (count > 0) faults.push(`${count} ${what}`);
  };
  mustBeNone(verdict.missing, "messages are missing");
  mustBeNone(verdict.duplicates + repeated, "messages came twice");
  mustBeNone(verdict.orderViolations, "messages were written behind a later one of their key");
  mustBeNone(verdict.strangers, "documents belong to no message");
  if (!isCutOff) mustBeNone(quiet.undelivered + flood.undelivered, "live messages were never seen");
  if (writes.writeP50Ms < WRITE_MS) faults.push(`a write took ${writes.writeP50Ms.toFixed(0)} ms, not ${WRITE_MS}`);
  if (!isFull) return faults;
  if (writes.writeP50Ms > WRITE_MS + WRITE_TOLERANCE_MS) {
    faults.push(`a write took ${writes.writeP50Ms.toFixed(0)} ms, not ${WRITE_MS}: the machine was too slow`);
  }
  const samples = Math.min(quiet.messages, flood.messages);
  if (samples < WANTED_SAMPLES) faults.push(`${samples} live messages are fewer than ${WANTED_SAMPLES}`);
  const isolation = flood.p99Ms / quiet.p99Ms;
  if (reach !== undefined && !(isolation <= reach)) {
    faults.push(`isolation is ${isolation.toFixed(3)}, more than ${reach}`);
  }
  return faults;
}
