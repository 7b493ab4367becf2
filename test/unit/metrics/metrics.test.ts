import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import type { Registry } from "prom-client";
import { newRegistry } from "../../../src/metrics/process-metrics.ts";
import { watchSink } from "../../../src/metrics/sink-metrics.ts";
import { newSinkStats } from "../../../src/sink/stats.ts";
import {
  everyRegistry,
  groupLag,
  lagRegistry,
  lagReport,
  partitionLag,
  relayRegistry,
  sinkRegistry,
} from "../../helpers/registries.ts";

const DOC = new URL("../../../docs/metrics.md", import.meta.url);

test("a relay's metrics are what it counts, by partition for those that it has", async () => {
  const { registry, stats, progress } = relayRegistry();
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
  const { registry, stats, observer } = sinkRegistry();
  stats.recordsDeadLettered = 3;
  stats.retries = 5;
  stats.retriesWhileAway = 4;
  observer.wrote(40, 120);
  observer.finished(1_500);
  observer.began(() => [{ topic: "wide", topicId: "id", partition: 3, offsets: 8n }]);
  const text = await registry.metrics();
  assert.match(text, /^spillway_sink_records_dead_lettered_total 3$/m);
  assert.match(text, /^spillway_sink_outage_seconds 0$/m);
  assert.match(text, /^spillway_sink_retries_total\{class="away"\} 4$/m);
  assert.match(text, /^spillway_sink_retries_total\{class="part"\} 1$/m);
  assert.match(text, /^spillway_sink_batch_records_bucket\{le="25"\} 0$/m);
  assert.match(text, /^spillway_sink_batch_records_bucket\{le="50"\} 1$/m);
  assert.match(text, /^spillway_sink_write_seconds_sum 0\.12$/m);
  assert.match(text, /^spillway_sink_processing_seconds_count 1$/m);
  assert.match(text, /^spillway_sink_left_offsets\{topic="wide",partition="3"\} 8$/m);
  observer.began(() => []);
  assert.doesNotMatch(await registry.metrics(), /^spillway_sink_left_offsets\{/m);
});

test("lag is shown as the last look saw it: what isn't known has no series, nor has what is gone, or too old", async () => {
  const { registry, latest, at } = lagRegistry();
  const seriesOf = async () => (await registry.metrics()).split("\n").filter((line) => /^spillway_lag_.*\{/.test(line));
  assert.deepEqual(await seriesOf(), []);
  assert.deepEqual(latest.vitals().away?.what, "a look at the groups");
  const estimated = { messages: 5_000, exact: false, atMost: 9_000 };
  const unknown = { seconds: undefined, arrival: undefined, consumption: undefined };
  const standing = partitionLag({ ...unknown, partition: 1, status: "stalled", messages: estimated });
  const never = { ...standing, untilDeleted: { kind: "never" } } as const;
  latest.saw(lagReport([groupLag({ members: undefined, partitions: [partitionLag(), never] })]));
  assert.deepEqual(await seriesOf(), [
    'spillway_lag_messages{group="app",topic="prices",partition="0"} 12',
    'spillway_lag_messages{group="app",topic="prices",partition="1"} 5000',
    'spillway_lag_estimated{group="app",topic="prices",partition="0"} 0',
    'spillway_lag_estimated{group="app",topic="prices",partition="1"} 1',
    'spillway_lag_seconds{group="app",topic="prices",partition="0"} 4',
    'spillway_lag_arrival_offsets_per_second{group="app",topic="prices",partition="0"} 20',
    'spillway_lag_consumption_offsets_per_second{group="app",topic="prices",partition="0"} 16.5',
    'spillway_lag_retention_seconds{group="app",topic="prices",partition="0"} 7200',
    'spillway_lag_status{group="app",topic="prices",partition="0",status="keeping up"} 1',
    'spillway_lag_status{group="app",topic="prices",partition="1",status="stalled"} 1',
    'spillway_lag_partitions{group="app"} 2',
    'spillway_lag_uncommitted_partitions{group="app"} 0',
  ]);
  latest.saw(lagReport([groupLag({ partitions: [] })]));
  assert.deepEqual((await seriesOf()).length, 3);
  latest.failed();
  at(60);
  assert.equal((await seriesOf()).length, 3, "one look that failed");
  assert.equal(latest.vitals().away, undefined);
  at(65);
  assert.deepEqual(await seriesOf(), []);
  assert.equal(latest.vitals().away?.since, 0);
  const text = await registry.metrics();
  assert.match(text, /^spillway_lag_looks_total 2$/m);
  assert.match(text, /^spillway_lag_failed_looks_total 1$/m);
  assert.match(text, /^spillway_lag_look_age_seconds 65$/m);
});

test("what HTTP says of groups names no keys and no clients", () => {
  const { latest } = lagRegistry();
  assert.deepEqual(latest.status.groups, []);
  const next = { offset: 1n, key: "a customer", timestampMs: 0 };
  latest.saw(
    lagReport([groupLag({ partitions: [partitionLag({ next, reader: "app at host", reason: "a customer" })] })]),
  );
  const said = JSON.stringify(latest.status);
  assert.match(said, /"group":"app".*"status":"keeping up"/);
  assert.doesNotMatch(said, /customer|host/);
});

test("between two looks there is nothing to do; a look that is due is work", () => {
  const { latest, at } = lagRegistry();
  latest.saw(lagReport([]));
  at(1.9);
  assert.equal(latest.vitals().hasWork, false);
  at(2.1);
  assert.equal(latest.vitals().hasWork, true);
});

test("whether a process gets anywhere is a metric, too", async () => {
  const { registry, answer } = everyRegistry();
  assert.match(await registry.metrics(), /^spillway_ready 1$/m);
  answer.isReady = false;
  assert.match(await registry.metrics(), /^spillway_ready 0$/m);
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
    "`--listen PORT` has a relay, a sink or `spillway lag` answer `GET /metrics` in Prometheus' text format. Beside these there are those that prom-client has for every Node process: CPU, memory, event-loop delay, garbage collection. What to do with them: [alerts.md](alerts.md).",
    "## Every process",
    table(await rows(everyRegistry())),
    "## Relay",
    table(await rows(relayRegistry())),
    "## Sink",
    table(await rows(sinkRegistry())),
    "## Lag",
    "By group, topic and partition, of the groups that `spillway lag --group NAME --listen PORT` was told of: see [lag.md](lag.md). `status` is one of those listed there.",
    table(await rows(lagRegistry())),
  ].join("\n\n");
  if (process.env["SPILLWAY_WRITE_DOCS"] === "1") writeFileSync(DOC, `${page}\n`);
  assert.equal(readFileSync(DOC, "utf8"), `${page}\n`);
});
