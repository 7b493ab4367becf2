import { Registry } from "prom-client";
import { LatestLook } from "../../src/lag/latest-look.ts";
import type { GroupLagReport, LagReport, PartitionLagReport } from "../../src/lag/report.ts";
import { watchLagReports } from "../../src/metrics/lag-metrics.ts";
import { watchReadiness } from "../../src/metrics/process-metrics.ts";
import { watchRelay } from "../../src/metrics/relay-metrics.ts";
import { watchSink } from "../../src/metrics/sink-metrics.ts";
import type { RelayOptions } from "../../src/relay/options.ts";
import { Pace } from "../../src/relay/pace.ts";
import { Progress } from "../../src/relay/progress.ts";
import { newRelayStats } from "../../src/relay/stats.ts";
import { newSinkStats } from "../../src/sink/stats.ts";

/** The registries that the processes make, each with the parts that its metrics are read from. */

export function relayRegistry() {
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

export function sinkRegistry() {
  const registry = new Registry();
  const stats = newSinkStats();
  return { registry, stats, observer: watchSink(registry, stats) };
}

export function lagRegistry() {
  const registry = new Registry();
  let now = 0;
  const latest = new LatestLook({ intervalMs: 2_000, deadlineMs: 30_000 }, () => now);
  watchLagReports(registry, latest);
  const at = (seconds: number) => {
    now = seconds * 1_000;
  };
  return { registry, latest, at };
}

export function everyRegistry() {
  const registry = new Registry();
  const answer = { isReady: true };
  watchReadiness(registry, () => answer.isReady);
  return { registry, answer };
}

export function partitionLag(part: Partial<PartitionLagReport> = {}): PartitionLagReport {
  return {
    ...{ topic: "prices", partition: 0, status: "keeping up", reason: "12 records wait", committed: 1n, logStart: 0n },
    ...{
      end: 13n,
      written: 13n,
      messages: { messages: 12, exact: true, atMost: 12 },
      seconds: 4,
      parked: 0,
      parkedSeconds: undefined,
    },
    arrival: { perSecond: 20, seconds: 60, by: "looks" },
    consumption: { perSecond: 16.5, seconds: 60, by: "looks" },
    catchUp: { kind: "in", leastSeconds: 30, mostSeconds: 240 },
    untilDeleted: { kind: "in", seconds: 7_200, by: "age" },
    ...{ next: undefined, openTransaction: undefined, reader: undefined },
    ...part,
  };
}

export function groupLag(part: Partial<GroupLagReport> = {}): GroupLagReport {
  return {
    ...{ group: "app", status: "keeping up", members: 1, messages: { messages: 12, exact: true, atMost: 12 } },
    ...{ seconds: 4, uncommitted: 0, partitions: [partitionLag()] },
    ...part,
  };
}

export function lagReport(groups: readonly GroupLagReport[], report: Partial<LagReport> = {}): LagReport {
  return { atMs: 0, looks: 3, unseen: [], groups, ...report };
}
