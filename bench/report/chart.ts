import { BENCH_CODECS, type BenchCodec, GUARANTEES, PEER_NAMES, type PeerName, type Row } from "../result.ts";
import { thousands } from "../table.ts";

const WIDTH = 900;
const MARGIN = 28;
const LABELS = 200;
/** Between the two columns of bars, and behind the second: room for the longest figure. */
const FIGURE = 84;
const BAR = 18;
const STEP = 25;
const TITLE = 64;
const PANEL_TITLE = 30;
const PANEL_GAP = 22;
const FOOT = 20;
const COLUMN = (WIDTH - 2 * MARGIN - LABELS - 2 * FIGURE) / 2;
const COLUMNS = [MARGIN + LABELS, MARGIN + LABELS + COLUMN + FIGURE] as const;

const COLOURS: Readonly<Record<PeerName, string>> = {
  spillway: "#1f5fbf",
  "spillway-no-provenance": "#7fa8e0",
  "kafka-streams": "#d98032",
  kafkajs: "#d9b44a",
  "byte-copy": "#b4bac2",
};

const TITLES: Readonly<Record<BenchCodec, string>> = {
  none: "not compressed",
  lz4: "lz4",
  zstd: "zstd",
};

/**
 * The rows as two columns of bars, records per second and CPU per record, a panel for each codec. Each column has one
 * scale, from 0, over all panels, so that any bar can be held against any other.
 */
export function barChart(rows: readonly Row[], subtitle: string): string {
  const panels = BENCH_CODECS.map((codec) => ({ codec, rows: ordered(rows.filter((row) => row.codec === codec)) }));
  const shown = panels.filter((panel) => panel.rows.length > 0);
  const most = {
    speed: Math.max(...rows.map(({ recordsPerSecond }) => recordsPerSecond)),
    cpu: Math.max(...rows.map(({ cpuMicrosPerRecord }) => cpuMicrosPerRecord)),
  };
  let y = TITLE + 26;
  const body: string[] = [];
  for (const panel of shown) {
    body.push(rule(y - 6), text(MARGIN, y + 14, TITLES[panel.codec], "panel"));
    y += PANEL_TITLE - 6;
    for (const row of panel.rows) {
      const colour = COLOURS[row.name];
      body.push(
        text(MARGIN + LABELS - 12, y + 13, labelOf(row), row.name === "spillway" ? "label strong" : "label", "end"),
        ...bar(COLUMNS[0], y, row.recordsPerSecond / most.speed, colour, thousands(row.recordsPerSecond)),
        ...bar(COLUMNS[1], y, row.cpuMicrosPerRecord / most.cpu, colour, row.cpuMicrosPerRecord.toFixed(2)),
      );
      y += STEP;
    }
    y += PANEL_GAP;
  }
  const height = y - PANEL_GAP + FOOT;
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img">`,
    `<title>${escaped(`Relays side by side: ${subtitle}`)}</title>`,
    `<style>${STYLE}</style>`,
    `<rect width="${WIDTH}" height="${height}" rx="8" fill="#ffffff"/>`,
    text(MARGIN, 32, "Relays side by side", "title"),
    text(MARGIN, 53, subtitle, "subtitle"),
    text(COLUMNS[0], TITLE + 14, "records per second (more is better)", "heading"),
    text(COLUMNS[1], TITLE + 14, "CPU µs per record (less is better)", "heading"),
    ...body,
    "</svg>",
  ].join("\n")}\n`;
}

const STYLE = [
  'text { font-family: system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #24292f; font-size: 13px }',
  ".title { font-size: 19px; font-weight: 600 }",
  ".subtitle { fill: #57606a }",
  ".heading { fill: #57606a; font-size: 12px }",
  ".panel { font-weight: 600 }",
  ".strong { font-weight: 600 }",
  ".figure { font-size: 12px; font-variant-numeric: tabular-nums }",
].join(" ");

function labelOf({ name, guarantee }: Row): string {
  return guarantee === "exactly-once" ? `${name}, exactly once` : name;
}

function ordered(rows: readonly Row[]): readonly Row[] {
  const place = ({ name, guarantee }: Row) => 2 * PEER_NAMES.indexOf(name) + GUARANTEES.indexOf(guarantee);
  return rows.toSorted((a, b) => place(a) - place(b));
}

function bar(x: number, y: number, share: number, colour: string, figure: string): string[] {
  const width = Math.max(1.5, share * COLUMN);
  return [
    `<rect x="${x}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" rx="2" fill="${colour}"/>`,
    text(x + width + 6, y + 13, figure, "figure"),
  ];
}

function rule(y: number): string {
  return `<line x1="${MARGIN}" x2="${WIDTH - MARGIN}" y1="${y}" y2="${y}" stroke="#d8dee4"/>`;
}

function text(x: number, y: number, words: string, style: string, anchor: "start" | "end" = "start"): string {
  const end = anchor === "end" ? ' text-anchor="end"' : "";
  return `<text x="${x.toFixed(1)}" y="${y}" class="${style}"${end}>${escaped(words)}</text>`;
}

function escaped(words: string): string {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
