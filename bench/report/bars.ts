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

/** One figure: how long its bar is, and what stands behind it. */
export interface Bar {
  readonly value: number;
  readonly figure: string;
}

export interface BarRow {
  readonly label: string;
  readonly isOurs: boolean;
  readonly colour: string;
  readonly bars: readonly [Bar, Bar];
}

export interface Bars {
  readonly title: string;
  readonly subtitle: string;
  /** Of the two columns. */
  readonly headings: readonly [string, string];
  readonly panels: readonly { readonly title: string; readonly rows: readonly BarRow[] }[];
}

/**
 * Two columns of bars as SVG, in panels. Each column has one scale, from 0, over all panels, so that any bar can be held
 * against any other.
 */
export function twoColumns({ title, subtitle, headings, panels }: Bars): string {
  const all = panels.flatMap(({ rows }) => rows);
  const most = ([0, 1] as const).map((column) => Math.max(...all.map(({ bars }) => bars[column].value)));
  let y = TITLE + 26;
  const body: string[] = [];
  for (const panel of panels) {
    body.push(rule(y - 6), text(MARGIN, y + 14, panel.title, "panel"));
    y += PANEL_TITLE - 6;
    for (const { label, isOurs, colour, bars } of panel.rows) {
      body.push(
        text(MARGIN + LABELS - 12, y + 13, label, isOurs ? "label strong" : "label", "end"),
        ...bars.flatMap(({ value, figure }, column) =>
          bar(COLUMNS[column] ?? 0, y, value / (most[column] ?? 1), colour, figure),
        ),
      );
      y += STEP;
    }
    y += PANEL_GAP;
  }
  const height = y - PANEL_GAP + FOOT;
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img">`,
    `<title>${escaped(`${title}: ${subtitle}`)}</title>`,
    `<style>${STYLE}</style>`,
    `<rect width="${WIDTH}" height="${height}" rx="8" fill="#ffffff"/>`,
    text(MARGIN, 32, title, "title"),
    text(MARGIN, 53, subtitle, "subtitle"),
    ...headings.map((heading, column) => text(COLUMNS[column] ?? 0, TITLE + 14, heading, "heading")),
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
