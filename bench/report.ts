/** Makes docs/benchmarks.md and its chart of a result: `node bench/report.ts FILE`. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { barChart } from "./report/chart.ts";
import { page } from "./report/markdown.ts";
import type { BenchResult } from "./result.ts";

const DOCS = join(import.meta.dirname, "../docs");
const CHART = "relay-benchmark.svg";

const [, , file] = process.argv;
if (file === undefined) {
  process.stderr.write("node bench/report.ts FILE, the result of npm run bench:relay -- --json FILE\n");
  process.exitCode = 2;
} else {
  const result: BenchResult = JSON.parse(await readFile(file, "utf8"));
  const notes = await readFile(join(import.meta.dirname, "notes.md"), "utf8");
  const { settings, machine } = result;
  const subtitle = [
    `${settings.sourcePartitions} → ${settings.targetPartitions} partitions, ${settings.valueBytes}-byte JSON, at least once;`,
    `medians of ${settings.rounds} × ${settings.windowSeconds} s, relay and broker on the same ${machine.cores} cores`,
  ].join(" ");
  await writeFile(join(DOCS, CHART), barChart(result.rows, subtitle));
  await writeFile(join(DOCS, "benchmarks.md"), page({ result, chart: CHART, notes }));
  process.stdout.write(`docs/benchmarks.md and docs/${CHART} are written\n`);
}
