import { aligned, thousands } from "../../bench/table.ts";
import type { Pace } from "../catalog.ts";
import { type Figures, resultOf } from "../figures.ts";

export const HEADINGS = [
  "scenario",
  "p99 quiet",
  "p99 flood",
  "isolation",
  "live quiet/flood",
  "waiting",
  "worked off",
  "missing",
  "twice",
  "out of order",
  "check",
] as const;

export function cells(figures: Figures, pace: Pace): readonly string[] {
  const { quiet, flood, workedOffSeconds } = figures;
  const { scenario, ok, isolation, missing, duplicates, orderViolations } = resultOf(figures, pace);
  const atLeast = flood.undelivered > 0 ? "≥ " : "";
  return [
    scenario,
    duration(quiet.p99Ms),
    atLeast + duration(flood.p99Ms),
    `${atLeast}${isolation.toFixed(isolation < 10 ? 2 : 0)}`,
    `${thousands(quiet.messages)} / ${thousands(flood.messages)}`,
    thousands(flood.undelivered),
    workedOffSeconds === undefined ? "cut off" : `${workedOffSeconds.toFixed(0)} s`,
    ...[missing, duplicates, orderViolations].map(thousands),
    ok ? "ok" : "failed",
  ];
}

/** The table for a terminal. */
export function consoleTable(all: readonly Figures[], pace: Pace): string {
  return aligned([HEADINGS, ...all.map((one) => cells(one, pace))], 1);
}

export function duration(ms: number): string {
  if (Number.isNaN(ms)) return "–";
  return ms < 10_000 ? `${thousands(ms)} ms` : `${(ms / 1_000).toFixed(0)} s`;
}
