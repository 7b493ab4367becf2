import assert from "node:assert/strict";
import { test } from "node:test";
import { parseOptions } from "../../../bench/options.ts";
import { barChart } from "../../../bench/report/chart.ts";
import { relayPart } from "../../../bench/report/markdown.ts";
import type { BenchResult, PeerName, Row } from "../../../bench/result.ts";
import { consoleTable, thousands } from "../../../bench/table.ts";

function row(name: PeerName, recordsPerSecond: number, cpuMicrosPerRecord: number, peakRssMiB: number): Row {
  const bytesPerSecond = recordsPerSecond * 190;
  return {
    ...{ name, guarantee: "at-least-once", codec: "none", valueBytes: 180 },
    ...{ recordsPerSecond, bytesPerSecond, cpuMicrosPerRecord, peakRssMiB },
  };
}

const ROWS = [
  row("spillway", 600_000, 1, 200),
  row("kafka-streams", 150_000, 10, 400),
  row("kafkajs", 40_000, 24, 150),
];
const RESULT: BenchResult = {
  machine: { cpu: "a <cpu> & more", cores: 2, memoryMiB: 4096, system: "Linux" },
  versions: { spillway: "1" },
  rows: ROWS,
  takenAt: "2025-01-02T03:04:05.000Z",
  settings: {
    ...{ sourcePartitions: 3, targetPartitions: 24, keys: 10_000, keyBytes: 10, valueBytes: 180 },
    ...{ windowSeconds: 15, rounds: 3, broker: {} },
  },
  sources: [],
  peers: [],
  rounds: [],
};

test("the chart's bars are as long as their figures say, on one scale for each column", () => {
  const svg = barChart(ROWS, "of <three> & more");
  const widths = [...svg.matchAll(/<rect x="[\d.]+" y="\d+" width="([\d.]+)"/g)].map(([, width]) => Number(width));
  const [speed1 = 0, cpu1 = 0, speed2 = 0, cpu2 = 0, speed3 = 0, cpu3 = 0] = widths;
  assert.equal(widths.length, 6);
  assert.ok(Math.abs(speed1 / speed2 - 4) < 0.05 && Math.abs(speed1 / speed3 - 15) < 0.5);
  assert.ok(Math.abs(cpu3 / cpu2 - 2.4) < 0.05 && Math.abs(cpu3 / cpu1 - 24) < 1);
  assert.ok(svg.includes("of &lt;three&gt; &amp; more"));
  for (const { recordsPerSecond } of ROWS) assert.ok(svg.includes(`>${thousands(recordsPerSecond)}<`));
});

test("the page says how we compare, and where a peer wins", () => {
  const text = relayPart({ result: RESULT, chart: "chart.svg", notes: "## What helped\n" });
  assert.match(text, /4\.0 × the records per second of `kafka-streams` for 1\/10\.0 of its CPU per record/);
  assert.match(text, /But `kafkajs` wins in memory\./);
  assert.match(text, /\| none \| spillway \| at-least-once \| 600,000 \| 114 \| 1\.00 \| 200 \| 4\.00 \|/);
  assert.ok(text.endsWith("## What helped"));
});

test("the terminal's table has a line for each row, in columns", () => {
  const lines = consoleTable(RESULT).split("\n");
  assert.equal(lines.length, ROWS.length + 1);
  assert.equal(new Set(lines.map(({ length }) => length)).size, 1);
});

test("options that don't exist, or make no sense, are refused", () => {
  assert.deepEqual(parseOptions(["--codecs", "lz4", "--rounds", "1"]).codecs, ["lz4"]);
  for (const wrong of [["--codecs", "brotli"], ["--rounds", "0"], ["--window", "soon"], ["--peers", ""], ["--no"]]) {
    assert.throws(() => parseOptions(wrong), TypeError);
  }
});
