import { OPERATION_HEADINGS, type OperationFigures, operationCells, operationFaults } from "../operations/figures.ts";
import { escaped } from "./curves.ts";
import { row, table } from "./rows.ts";

const WIDTH = 600;
const HEIGHT = 180;
const MARGIN = { left: 60, right: 14, top: 28, bottom: 24 };

/** Of the page: relay and sinks in operation. */
export function operationSection(all: readonly OperationFigures[]): string[] {
  const [{ database } = { database: "" }] = all;
  return [
    "<h2>In operation</h2>",
    `<p>${escaped(`Live messages, from when each was due until it could be read in the database: ${database}. Missing, twice and out of order: in the wide topic and in the database together.`)}</p>`,
    table(
      row(OPERATION_HEADINGS, "th"),
      all.map((one) => row(operationCells(one), "td")),
    ),
    ...all.map(backlogCurve),
  ];
}

export function operationFaultsOf(all: readonly OperationFigures[]): string[] {
  return all.flatMap((one) => operationFaults(one).map((fault) => `${one.own.scenario}: ${fault}`));
}

/** How many messages were acknowledged and not in the database, along the time. */
function backlogCurve({ own, backlog }: OperationFigures): string {
  const most = Math.max(10, ...backlog.map(([, waiting]) => waiting));
  const last = backlog.at(-1)?.[0] ?? 1;
  const [bottom, right] = [HEIGHT - MARGIN.bottom, WIDTH - MARGIN.right];
  const x = (at: number): string => (MARGIN.left + (at / last) * (right - MARGIN.left)).toFixed(1);
  const y = (waiting: number): string => (bottom - (waiting / most) * (bottom - MARGIN.top)).toFixed(1);
  const line = backlog.map(([at, waiting], index) => `${index === 0 ? "M" : "L"}${x(at)} ${y(waiting)}`).join("");
  const label = (left: number, top: string | number, anchor: string, words: string): string =>
    `<text x="${left}" y="${top}" text-anchor="${anchor}">${escaped(words)}</text>`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" font-size="12">`,
    `<title>${own.scenario}: messages that wait</title>`,
    label(MARGIN.left, 16, "start", `${own.scenario}: messages acknowledged and not in the database`),
    label(MARGIN.left - 6, y(most), "end", String(most)),
    label(MARGIN.left - 6, y(0), "end", "0"),
    label(right, HEIGHT - 6, "end", `${Math.round(last)} s`),
    `<path class="backlog" d="${line}" fill="none" stroke="#1f5fbf" stroke-width="1.6"/>`,
    "</svg>",
  ].join("");
}
