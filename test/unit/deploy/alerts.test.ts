import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { OPTION_KEYS, optionOf } from "../../../src/config/option-table.ts";
import { dashboard, dashboardQueries, metricLabels, RUNBOOKS, type Rule, rules } from "../../helpers/monitoring.ts";
import { selectorsOf } from "../../helpers/promql.ts";

const known = await metricLabels();
const recorded = rules().flatMap(({ record }) => record ?? []);

function alerts(): readonly (Rule & { readonly alert: string })[] {
  return rules().flatMap((rule) => (rule.alert === undefined ? [] : [{ ...rule, alert: rule.alert }]));
}

/** What an expression asks for that there is not. Metrics of the brokers are for the test that has one. */
function unknownIn(expression: string): string[] {
  return selectorsOf(expression, known.keys()).flatMap(({ metric, labels }) => {
    if (metric.startsWith("kafka_") || recorded.includes(metric)) return [];
    const has = known.get(metric);
    if (has === undefined) return [`${metric} is no metric`];
    return [...labels].filter((label) => !has.has(label)).map((label) => `${metric} has no label ${label}`);
  });
}

test("each alert has its page, which it names, and each page its alert", () => {
  const pages = readdirSync(RUNBOOKS).map((file) => file.replace(/\.md$/, ""));
  assert.deepEqual(
    pages.toSorted(),
    alerts()
      .map(({ alert }) => alert)
      .toSorted(),
  );
  for (const { alert, annotations = {}, labels = {} } of alerts()) {
    assert.equal(annotations["runbook"], `docs/runbooks/${alert}.md`);
    assert.ok(annotations["summary"] !== undefined, alert);
    assert.match(labels["severity"] ?? "", /^(warning|critical)$/, alert);
  }
});

test("lag over 1,000 for 5 minutes is HighConsumerLag", () => {
  const lag = alerts().find(({ alert }) => alert === "HighConsumerLag");
  assert.equal(lag?.for, "5m");
  assert.match(lag?.expr ?? "", /\(spillway_lag_messages\)\) > 1000$/);
});

test("each page says what is stuck, whether to restart, and what to do, with commands and links that there are", () => {
  for (const { alert } of alerts()) {
    const page = readFileSync(join(RUNBOOKS, `${alert}.md`), "utf8");
    assert.deepEqual(
      [...page.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading),
      [alert, "What is stuck", "Is it safe to restart", "What to do"],
    );
    // The commands in code blocks are parsed as those of every page are.
    assert.match(page, /^spillway /m, `${alert} has no command`);
    for (const [, link = ""] of page.matchAll(/\]\(([^)#]+)[^)]*\)/g)) readFileSync(join(RUNBOOKS, link));
    for (const [, metric = ""] of page.matchAll(/`(spillway_\w+)`/g))
      assert.ok(known.has(metric), `${alert}: ${metric}`);
    const options = OPTION_KEYS.map((key) => optionOf(key).flag);
    // Those of Kafka's own tools stand behind their names.
    const prose = page.replaceAll(/`kafka-\S+\.sh [^`]*`/g, "");
    for (const [flag] of prose.matchAll(/(?<=\s|`)--[a-z][a-z-]*/g)) {
      assert.ok(options.includes(flag as `--${string}`), `${alert}: there is no ${flag}`);
    }
  }
});

test("each rule asks for metrics and labels that there are", () => {
  for (const { alert, record, expr } of rules()) assert.deepEqual(unknownIn(expr), [], alert ?? record);
});

test("each query of the dashboard asks for metrics and labels that there are", () => {
  const queries = dashboardQueries();
  assert.ok(queries.length > 40);
  for (const query of queries) assert.deepEqual(unknownIn(query), [], query);
});

test("the check of queries finds what there is not", () => {
  assert.deepEqual(unknownIn("sum by (shop) (spillway_lag_messages{groop='x'})"), [
    "spillway_lag_messages has no label shop",
    "spillway_lag_messages has no label groop",
  ]);
  assert.deepEqual(unknownIn("rate(spillway_sink_write_seconds_bukket[5m])"), [
    "spillway_sink_write_seconds_bukket is no metric",
  ]);
  assert.deepEqual(unknownIn("spillway_sink_write_seconds_bucket{le='1'} + spillway_sink_write_seconds_sum{le='1'}"), [
    "spillway_sink_write_seconds_sum has no label le",
  ]);
  assert.throws(() => unknownIn("rate(spillway_lag_messages[5m)"), /not PromQL/);
  assert.throws(() => unknownIn('{__name__=~"spilway.*"}'), /no metric is like/);
});

test("each panel of the dashboard has a place of its own, and its legends name labels that there are", () => {
  const { panels, templating } = dashboard();
  const ids = panels.map(({ id }) => id);
  assert.deepEqual(ids, [...new Set(ids)]);
  const places = new Set<string>();
  for (const { title, type, gridPos, targets = [] } of panels) {
    assert.ok(type === "row" || targets.length > 0, title);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      assert.ok(x < 24 && !places.has(`${x}/${gridPos.y}`), `${title} lies on another`);
      places.add(`${x}/${gridPos.y}`);
    }
    for (const { expr, legendFormat } of targets) {
      const wanted = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = ""]) => label);
      for (const { metric } of selectorsOf(expr.replaceAll("$__rate_interval", "1m"), known.keys())) {
        const missing = wanted.filter((label) => known.get(metric)?.has(label) === false);
        assert.deepEqual(missing, [], `${title}: ${metric}`);
      }
    }
  }
  const group = templating.list.find(({ name }) => name === "group");
  assert.match(JSON.stringify(group?.query), /label_values\(spillway_lag_partitions, group\)/);
});
