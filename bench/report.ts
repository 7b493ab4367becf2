/**
 * Makes a part of docs/benchmarks.md and its chart of a result: `node bench/report.ts FILE`. The result says whether it is
 * the relay's or the sink's; the other part stays as it is.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { barChart } from "./report/chart.ts";
import { relayPart } from "./report/markdown.ts";
import { type Part, withPart } from "./report/parts.ts";
import { sinkBarChart } from "./report/sink-chart.ts";
import { sinkPart } from "./report/sink-markdown.ts";
import type { BenchResult } from "./result.ts";
import type { SinkResult } from "./sink/result.ts";

const DOCS = join(import.meta.dirname, "../docs");
const PAGE = join(DOCS, "benchmarks.md");

interface Report {
  readonly part: Part;
  /** Its file in docs. */
  readonly chart: string;
  readonly svg: string;
  readonly body: string;
}

const [, , file] = process.argv;
if (file === undefined) {
  process.stderr.write("node bench/report.ts FILE, the result of npm run bench:relay, or bench:sink, -- --json FILE\n");
  process.exitCode = 2;
} else {
  const result: BenchResult | SinkResult = JSON.parse(await readFile(file, "utf8"));
  const { part, chart, svg, body } = "databases" in result ? await ofSinks(result) : await ofRelays(result);
  await writeFile(join(DOCS, chart), svg);
  await writeFile(PAGE, withPart(await readFile(PAGE, "utf8"), part, body));
  process.stdout.write(`docs/benchmarks.md, its ${part}'s part, and docs/${chart} are written\n`);
}

async function ofRelays(result: BenchResult): Promise<Report> {
  const { settings, machine, rows } = result;
  const subtitle = [
    `${settings.sourcePartitions} → ${settings.targetPartitions} partitions, ${settings.valueBytes}-byte JSON, at least once;`,
    `medians of ${settings.rounds} × ${settings.windowSeconds} s, relay and broker on the same ${machine.cores} cores`,
  ].join(" ");
  const chart = "relay-benchmark.svg";
  const body = relayPart({ result, chart, notes: await notes("notes.md") });
  return { part: "relay", chart, svg: barChart(rows, subtitle), body };
}

async function ofSinks(result: SinkResult): Promise<Report> {
  const { settings, machine, rows, databases } = result;
  const subtitle = [
    `${settings.valueBytes}-byte JSON into ${Object.values(databases).join(", ")}; medians of`,
    `${settings.rounds} × ${settings.windowSeconds} s, all on the same ${machine.cores} cores`,
  ].join(" ");
  const chart = "sink-benchmark.svg";
  const body = sinkPart({ result, chart, notes: await notes("sink/notes.md") });
  return { part: "sink", chart, svg: sinkBarChart(rows, subtitle), body };
}

async function notes(name: string): Promise<string> {
  return await readFile(join(import.meta.dirname, name), "utf8");
}
