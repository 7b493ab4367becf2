import type { Advice, Change, Effect } from "./advice.ts";
import type { AdviceReport } from "./report.ts";
import { amount, figure } from "./words.ts";

/** Keys are anybody's: they must not be able to write to a terminal. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/** The report for people: what was seen in a line, the advice, and the settings ready to be pasted. */
export function adviceText(report: AdviceReport): string {
  const { changes } = report;
  const paste = [
    `As flags:        ${changes.map(({ flag, to }) => `${flag} ${to}`).join(" ")}`,
    `As environment:  ${changes.map(({ environment, to }) => `${environment}=${to}`).join(" ")}`,
    "Figures are expectations: change it in one environment, look again, and test with a peak.",
  ];
  const flagOf = new Map(changes.map(({ setting, flag }) => [setting, flag]));
  const lines = [
    ...seenLines(report),
    ...report.advice.flatMap((one) => ["", ...adviceLines(one, flagOf)]),
    ...(changes.length === 0 ? [] : ["", ...paste]),
  ];
  return lines.map((line) => line.replace(UNPRINTABLE, "�")).join("\n");
}

function seenLines({ group, seen }: AdviceReport): readonly string[] {
  const { arrivalPerSecond, recordsPerSecond, waiting, write, latencyMs, writersBusy, writers, seconds } = seen;
  const arriving = arrivalPerSecond === undefined ? "" : ` of ${figure(arrivalPerSecond)} arriving`;
  const age = latencyMs === undefined ? "" : `, ${figure(latencyMs)} ms after they were read`;
  const writes =
    write === undefined
      ? "nothing was written"
      : `a write takes ${figure(write.ms)} ms for ${amount(write.records, "record")}; ${figure(writersBusy)} of ${amount(writers, "writer")} busy`;
  return [
    `${group}, ${figure(seconds)} s of ${amount(seen.instances, "instance")}: ${figure(recordsPerSecond)} records/s written${arriving}, ${figure(waiting)} waiting`,
    `  ${writes}${age}`,
  ];
}

function adviceLines(
  { code, why, action, changes, effect }: Advice,
  flagOf: ReadonlyMap<string, string>,
): readonly string[] {
  const change = ({ setting, from, to }: Change) => `${flagOf.get(setting)} ${from} → ${to}`;
  return [
    [code, changes.map(change).join(", ")].filter((part) => part !== "").join("  "),
    `  ${why}.`,
    ...(action === undefined ? [] : [`  ${action}.`]),
    ...(effect === undefined ? [] : [`  Expected: ${effectText(effect)}`]),
  ];
}

function effectText({ of, from, to: { least, most } }: Effect): string {
  const [low, high] = [figure(least), figure(most)];
  return `${of}: ${figure(from)} → ${low === high ? low : `${low} to ${high}`}`;
}
