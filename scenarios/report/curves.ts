import type { Figures } from "../figures.ts";
import { duration } from "./table.ts";

const WIDTH = 1240;
const MARGIN = { left: 58, right: 14, top: 74, bottom: 40 };
const GAP = 12;
const HEIGHT = 340;
/** Where the scale of latencies begins: below what a write takes. It is logarithmic. */
const SHORTEST_MS = 100;
const DECADES = [100, 1_000, 10_000, 100_000] as const;

const COLOURS = { delivered: "#1f5fbf", waiting: "#d98032", line: "#24292f", grid: "#d8dee4", flood: "#f1f5fb" };

/**
 * Each scenario's live messages in a panel of its own, all on the same scales: along the time each was due, up its
 * latency. The flood is produced where the ground is darker.
 */
export function curves(all: readonly Figures[]): string {
  const panelWidth = (WIDTH - MARGIN.left - MARGIN.right - GAP * (all.length - 1)) / Math.max(1, all.length);
  const points = all.flatMap(({ curve }) => curve);
  const from = Math.min(...points.map(([at]) => at), 0);
  const to = Math.max(...points.map(([at]) => at), 1);
  const longest = 1.3 * Math.max(...points.map(([, latency]) => latency), 10 * SHORTEST_MS);
  const y = (ms: number): number => {
    const share = Math.log(Math.max(ms, SHORTEST_MS) / SHORTEST_MS) / Math.log(longest / SHORTEST_MS);
    return HEIGHT - MARGIN.bottom - share * (HEIGHT - MARGIN.top - MARGIN.bottom);
  };
  const decades = DECADES.filter((ms) => ms <= longest);
  const labels = decades.map((ms) => text(MARGIN.left - 8, y(ms) + 4, seconds(ms), "end"));
  const panels = all.map((figures, index) => {
    const left = MARGIN.left + index * (panelWidth + GAP);
    const x = (at: number): number => left + ((at - from) / (to - from)) * panelWidth;
    return panel(figures, { left, width: panelWidth, x, y, decades });
  });
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img">`,
    "<title>Latency of live messages, before and in the flood</title>",
    `<style>${STYLE}</style>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" rx="8" fill="#ffffff"/>`,
    text(14, 24, "How long a live message takes, from when it was due to its acknowledged write", "start", "title"),
    ...labels,
    ...panels.flat(),
    "</svg>",
  ].join("\n")}\n`;
}

interface Frame {
  readonly left: number;
  readonly width: number;
  readonly x: (at: number) => number;
  readonly y: (ms: number) => number;
  readonly decades: readonly number[];
}

function panel(figures: Figures, { left, width, x, y, decades }: Frame): string[] {
  const { scenario, curve, quiet, flood, producedSeconds, workedOffSeconds } = figures;
  const [top, bottom] = [MARGIN.top, HEIGHT - MARGIN.bottom];
  const rect = (from: number, to: number, fill: string): string =>
    `<rect x="${fixed(from)}" y="${top}" width="${fixed(to - from)}" height="${bottom - top}" fill="${fill}"/>`;
  const rule = (from: number, to: number, ms: number, style: string): string =>
    `<path class="${style}" d="M${fixed(from)} ${fixed(y(ms))}H${fixed(to)}"/>`;
  const end = workedOffSeconds ?? producedSeconds;
  const [first = [0] as const] = curve;
  const atLeast = flood.undelivered > 0 ? "≥ " : "";
  return [
    rect(left, left + width, "#fafbfc"),
    rect(x(0), x(producedSeconds), COLOURS.flood),
    ...decades.map((ms) => rule(left, left + width, ms, "grid")),
    text(left, top - 22, scenario.replace("backfill-", ""), "start", "panel"),
    text(left, top - 7, `p99 ${duration(quiet.p99Ms)} → ${atLeast}${duration(flood.p99Ms)}`, "start", "small"),
    dots(
      curve.filter(([, , delivered]) => delivered === 1),
      x,
      y,
      "delivered",
    ),
    dots(
      curve.filter(([, , delivered]) => delivered === 0),
      x,
      y,
      "waiting",
    ),
    rule(x(first[0]), x(0), quiet.p99Ms, "p99"),
    rule(x(0), x(end), flood.p99Ms, "p99"),
    text(x(0), bottom + 15, "0 s", "middle", "small"),
    text(x(producedSeconds), bottom + 15, `${Math.round(producedSeconds)}`, "middle", "small"),
    ...(end - producedSeconds > 60 ? [text(x(end), bottom + 15, `${Math.round(end)}`, "middle", "small")] : []),
  ];
}

/** One path of points: a fraction of what circles would take. */
function dots(
  points: Figures["curve"],
  x: (at: number) => number,
  y: (ms: number) => number,
  style: "delivered" | "waiting",
): string {
  return `<path class="${style}" d="${points.map(([at, ms]) => `M${fixed(x(at))} ${fixed(y(ms))}h0`).join("")}"/>`;
}

const STYLE = [
  'text { font-family: system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #24292f; font-size: 12px }',
  ".title { font-size: 16px; font-weight: 600 }",
  ".panel { font-weight: 600; font-size: 13px }",
  ".small { fill: #57606a; font-size: 11px; font-variant-numeric: tabular-nums }",
  "path { fill: none }",
  `.grid { stroke: ${COLOURS.grid} }`,
  `.delivered, .waiting { stroke-width: 2.4; stroke-linecap: round; stroke-opacity: 0.55 }`,
  `.delivered { stroke: ${COLOURS.delivered} } .waiting { stroke: ${COLOURS.waiting} }`,
  `.p99 { stroke: ${COLOURS.line}; stroke-dasharray: 4 3 }`,
].join(" ");

function seconds(ms: number): string {
  return ms < 1_000 ? `${ms} ms` : `${ms / 1_000} s`;
}

function text(x: number, y: number, words: string, anchor: "start" | "middle" | "end", style?: string): string {
  const attributes = `${anchor === "start" ? "" : ` text-anchor="${anchor}"`}${style === undefined ? "" : ` class="${style}"`}`;
  return `<text x="${fixed(x)}" y="${fixed(y)}"${attributes}>${escaped(words)}</text>`;
}

function fixed(number: number): string {
  return number.toFixed(1);
}

/** For text in SVG and HTML. */
export function escaped(words: string): string {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
