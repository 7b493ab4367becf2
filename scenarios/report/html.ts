import type { Machine } from "../../bench/machine.ts";
import { FLOOD_KEYS, FLOOD_PER_SECOND, LIVE_PER_SECOND, type Pace, scenarioOf, WRITE_MS } from "../catalog.ts";
import { type Figures, faultsOf } from "../figures.ts";
import type { LadderFigures } from "../ladder/figures.ts";
import type { OperationFigures } from "../operations/figures.ts";
import type { PerTopicFigures } from "../per-topic/figures.ts";
import { curves, escaped } from "./curves.ts";
import { operationFaultsOf, operationSection } from "./operations.ts";
import { row, table } from "./rows.ts";
import { sinkFaults, sinkSections } from "./sinks.ts";
import { cells, HEADINGS } from "./table.ts";

/** All that one run of scenarios gave. */
export interface Report {
  readonly takenAt: string;
  readonly machine: Machine;
  readonly versions: Readonly<Record<string, string>>;
  readonly seed: number;
  readonly pace: Pace;
  readonly figures: readonly Figures[];
  readonly ladders: readonly LadderFigures[];
  readonly perTopic?: PerTopicFigures;
  readonly operations: readonly OperationFigures[];
}

const DATA_ID = "report";

/** A page that needs nothing but itself. The figures are in it as JSON, too: see `reportOf`. */
export function reportPage(report: Report): string {
  const { figures, pace, takenAt } = report;
  const faults = [
    ...figures.flatMap((one) => faultsOf(one, pace).map((fault) => `${one.scenario}: ${fault}`)),
    ...sinkFaults(report),
    ...operationFaultsOf(report.operations),
  ];
  return `${[
    "<!doctype html>",
    '<html lang="en">',
    '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
    `<title>Live messages in a flood, ${escaped(takenAt)}</title>`,
    `<style>${STYLE}</style></head>`,
    "<body>",
    "<h1>Live messages in a flood</h1>",
    `<p>${escaped(setting(report))}</p>`,
    pace.isFull ? "" : "<p><strong>A short run: its figures say that it works, and nothing about speed.</strong></p>",
    ...(figures.length === 0 ? [] : floodSection(report)),
    ...sinkSections(report),
    ...(report.operations.length === 0 ? [] : operationSection(report.operations)),
    faults.length === 0
      ? ""
      : `<h2>Not as it should be</h2><ul>${faults.map((one) => `<li>${escaped(one)}</li>`).join("")}</ul>`,
    // The only character sequence that could end the element is one that JSON may escape.
    `<script type="application/json" id="${DATA_ID}">${JSON.stringify(report).replaceAll("<", "\\u003c")}</script>`,
    "</body></html>",
  ]
    .filter((line) => line !== "")
    .join("\n")}\n`;
}

function floodSection({ figures, pace }: Report): string[] {
  const rows = figures.map((one) => row(cells(one, pace), "td"));
  return [
    curves(figures),
    table(row(HEADINGS, "th"), rows),
    `<ul>${figures.map((one) => `<li><b>${one.scenario}</b>: ${escaped(details(one))}</li>`).join("")}</ul>`,
    `<p>${escaped(READING)}</p>`,
  ];
}

/** The figures of a page that `reportPage` has made. @throws TypeError if it is none */
export function reportOf(page: string): Report {
  const [, json] = new RegExp(`<script type="application/json" id="${DATA_ID}">(.*)</script>`).exec(page) ?? [];
  if (json === undefined) throw new TypeError("the page holds no report");
  return JSON.parse(json);
}

export function setting({ machine, versions, seed, pace, takenAt }: Report): string {
  const { cpu, cores, memoryMiB, system } = machine;
  return [
    `Live: ${LIVE_PER_SECOND} messages a second, for ${pace.quietMs / 1_000} s without and then with a flood of`,
    `${FLOOD_PER_SECOND} messages a second for ${pace.floodMs / 1_000} s to ${FLOOD_KEYS.toLocaleString("en-US")} keys (seed ${seed}).`,
    `The service: one message at a time for each partition, one write of ${WRITE_MS} ms for each.`,
    `Machine: ${cpu}, ${cores} cores, ${memoryMiB.toLocaleString("en-US")} MiB, ${system}; everything runs on it.`,
    `${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", ")}. Taken at ${takenAt}.`,
  ].join(" ");
}

/** What the table has no room for. */
export function details({ scenario, writes, busyCores, floodRecords, verdict, flood }: Figures): string {
  const { title } = scenarioOf(scenario);
  const ms = (value: number): string => `${value.toFixed(0)} ms`;
  const busy =
    busyCores === undefined ? "" : `; busy cores: ${busyCores.quiet} in quiet, ${busyCores.flood} in the flood`;
  const waiting = verdict.waiting === 0 ? "" : `; ${verdict.waiting} messages were waiting when it was cut off`;
  return (
    [
      `${title}. ${floodRecords} messages of flood;`,
      `in the flood p50 ${ms(flood.p50Ms)}, at most ${ms(flood.maxMs)};`,
      `writes p50 ${ms(writes.writeP50Ms)}, p99 ${ms(writes.writeP99Ms)}, the service's event loop late by ${writes.loopP99Ms.toFixed(1)} ms (p99)`,
    ].join(" ") +
    busy +
    waiting
  );
}

export const READING = [
  "A latency runs from when a live message was due to be sent until its document was seen in the database, looked for every 10 ms or half a percent of the time waited, past the proxy that delays the service's writes on their way in: it is seen when it is acknowledged.",
  "“In the flood” are live messages that were due while the flood was produced, or its backlog worked off.",
  "Where a scenario is cut off at the flood's end, those still waiting count with their age then: their real latency is longer, and so is p99 (≥).",
  "Isolation is p99 in the flood over p99 in quiet, under the same scenario.",
].join(" ");

const STYLE = [
  "body { font: 15px/1.5 system-ui, sans-serif; color: #24292f; max-width: 1280px; margin: 2em auto; padding: 0 1em }",
  "svg { max-width: 100%; height: auto }",
  "table { border-collapse: collapse; font-variant-numeric: tabular-nums }",
  "td, th { padding: 0.3em 0.8em; border-bottom: 1px solid #d8dee4; text-align: right }",
  "td:first-child, th:first-child { text-align: left }",
].join(" ");
