import type { WriteStream } from "node:tty";
import { lagTable, trendKey } from "../lag/lag-table.ts";
import { type LagReport, worstFirst } from "../lag/report.ts";

/** Looks of which the trend is drawn. */
const TREND = 24;
const DEFAULT_ROWS = 24;
const DEFAULT_COLUMNS = 80;

/** Terminal sequences: to the upper left, clear from here on, cursor away and back. */
const HOME = "\x1b[H";
const CLEAR = "\x1b[J";
const HIDE_CURSOR = "\x1b[?25l";
const SHOW_CURSOR = "\x1b[?25h";

/** A terminal on which each report is drawn over the one before. */
export class LagScreen {
  readonly #output: WriteStream;
  #trends = new Map<string, readonly number[]>();

  constructor(output: WriteStream) {
    this.#output = output;
    output.write(`${HIDE_CURSOR}${HOME}${CLEAR}`);
  }

  draw(report: LagReport): void {
    const before = this.#trends;
    const values = report.groups.flatMap((group) =>
      group.partitions.map((one) => [trendKey(group, one), one.messages.messages] as const),
    );
    this.#trends = new Map(values.map(([key, value]) => [key, [...(before.get(key) ?? []), value].slice(-TREND)]));
    // A terminal that doesn't know its size says 0.
    const [rows, columns] = [this.#output.rows || DEFAULT_ROWS, this.#output.columns || DEFAULT_COLUMNS];
    const lines = Math.max(3, rows - 2);
    const table = lagTable(worstFirst(report), { lines, columns, trends: this.#trends });
    const head = `${new Date(report.atMs).toLocaleTimeString("en-GB")}, look ${report.looks}; Ctrl-C ends it`;
    // No line end behind the last line: it would scroll the first one away.
    this.#output.write(`${HOME}${CLEAR}${head.slice(0, columns)}\n${table}`);
  }

  /** The last report stays. */
  end(): void {
    this.#output.write(`\n${SHOW_CURSOR}`);
  }
}
