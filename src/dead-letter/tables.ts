import type { ParkedListing } from "./list.ts";
import type { ParkedKeyName } from "./parked-key.ts";
import type { RedriveReport } from "./redrive.ts";
import { type Count, keyName, type SummaryReport } from "./summary.ts";
import type { BytesView, LetterView } from "./view.ts";

/** Of a value, so much is shown on a terminal. */
const SHOWN_CHARACTERS = 4_000;

export function summaryTable(report: SummaryReport): string {
  const { letters, copies, copiesMayCount, batchParts, byError, byKey, keysAreExact, byTime, withoutTime } = report;
  const notes = [
    `${letters} letters${copies > 0 ? `, ${copies} copies of them beside` : ""}`,
    ...(copiesMayCount ? ["copies that lie far apart count as letters: there are too many to remember all"] : []),
    ...(batchParts > 0 ? [`${batchParts} pieces of batches that could not be read, in none of the counts`] : []),
  ];
  const times = withoutTime > 0 ? [...byTime, { name: "(no time)", letters: withoutTime }] : byTime;
  return [
    ...notes,
    ...section("by error", byError),
    ...section(keysAreExact ? "by key, most first" : "by key, most first; at least so many of each", byKey),
    ...section("by hour", times),
  ].join("\n");
}

function section(title: string, counts: readonly Count[]): string[] {
  if (counts.length === 0) return [];
  const width = Math.max(...counts.map(({ letters }) => String(letters).length));
  return ["", title, ...counts.map(({ name, letters }) => `  ${String(letters).padStart(width)}  ${printable(name)}`)];
}

export function parkedTable(parked: readonly ParkedListing[]): string {
  if (parked.length === 0) return "no key is parked";
  return parked
    .map(({ topic, partition, key, code, since, origin, redrives, waiting }) =>
      [
        `${printable(keyName(key))}  (topic ${topic}, partition ${partition})`,
        `  parked since ${since}, ${waiting} letters wait`,
        `  at ${origin}: ${printable(code)}${redrives > 0 ? `, redriven ${redrives} times in vain` : ""}`,
      ].join("\n"),
    )
    .join("\n");
}

export function askedTable(keys: readonly ParkedKeyName[], dryRun: boolean): string {
  const names = keys.map(
    ({ topic, partition, key }) => `  ${printable(keyName(key))}  (topic ${topic}, partition ${partition})`,
  );
  const title = dryRun
    ? "would be redriven by the sink that has the partition:"
    : "asked for: the sink that has the partition redrives them, or the next one that gets it; see dlq list --parked";
  return [title, ...names].join("\n");
}

export function redriveTable(report: RedriveReport): string {
  const { topic, group, dryRun, resumed, chosen, targets, copies, redrivenTooOften, parked, batchParts } = report;
  const rows = [
    `${topic}: ${chosen} letters ${resumed ? "were left of a run that was not finished" : "fit"}`,
    ...targets.map(
      ({ topic: target, letters, groups }) =>
        `  ${letters} ${dryRun ? "would go" : "went"} to ${target}, read by ${groups.join(", ") || "no group that has committed"}`,
    ),
    ...counted(copies, "copies, sent once"),
    ...counted(redrivenTooOften, "left: redriven too often before (--max-redrives)"),
    ...counted(parked, "left: their keys are parked, and redriven by their sink (--group)"),
    ...counted(batchParts, "left: pieces of batches that could not be read"),
  ];
  if (!dryRun) rows.push(`  how far it is stands under the group ${group}; --again begins anew`);
  return rows.join("\n");
}

function counted(count: number, what: string): string[] {
  return count === 0 ? [] : [`  ${count} ${what}`];
}

export function letterText(view: LetterView): string {
  const { topic, partition, offset, origin, source, error, message, attempts, redrives, key, value, headers } = view;
  return [
    `${topic}:${partition}:${offset}`,
    `  error     ${printable(error)}: ${printable(message)}`,
    `  failed    ${view.failedAt ?? "?"}, first ${view.firstFailedAt ?? "?"}; ${attempts} attempts, ${redrives} redrives`,
    `  read at   ${source ?? "?"}`,
    `  origin    ${origin}`,
    `  key       ${shown(key)}`,
    ...headers.map((header) => `  header    ${printable(header.key)}: ${shown(header.value)}`),
    `  value     ${shown(value)}`,
  ].join("\n");
}

function shown({ as, text }: BytesView): string {
  if (as === "null") return "null";
  const part = printable(text.slice(0, SHOWN_CHARACTERS));
  const rest = text.length > SHOWN_CHARACTERS ? ` … (${text.length} characters; --json has all)` : "";
  return `${as === "hex" ? "hex " : ""}${part}${rest}`;
}

/** What a record says must not reach a terminal as its commands. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (one) => `\\x${one.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
