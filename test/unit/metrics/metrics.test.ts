import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { Registry } from "prom-client";
import { newRegistry } from "../../../src/metrics/process-metrics.ts";
import { watchRelay } from "../../../src/metrics/relay-metrics.ts";
import { watchSink } from "../../../src/metrics/sink-metrics.ts";
import type { RelayOptions } from "../../../src/relay/options.ts";
import { Pace } from "../../../src/relay/pace.ts";
import { Progress } from "../../../src/relay/progress.ts";
import { newRelayStats } from "../../../src/relay/stats.ts";
import { newSinkStats } from "../../../src/sink/stats.ts";

const DOC = new URL("../../../docs/metrics.md", import.meta.url);

function relay() {
  const registry = new Registry();
  const watched = {
    options: { source: "hot" } as RelayOptions,
    pace: new Pace({ recordsPerSecond: 100, paused: true }),
    progress: new Progress(),
    stats: newRelayStats(),
  };
  watchRelay(registry, watched);
  return { registry, ...watched };
}

function sink() {
  const registry = new Registry();
  const stats = newSinkStats();
  return { registry, stats, observer: watchSink(registry, stats) };
}

test("a relay's metrics are what it counts, by partition for those that it has", async () => {
  const { registry, stats, progress } = relay();
  stats.recordsRead = 7;
  progress.note({ partition: 0, offset: 10n, end: 25n });
  progress.note({ partition: 2, offset: 10n, end: 10n });
  const first = await registry.metrics();
  assert.match(first, /^spillway_relay_records_read_total 7$/m);
  assert.match(first, /^spillway_relay_left_offsets\{topic="hot",partition="0"\} 15$/m);
  assert.match(first, /^spillway_relay_left_offsets\{topic="hot",partition="2"\} 0$/m);
  assert.match(first, /^spillway_relay_paused 1$/m);
  assert.match(first, /^spillway_relay_limit_records_per_second 100$/m);
  assert.doesNotMatch(first, /^spillway_relay_yielding_records_per_second \d/m);
  progress.own([2]);
  stats.recordsRead = 9;
  const second = await registry.metrics();
  assert.match(second, /^spillway_relay_records_read_total 9$/m);
  assert.doesNotMatch(second, /partition="0"/);
});

test("a sink's metrics are what it counts, and histograms of its writes", async () => {
  const { registry, stats, observer } = sink();
  stats.recordsDeadLettered = 3;
  observer.wrote(40, 120);
  observer.finished(1_500);
  const text = await registry.metrics();
  assert.match(text, /^spillway_sink_records_dead_lettered_total 3$/m);
  assert.match(text, /^spillway_sink_outage_seconds 0$/m);
  assert.match(text, /^spillway_sink_batch_records_bucket\{le="25"\} 0$/m);
  assert.match(text, /^spillway_sink_batch_records_bucket\{le="50"\} 1$/m);
  assert.match(text, /^spillway_sink_write_seconds_sum 0\.12$/m);
  assert.match(text, /^spillway_sink_processing_seconds_count 1$/m);
});

test("two processes' registries share nothing", async () => {
  const [one, other] = [newRegistry(), newRegistry()];
  watchSink(one, newSinkStats());
  assert.doesNotMatch(await other.metrics(), /spillway_sink/);
});

test("the table in the docs is that of the metrics there are (SPILLWAY_WRITE_DOCS=1 writes it)", async () => {
  const rows = async ({ registry }: { readonly registry: Registry }) =>
    (await registry.getMetricsAsJSON())
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ name, type, help }) => `| \`${name}\` | ${type} | ${help} |`);
  const table = (lines: readonly string[]) =>
    ["| metric | type | what it says |", "|---|---|---|", ...lines].join("\n");
  const page = [
    "# Metrics",
    "`--listen PORT` has a relay or a sink answer `GET /metrics` in Prometheus' text format. Beside these there are those that prom-client has for every Node process: CPU, memory, event-loop delay, garbage collection.",
    "## Relay",
    table(await rows(relay())),
    "## Sink",
    table(await rows(sink())),
  ].join("\n\n");
  if (process.env["SPILLWAY_WRITE_DOCS"] === "1") writeFileSync(DOC, `${page}\n`);
  assert.equal(readFileSync(DOC, "utf8"), `${page}\n`);
});
