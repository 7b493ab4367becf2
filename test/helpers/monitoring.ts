import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Registry } from "prom-client";
import { parse } from "yaml";
import { z } from "zod";
import { newRegistry } from "../../src/metrics/process-metrics.ts";
import { everyRegistry, groupLag, lagRegistry, lagReport, relayRegistry, sinkRegistry } from "./registries.ts";

const ROOT = resolve(import.meta.dirname, "../..");
export const RULES = join(ROOT, "deploy/prometheus/spillway.rules.yml");
export const RULE_TESTS = join(ROOT, "deploy/prometheus/spillway.rules.test.yml");
export const SCRAPE_CONFIG = join(ROOT, "deploy/prometheus/prometheus.yml");
export const RUNBOOKS = join(ROOT, "docs/runbooks");
const DASHBOARD = join(ROOT, "deploy/grafana/dashboards/spillway.json");

/** Prometheus adds these to whatever it scrapes. */
const SCRAPED = ["job", "instance"];
const OF_PROMETHEUS = new Map([
  ["up", SCRAPED],
  ["ALERTS", ["alertname", "alertstate"]],
]);

const ruleSchema = z.object({
  alert: z.string().optional(),
  record: z.string().optional(),
  expr: z.string(),
  for: z.string().optional(),
  labels: z.record(z.string(), z.string()).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});
const rulesSchema = z.object({ groups: z.array(z.object({ name: z.string(), rules: z.array(ruleSchema) })) });
export type Rule = z.infer<typeof ruleSchema>;

export function rules(): readonly Rule[] {
  return rulesSchema.parse(parse(readFileSync(RULES, "utf8"))).groups.flatMap((group) => group.rules);
}

const panelSchema = z.object({
  id: z.number(),
  type: z.string(),
  title: z.string(),
  gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
  targets: z.array(z.object({ expr: z.string(), legendFormat: z.string() })).optional(),
});
const dashboardSchema = z.object({
  panels: z.array(panelSchema),
  templating: z.object({ list: z.array(z.object({ name: z.string(), query: z.unknown() })) }),
  annotations: z.object({ list: z.array(z.object({ expr: z.string() })) }),
});

export function dashboard(): z.infer<typeof dashboardSchema> {
  return dashboardSchema.parse(JSON.parse(readFileSync(DASHBOARD, "utf8")));
}

/** Every query of the dashboard, with Grafana's variables put in as it would. */
export function dashboardQueries(): readonly string[] {
  const { panels, annotations } = dashboard();
  const given = [...panels.flatMap(({ targets = [] }) => targets), ...annotations.list].map(({ expr }) => expr);
  return given.map((expr) => expr.replaceAll("$__rate_interval", "1m").replaceAll("$group", ".*"));
}

/** The labels of every metric that the processes make, by name: a histogram has three. */
export async function metricLabels(): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const [relay, sink, lag] = [relayRegistry(), sinkRegistry(), lagRegistry()];
  // What has labels has none before it has a value.
  relay.progress.note({ partition: 0, offset: 10n, end: 25n });
  sink.observer.wrote(40, 120);
  sink.observer.finished(1_500);
  sink.observer.began(() => [{ topic: "wide", topicId: "id", partition: 0, offsets: 1n }]);
  lag.latest.saw(lagReport([groupLag()]));
  const found = new Map<string, Set<string>>([...OF_PROMETHEUS].map(([name, labels]) => [name, new Set(labels)]));
  for (const registry of [newRegistry(), everyRegistry().registry, relay.registry, sink.registry, lag.registry]) {
    await addLabels(registry, found);
  }
  return found;
}

async function addLabels(registry: Registry, found: Map<string, Set<string>>): Promise<void> {
  for (const { name, values } of await registry.getMetricsAsJSON()) {
    found.set(name, new Set(SCRAPED));
    for (const value of values) {
      const series = "metricName" in value && typeof value.metricName === "string" ? value.metricName : name;
      const labels = found.get(series) ?? new Set(SCRAPED);
      for (const label of Object.keys(value.labels)) labels.add(label);
      found.set(series, labels);
    }
  }
}
