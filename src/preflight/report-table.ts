import type { Finding } from "./finding.ts";
import type { PreflightReport } from "./report.ts";
import { bytesInWords, count } from "./words.ts";

const WIDTH = 110;
const MARGIN = 11;

/** The report for people. */
export function preflightTable(report: PreflightReport): string {
  const { source, targets, errors, warnings, seconds, backlog } = report;
  const left =
    backlog === undefined ? "" : `, ${count(backlog.offsets)} offsets (${bytesInWords(backlog.bytes)}) to relay`;
  return [
    `Preflight of ${source} -> ${targets.join(", ")}${left}`,
    sampleLine(report),
    "",
    ...report.findings.flatMap(findingLines),
    `${verdict(errors, warnings)}: ${seconds.toFixed(1)} s.`,
  ].join("\n");
}

function sampleLine({ sample }: PreflightReport): string {
  if (sample === undefined) return "No sample could be read.";
  const { records, bytes, partitions, windows, keys, of, isWhole } = sample;
  if (records === 0) return "There are no records to take a sample of.";
  const where = of === "backlog" ? "what is to be relayed" : "the log: nothing is left to be relayed";
  const size = `${count(records)} records (${bytesInWords(bytes)}, ${count(keys)} keys)`;
  return `${isWhole ? "All of" : "A sample of"} ${where}: ${size} from ${windows} windows of ${partitions} partitions.`;
}

function findingLines({ severity, code, what, why, action, context }: Finding): readonly string[] {
  const keys = Array.isArray(context["keys"]) ? [`keys: ${hotKeys(context["keys"])}`] : [];
  const text = [what, `Why: ${why}.`, `Do: ${action}.`, ...keys];
  return [`${severity.toUpperCase().padEnd(MARGIN)}${code}`, ...text.flatMap(wrapped), ""];
}

function hotKeys(keys: readonly unknown[]): string {
  return keys.map((key) => JSON.stringify(key)).join(", ");
}

function wrapped(text: string): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + word.length + 1 > WIDTH - MARGIN) {
      lines.push(line);
      line = "";
    }
    line += line === "" ? word : ` ${word}`;
  }
  return [...lines, line].map((one) => " ".repeat(MARGIN) + one);
}

function verdict(errors: number, warnings: number): string {
  if (errors > 0) return `IT CAN'T WORK LIKE THIS, ${plural(errors, "error")} and ${plural(warnings, "warning")}`;
  return warnings > 0 ? `It can work, with ${plural(warnings, "warning")}` : "Nothing stands against it";
}

function plural(number: number, name: string): string {
  return `${number} ${name}${number === 1 ? "" : "s"}`;
}
