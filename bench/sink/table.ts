import { aligned, thousands } from "../table.ts";
import type { SinkPeerSettings, SinkResult, SinkRound, SinkRow } from "./result.ts";

const HEADINGS = [
  "target",
  "model",
  "sink",
  "latency ms",
  "partitions",
  "keys",
  "docs/s",
  "CPU µs/doc",
  "peak RSS MiB",
] as const;

/** The rows for a terminal. */
export function sinkConsoleTable({ rows, databases }: Pick<SinkResult, "rows" | "databases">): string {
  return `${aligned([HEADINGS, ...rows.map(sinkCells)], 3)}\n\n${databaseLine(databases)}`;
}

/** What stands under every table of figures. */
export function databaseLine(databases: SinkResult["databases"]): string {
  const named = Object.entries(databases).map(([target, database]) => `${target}: ${database}`);
  return `Database: ${named.join("; ")}, behind toxiproxy.`;
}

export function sinkCells(row: SinkRow): readonly string[] {
  return [
    row.target,
    row.model,
    row.name,
    String(row.latencyMs),
    String(row.partitions),
    thousands(row.keys),
    perSecond(row.docsPerSecond),
    row.cpuMicrosPerDoc.toFixed(1),
    row.peakRssMiB.toFixed(0),
  ];
}

/** One round for a terminal, as soon as it is over. */
export function sinkRoundLine(round: SinkRound): string {
  const [target, model, name, latency, partitions, keys, speed, cpu, memory] = sinkCells(round);
  return [
    `${target} ${model} ${latency} ms, ${partitions} partitions, ${keys} keys, round ${round.round} ${name}:`,
    `${speed} docs/s, ${cpu} µs CPU, ${memory} MiB;`,
    `cores: sink ${round.sinkCores}, database ${round.databaseCores}, others ${round.otherCores}; counted in ${round.countMs} ms`,
  ].join(" ");
}

/** What a sink was run with, for a terminal. */
export function settingsLine({ name, target, model, partitions, warmupSeconds, settings }: SinkPeerSettings): string {
  const list = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
  return `${name}, ${target}, ${model}, ${partitions} partitions, warm-up ${warmupSeconds} s: ${list.join("; ")}`;
}

/** Of few, fractions count. */
export function perSecond(docs: number): string {
  return docs < 100 ? docs.toFixed(1) : thousands(docs);
}
