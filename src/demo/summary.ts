import type { Verdict } from "./ledger.ts";
import type { LatencySummary } from "./live-watch.ts";
import { format } from "./progress.ts";

/** What `--json` writes. Live messages are not in `produced`, `relayed` and `written`. */
export interface DemoResult {
  readonly produced: number;
  readonly relayed: number;
  readonly written: number;
  readonly missing: number;
  readonly duplicates: number;
  readonly orderViolations: number;
  readonly seconds: number;
  readonly relayRecordsPerSecond: number;
  readonly writtenPerSecond: number;
  readonly liveP99QuietMs: number;
  readonly liveP99FloodMs: number;
}

export interface DemoFigures {
  readonly database: string;
  readonly produced: number;
  readonly burst: number;
  readonly burstProducedPerSecond: number;
  readonly relayed: number;
  readonly relayRecordsPerSecond: number;
  readonly written: number;
  readonly seconds: number;
  /** Records were sent for so long at least, whatever the sinks can take. */
  readonly producedForSeconds: number;
  readonly live: number;
  readonly quiet: LatencySummary;
  readonly flood: LatencySummary;
  readonly verdict: Verdict;
  readonly orderLookups: number;
  readonly sampledKeys: number;
}

export function resultOf(figures: DemoFigures): DemoResult {
  const { produced, relayed, written, seconds, verdict, quiet, flood } = figures;
  return {
    produced,
    relayed,
    written,
    missing: verdict.missing,
    duplicates: verdict.duplicates,
    orderViolations: verdict.orderViolations,
    seconds: Math.round(seconds * 100) / 100,
    relayRecordsPerSecond: Math.round(figures.relayRecordsPerSecond),
    writtenPerSecond: Math.round(written / seconds),
    liveP99QuietMs: Math.round(quiet.p99Ms),
    liveP99FloodMs: Math.round(flood.p99Ms),
  };
}

/** Every acknowledged record has one document, in its order, and there is no other document. */
export function isAccountedFor({ missing, duplicates, orderViolations, strangers, misnamed }: Verdict): boolean {
  return missing + duplicates + orderViolations + strangers + misnamed === 0;
}

export function summaryTable(figures: DemoFigures): string {
  const { verdict, quiet, flood, seconds } = figures;
  const result = resultOf(figures);
  const rows: (readonly [string, string, string])[] = [
    ["database", figures.database, ""],
    ["produced", format(result.produced), `${perSecond(figures.burstProducedPerSecond)} in the burst`],
    ["relayed", format(result.relayed), `${perSecond(result.relayRecordsPerSecond)} over the burst`],
    ["written", format(result.written), `${perSecond(result.writtenPerSecond)} in ${seconds.toFixed(1)} s`],
    ["live messages", format(figures.live), `${format(quiet.messages)} in quiet, ${format(flood.messages)} in flood`],
    ["live in quiet", latency(quiet), undelivered(quiet)],
    ["live in flood", latency(flood), undelivered(flood)],
    ["missing", format(verdict.missing), "acknowledged records without a document"],
    ["duplicates", format(verdict.duplicates), "documents beyond one per record"],
    [
      "order violations",
      format(verdict.orderViolations),
      `${format(figures.sampledKeys)} keys, ${format(figures.orderLookups)} look-ups while writing`,
    ],
  ];
  if (verdict.strangers > 0) rows.push(["strangers", format(verdict.strangers), "documents of no record"]);
  if (verdict.misnamed > 0) rows.push(["misnamed", format(verdict.misnamed), "documents with another _id than theirs"]);
  const nameWidth = Math.max(...rows.map(([name]) => name.length));
  const valueWidth = Math.max(...rows.slice(1).map(([, value]) => value.length));
  const lines = rows.map(([name, value, note]) =>
    `  ${name.padEnd(nameWidth)}  ${value.padStart(valueWidth)}  ${note}`.trimEnd(),
  );
  return [...lines, ...remarks(figures)].join("\n");
}

function remarks(figures: DemoFigures): string[] {
  const { verdict, relayed, produced } = figures;
  const lines: string[] = [];
  if (relayed > produced) {
    lines.push(
      `${format(relayed - produced)} records were relayed more than once: the relay is at least once, and the sink wrote each once.`,
    );
  }
  if (figures.seconds < figures.producedForSeconds * 1.1) {
    lines.push(
      `Writing kept up with producing, which was spread over ${figures.producedForSeconds.toFixed(0)} s: the rate of writing says no more than that.`,
    );
  }
  lines.push(
    "The burst's rates have the producer, the relay and the sinks share one machine's cores with the broker and the database.",
  );
  for (const { key, sequence, id } of verdict.firstMissing) lines.push(`Missing: record ${sequence} of ${key}, ${id}`);
  for (const { key, present, absent } of verdict.firstViolations) {
    lines.push(`Out of order: record ${present} of ${key} was there before record ${absent}`);
  }
  return ["", ...lines];
}

function latency({ p50Ms, p99Ms }: LatencySummary): string {
  return `p50 ${Math.round(p50Ms)} ms, p99 ${Math.round(p99Ms)} ms`;
}

function undelivered(summary: LatencySummary): string {
  return summary.undelivered === 0 ? "" : `${format(summary.undelivered)} not delivered, counted with their age`;
}

function perSecond(rate: number): string {
  return `${format(Math.round(rate))}/s`;
}
