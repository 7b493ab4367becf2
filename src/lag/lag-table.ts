import { spanOf } from "./judge.ts";
import type { CatchUp, Rate } from "./rates.ts";
import type { GroupLagReport, LagReport, PartitionLagReport } from "./report.ts";
import { sparkline } from "./sparkline.ts";
import type { UntilDeleted } from "./until-deleted.ts";
import type { Waiting } from "./waiting.ts";

export interface TableOptions {
  /** The most lines and columns, for a screen. */
  readonly lines?: number;
  readonly columns?: number;
  /** Messages that waited in the looks before this one and in it, by `trendKey`. */
  readonly trends?: ReadonlyMap<string, readonly number[]>;
}

export function trendKey(
  { group }: Pick<GroupLagReport, "group">,
  one: Pick<PartitionLagReport, "topic" | "partition">,
) {
  return `${group}\n${one.topic}/${one.partition}`;
}

/** What is still well needs no words. */
const WELL: ReadonlySet<string> = new Set(["caught up", "keeping up", "idle"]);

/** Names are anybody's: they must not be able to write to a terminal. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/** The report for people. What doesn't fit on the screen is counted in its last line. */
export function lagTable(report: LagReport, { lines, columns, trends }: TableOptions = {}): string {
  const text = [
    ...report.groups.flatMap((group) => [...groupLines(group, trends), ""]),
    ...report.unseen.map(({ what, why }) => `Not seen: ${what}: ${why}`),
  ];
  if (report.groups.length === 0) text.push("No group has committed anything.");
  while (text.at(-1) === "") text.pop();
  const safe = text.map((line) => line.replace(UNPRINTABLE, "�"));
  const cut = columns === undefined ? safe : safe.map((line) => [...line].slice(0, columns).join(""));
  if (lines === undefined || cut.length <= lines) return cut.join("\n");
  return [...cut.slice(0, lines - 1), `… ${cut.length - lines + 1} lines more: name groups or topics`].join("\n");
}

function groupLines(report: GroupLagReport, trends: TableOptions["trends"]): readonly string[] {
  const { group, status, members, messages, seconds, uncommitted, partitions } = report;
  const who = members === undefined ? "" : `, ${members} member${members === 1 ? "" : "s"}`;
  if (partitions.length === 0) return [`${group}: has committed nothing${who}`];
  const age = seconds === undefined ? "" : seconds === 0 ? "" : `, ${spanOf(seconds * 1_000)} behind`;
  const none =
    uncommitted === 0 ? "" : `; nothing committed in ${uncommitted} partition${uncommitted === 1 ? "" : "s"}`;
  const head = `${group}: ${status}, ${countOf(messages)} waiting${age}${who}${none}`;
  const trendOf = (one: PartitionLagReport) => sparkline(trends?.get(trendKey(report, one)) ?? []);
  const rows = partitions.map((one) => [...cellsOf(one), ...(trends === undefined ? [] : [trendOf(one)])]);
  const heading = [...HEADINGS, ...(trends === undefined ? [] : ["trend"])];
  const widths = heading.map((name, i) => Math.max(...[heading, ...rows].map((row) => row[i]?.length ?? name.length)));
  const line = (cells: readonly string[]) =>
    `  ${cells.map((cell, i) => (LEFT.has(i) ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join("  ")}`.trimEnd();
  const told = partitions.flatMap((one, i) => [
    line(rows[i] ?? []),
    ...(WELL.has(one.status) ? [] : [`      ${one.reason}`]),
  ]);
  return [head, line(heading), ...told];
}

const HEADINGS = ["topic", "partition", "status", "waiting", "age", "in/s", "out/s", "caught up in", "deleted in"];
/** Columns of words. */
const LEFT: ReadonlySet<number> = new Set([0, 2, HEADINGS.length]);

function cellsOf(one: PartitionLagReport): readonly string[] {
  const { topic, partition, status, messages, seconds, arrival, consumption, catchUp, untilDeleted } = one;
  const age = seconds === undefined ? "?" : messages.messages === 0 ? "" : spanOf(seconds * 1_000);
  return [
    ...[topic, String(partition), status, countOf(messages), age, rateCell(arrival), rateCell(consumption)],
    ...[catchUpCell(catchUp), deletedCell(untilDeleted)],
  ];
}

/** An estimate is marked as one. */
function countOf({ messages, exact }: Waiting): string {
  return `${exact ? "" : "~"}${messages.toLocaleString("en-US")}`;
}

function rateCell(rate: Rate | undefined): string {
  if (rate === undefined) return "?";
  const { perSecond } = rate;
  return perSecond >= 100 || perSecond === 0 ? Math.round(perSecond).toLocaleString("en-US") : perSecond.toPrecision(2);
}

function catchUpCell(catchUp: CatchUp): string {
  if (catchUp.kind === "now") return "";
  if (catchUp.kind === "unknown") return "?";
  if (catchUp.kind === "never") return "never";
  const { leastSeconds, mostSeconds } = catchUp;
  const [least, most] = [spanOf(leastSeconds * 1_000), mostSeconds === null ? undefined : spanOf(mostSeconds * 1_000)];
  if (most === undefined) return `${least} or more`;
  return least === most ? least : `${least} to ${most}`;
}

function deletedCell(until: UntilDeleted): string {
  if (until.kind === "nothing-unread") return "";
  if (until.kind === "in") return until.seconds === 0 ? "at any time" : spanOf(until.seconds * 1_000);
  return until.kind === "never" ? "never" : "?";
}
