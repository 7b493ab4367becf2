import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { withPart } from "../../../bench/report/parts.ts";
import { sinkBarChart } from "../../../bench/report/sink-chart.ts";
import { sinkPart } from "../../../bench/report/sink-markdown.ts";
import { casesOf } from "../../../bench/sink/cases.ts";
import { parseSinkOptions } from "../../../bench/sink/options.ts";
import { spillwaySink } from "../../../bench/sink/peers/spillway.ts";
import { reached } from "../../../bench/sink/reach.ts";
import {
  rowsOf,
  SINK_NAMES,
  type SinkName,
  type SinkResult,
  type SinkRound,
  TARGETS,
} from "../../../bench/sink/result.ts";
import { sinkConsoleTable } from "../../../bench/sink/table.ts";

function round(name: SinkName, docsPerSecond: number, more: Partial<SinkRound> = {}): SinkRound {
  return {
    ...{ name, target: "mongodb", model: "insert", latencyMs: 100, partitions: 3, keys: 10_000, round: 1 },
    ...{ docsPerSecond, cpuMicrosPerDoc: 10, peakRssMiB: 200, seconds: 20, documents: docsPerSecond * 20, countMs: 9 },
    ...{ sinkCores: 0.1, databaseCores: 0.8, otherCores: 0.2 },
    ...more,
  };
}

test("a row holds the medians of its own rounds, and the fields that were asked for", () => {
  const rounds = [
    round("spillway", 300, { cpuMicrosPerDoc: 2, peakRssMiB: 90 }),
    round("spillway", 100, { cpuMicrosPerDoc: 1, peakRssMiB: 80 }),
    round("kafkajs-insert-one", 9.666),
    round("spillway", 200, { cpuMicrosPerDoc: 9, peakRssMiB: 99 }),
    ...[{ latencyMs: 0 }, { partitions: 24 }, { keys: 3 }, { model: "latest" as const }].map((other) =>
      round("spillway", 7_000, other),
    ),
  ];
  const rows = rowsOf(rounds);
  assert.equal(rows.length, 6);
  assert.deepEqual(rows[0], {
    ...{ name: "spillway", target: "mongodb", model: "insert", latencyMs: 100, partitions: 3, keys: 10_000 },
    ...{ docsPerSecond: 200, cpuMicrosPerDoc: 2, peakRssMiB: 90 },
  });
  assert.equal(rows[1]?.docsPerSecond, 9.67, "of few, fractions count");
});

test("by default every latency is run with all, and what is run is within what was asked for", () => {
  const all = casesOf(parseSinkOptions([]));
  const plain = all.filter(({ target, model, partitions, keys }) => {
    return target === "mongodb" && model === "insert" && partitions === 3 && keys === 10_000;
  });
  assert.deepEqual(
    plain.map(({ latencyMs }) => latencyMs),
    [0, 50, 100, 200],
  );
  for (const { names } of plain) assert.deepEqual(names, SINK_NAMES);
  for (const wanted of [{ partitions: 24 }, { keys: 3 }, { model: "latest" }, { target: "dynamodb", latencyMs: 180 }]) {
    const found = all.filter((one) => Object.entries(wanted).every(([name, value]) => one[name as "keys"] === value));
    assert.ok(found.length > 0, JSON.stringify(wanted));
  }
  fc.assert(
    fc.property(fc.subarray([...SINK_NAMES]), fc.subarray([...TARGETS]), (names, targets) => {
      for (const one of casesOf({ ...parseSinkOptions([]), names, targets })) {
        assert.ok(one.names.length > 0 && one.names.every((name) => names.includes(name)));
        assert.ok(targets.includes(one.target));
      }
    }),
  );
});

test("options that don't exist, or make no sense, are refused", () => {
  const { names, latencies, windowSeconds, targets } = parseSinkOptions(["--short", "--names", "spillway"]);
  assert.deepEqual([names, latencies, windowSeconds, targets], [["spillway"], [0, 100], 3, ["mongodb"]]);
  assert.ok(parseSinkOptions([]).windowSeconds >= 20);
  for (const wrong of [
    ["--names", "kafka"],
    ["--latencies", "0,,9"],
    ["--latencies", "-1"],
    ["--rounds", "0"],
    ["--x"],
  ]) {
    assert.throws(() => parseSinkOptions(wrong), TypeError);
  }
});

const ROUNDS = [
  round("spillway", 10_000, { latencyMs: 0 }),
  round("mongo-kafka-connect", 5_000, { latencyMs: 0, cpuMicrosPerDoc: 30, peakRssMiB: 600 }),
  round("spillway", 8_000),
  round("mongo-kafka-connect", 4_100, { cpuMicrosPerDoc: 19, peakRssMiB: 600 }),
  round("kafkajs-insert-one", 10, { cpuMicrosPerDoc: 900, peakRssMiB: 100 }),
  round("spillway", 1_700, { target: "dynamodb", latencyMs: 180, peakRssMiB: 301 }),
];

test("each aim is held against its own rows", () => {
  assert.deepEqual(
    reached(rowsOf(ROUNDS)).map(({ figure, isReached }) => [figure, isReached]),
    [
      ["2.00 ×", true],
      ["33 %", true],
      ["1.95 ×", false],
      ["53 %", false],
      ["80 %", true],
      ["800 ×", true],
      ["103 ×", true],
      ["301 MiB", false],
    ],
  );
  assert.deepEqual(reached([]), []);
});

const RESULT: SinkResult = {
  machine: { cpu: "a <cpu>", cores: 2, memoryMiB: 4096, system: "Linux" },
  versions: { spillway: "1" },
  rows: rowsOf(ROUNDS),
  takenAt: "2025-01-02T03:04:05.000Z",
  databases: { mongodb: "FerretDB 1.24.0 (SQLite)" },
  settings: { keyBytes: 10, valueBytes: 180, windowSeconds: 20, rounds: 1, records: 9, broker: {} },
  peers: [
    {
      ...{ name: "spillway", target: "mongodb", model: "insert", partitions: 3, warmupSeconds: 4 },
      settings: spillwaySink([]).settings({ model: "insert", partitions: 3, target: "mongodb" }),
    },
  ],
  rounds: ROUNDS,
};

test("the page says what the database is, how we compare, where a peer wins, and what wasn't reached", () => {
  const text = sinkPart({ result: RESULT, chart: "chart.svg", notes: "### What helped\n" });
  assert.match(text, /Database: mongodb: FerretDB 1\.24\.0 \(SQLite\), behind toxiproxy\./);
  assert.match(text, /800 × the documents per second of `kafkajs-insert-one` for 0\.01 of its CPU/);
  assert.match(text, /But `kafkajs-insert-one` wins in memory\./);
  assert.match(
    text,
    /\| mongodb \| insert \| spillway \| 100 \| 3 \| 10,000 \| 8,000 \| 10\.0 \| 200 \| 1\.95 \| 800 \|/,
  );
  assert.match(text, /at most 300 MiB in every row \| 301 MiB \| \*\*no\*\*/);
  assert.match(text, /`spillway`, mongodb, insert \(warm-up 4 s\): options = defaults/);
  assert.ok(text.endsWith("### What helped"));
});

test("each part of the page is written anew and leaves the other alone, whichever comes first", () => {
  const body = fc.stringMatching(/^[A-Za-z#| \n-]{1,80}$/);
  fc.assert(
    fc.property(body, body, body, (relay, sink, later) => {
      const both = withPart(withPart("# Benchmarks\n", "relay", relay), "sink", sink);
      assert.equal(withPart(withPart("# Benchmarks\n", "sink", sink), "relay", relay), both);
      assert.equal(withPart(both, "relay", relay), both);
      const changed = withPart(both, "sink", later);
      assert.equal(withPart(changed, "sink", sink), both);
    }),
  );
});

test("chart and table have a row for each, the chart a panel for each setting", () => {
  const svg = sinkBarChart(RESULT.rows, "of three");
  assert.equal([...svg.matchAll(/class="panel"/g)].length, 3);
  assert.equal([...svg.matchAll(/class="label/g)].length, RESULT.rows.length);
  assert.ok(svg.includes("900 (no bar)"));
  const lines = sinkConsoleTable(RESULT).split("\n");
  assert.equal(lines.length, RESULT.rows.length + 3);
  assert.match(lines.at(-1) ?? "", /FerretDB/);
});
