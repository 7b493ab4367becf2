/**
 * The alert rules before Prometheus itself: promtool on the rules and on series that should make each alert fire, and a
 * server that scrapes a real sink and a real exporter of lag.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { parse } from "yaml";
import { z } from "zod";
import { runCommand } from "../../services/command.ts";
import { freePort } from "../../services/ports.ts";
import { type PrometheusPrograms, prometheusPrograms } from "../../services/prometheus/build.ts";
import { type Prometheus, startPrometheus } from "../../services/prometheus/prometheus.ts";
import { Reaper } from "../../services/reaper.ts";
import { Brokers } from "../../src/kafka/cluster.ts";
import { setOffsets } from "../../src/kafka/group-offsets.ts";
import { coordinated, kafkaOf, makeTopic, produceAll, startOf, testLog, until } from "../helpers/kafka.ts";
import { dashboardQueries, RULE_TESTS, RULES, rules, SCRAPE_CONFIG } from "../helpers/monitoring.ts";
import { QUICK_SESSION, SpillwayProcess } from "../helpers/process.ts";
import { type TestServices, testServices, uniqueName } from "../helpers/services.ts";

/** The first time Prometheus is built from its module. */
const START = { timeout: 25 * 60_000 };
const EACH = { timeout: 3 * 60_000 };
const FIRING_MS = 90_000;

const reaper = new Reaper();
const preparation = { reaper, log: (line: string) => process.stderr.write(`${line}\n`), signal: undefined };
let programs: PrometheusPrograms;

before(async () => {
  programs = await prometheusPrograms(preparation);
}, START);
after(() => reaper.close());

async function promtool(...args: string[]): Promise<{ readonly code: number; readonly output: string }> {
  const { code, stdout, stderr } = await runCommand(programs.promtool, args, { timeoutMs: 60_000, reaper });
  return { code, output: stdout + stderr };
}

describe("promtool", () => {
  it("accepts the rules and the configuration", async () => {
    for (const args of [
      ["check", "rules", "--lint-fatal", RULES],
      ["check", "config", SCRAPE_CONFIG],
    ]) {
      const { code, output } = await promtool(...args);
      assert.equal(code, 0, output);
    }
  });

  it("finds every alert as the rule tests expect it, each of them once at least", async () => {
    const { code, output } = await promtool("test", "rules", RULE_TESTS);
    assert.equal(code, 0, output);
    const alertTest = z.object({ alertname: z.string(), exp_alerts: z.array(z.unknown()) });
    const { tests } = z
      .object({ tests: z.array(z.object({ alert_rule_test: z.array(alertTest) })) })
      .parse(parse(readFileSync(RULE_TESTS, "utf8")));
    const cases = tests.flatMap((one) => one.alert_rule_test);
    const fired = new Set(cases.filter((one) => one.exp_alerts.length > 0).map(({ alertname }) => alertname));
    assert.deepEqual(fired, new Set(rules().flatMap(({ alert }) => alert ?? [])));
  });

  it("fails where a rule no longer does what its test expects", async () => {
    const text = readFileSync(RULES, "utf8");
    const broken = text.replace("(spillway_lag_messages)) > 1000", "(spillway_lag_messages)) > 2000");
    assert.notEqual(broken, text);
    writeFileSync(join(reaper.directory, "spillway.rules.yml"), broken);
    const tests = join(reaper.directory, "broken.test.yml");
    writeFileSync(tests, readFileSync(RULE_TESTS, "utf8"));
    const { code, output } = await promtool("test", "rules", tests);
    assert.notEqual(code, 0);
    assert.match(output, /HighConsumerLag/);
  });

  it("reads every query of the dashboard", async () => {
    const file = join(reaper.directory, "dashboard.rules.yml");
    const records = dashboardQueries().map((expr, i) => ({ record: `dashboard:query:${i}`, expr }));
    writeFileSync(file, JSON.stringify({ groups: [{ name: "dashboard", rules: records }] }));
    const { code, output } = await promtool("check", "rules", file);
    assert.equal(code, 0, output);
  });
});

const answerSchema = z.object({ status: z.literal("success"), data: z.unknown() });
const alertSchema = z.object({ labels: z.record(z.string(), z.string()), state: z.string() });
const vectorSchema = z.object({ result: z.array(z.object({ metric: z.record(z.string(), z.string()) })) });

describe("Prometheus, a sink and an exporter", () => {
  let services: TestServices;
  let prometheus: Prometheus;
  const topic = uniqueName("alerts");
  const group = uniqueName("alerts");
  const stack = new AsyncDisposableStack();

  before(async () => {
    services = await testServices();
    const kafka = kafkaOf(services.brokers);
    await makeTopic(kafka, { topic, partitions: 2 });
    const values = ["not JSON", ...Array.from({ length: 1_200 }, (_, i) => JSON.stringify({ i }))];
    const records = values.map((value, i) => ({ key: Buffer.from(`k${i}`), value: Buffer.from(value) }));
    const timestamp = Date.now();
    await produceAll(
      kafka,
      topic,
      records.map((record) => ({ ...record, timestamp })),
    );
    // As a reader that has begun, and stopped.
    await using connections = new Brokers(kafka, testLog);
    const starts = await startOf(kafka, topic);
    await coordinated(() => setOffsets(connections, group, starts, "empty"));
  }, START);

  after(async () => {
    await stack.disposeAsync();
    await prometheus?.process.kill("SIGTERM");
  }, EACH);

  const ask = async <T>(path: string, schema: z.ZodType<T>): Promise<T> => {
    const answer = await fetch(`${prometheus.url}/api/v1/${path}`, { signal: AbortSignal.timeout(10_000) });
    return schema.parse(answerSchema.parse(await answer.json()).data);
  };
  const firing = async (): Promise<readonly string[]> => {
    const { alerts } = await ask("alerts", z.object({ alerts: z.array(alertSchema) }));
    return alerts.filter(({ state }) => state === "firing").map(({ labels }) => labels["alertname"] ?? "");
  };
  const spillway = (command: string, port: number, args: readonly string[]) =>
    stack.use(
      new SpillwayProcess([command, "--listen", String(port), ...args], {
        SPILLWAY_BROKERS: services.brokers.join(),
        SPILLWAY_MONGO_URL: services.mongoUrl,
      }),
    );

  it("alerts fire on a backlog and on dead letters, and the backlog's ends with it", EACH, async () => {
    const [lagPort, sinkPort] = [await freePort(), await freePort()];
    prometheus = await startPrometheus(hurriedConfig({ lag: lagPort, sink: sinkPort }), preparation);
    const exporter = spillway("lag", lagPort, ["--group", group, "--interval", "500"]);
    await until(
      `HighConsumerLag fires: ${exporter.log}`,
      async () => (await firing()).includes("HighConsumerLag"),
      FIRING_MS,
    );
    const query = encodeURIComponent(`sum(spillway_lag_messages{group="${group}",topic="${topic}"}) == 1201`);
    await until("all is counted", async () => (await ask(`query?query=${query}`, vectorSchema)).result.length === 1);

    const route = ["--topic", topic, "--collection", "alerts", "--database", topic];
    const sink = spillway("sink", sinkPort, [...route, "--group", group, ...QUICK_SESSION]);
    await until(`DeadLetters fires: ${sink.log}`, async () => (await firing()).includes("DeadLetters"), FIRING_MS);
    await until("HighConsumerLag ends", async () => !(await firing()).includes("HighConsumerLag"), FIRING_MS);
    assert.ok(!(await firing()).includes("ConsumerStalled"));
    // Nothing here is about to be deleted. Rates take two scrapes, and something that happens between them.
    const expected = ['min by (group, topic) (spillway_lag_retention_seconds{group=~".*"})'];
    const kafka = kafkaOf(services.brokers);
    let silent: readonly string[] = [];
    await until("the dashboard shows all of it", async () => {
      await produceAll(kafka, topic, [{ key: Buffer.from("k"), value: Buffer.from("{}"), timestamp: Date.now() }]);
      silent = await silentOf(["spillway_lag", "spillway_sink", "spillway_ready", "nodejs_", "process_"]);
      return isDeepStrictEqual(silent, expected);
    }).catch((error: unknown) => assert.deepEqual(silent, expected, String(error)));

    await sink.crash();
    await until("SpillwayNotReady fires", async () => (await firing()).includes("SpillwayNotReady"), FIRING_MS);
    await exporter.stop();
  });

  /** Queries of the dashboard that ask for what runs here, and have no answer. */
  async function silentOf(prefixes: readonly string[]): Promise<readonly string[]> {
    const silent: string[] = [];
    for (const query of dashboardQueries()) {
      if (!prefixes.some((prefix) => query.includes(prefix)) || query.includes("spillway_relay")) continue;
      const { result } = await ask(`query?query=${encodeURIComponent(query)}`, vectorSchema);
      if (result.length === 0) silent.push(query);
    }
    return silent;
  }
});

/** The rules as they are but for how long they wait, and targets of this machine. */
function hurriedConfig(ports: { readonly lag: number; readonly sink: number }): string {
  const text = readFileSync(RULES, "utf8");
  const hurried = text.replaceAll(/^(\s+for): \d+m$/gm, "$1: 1s");
  assert.ok(!/for: \d+m/.test(hurried) && hurried !== text);
  const file = join(reaper.directory, "prometheus.yml");
  writeFileSync(join(dirname(file), "hurried.rules.yml"), hurried);
  const job = (name: keyof typeof ports) => ({
    job_name: `spillway-${name}`,
    static_configs: [{ targets: [`127.0.0.1:${ports[name]}`] }],
  });
  writeFileSync(
    file,
    JSON.stringify({
      global: { scrape_interval: "2s", scrape_timeout: "2s", evaluation_interval: "1s" },
      rule_files: ["hurried.rules.yml"],
      scrape_configs: [job("lag"), job("sink")],
    }),
  );
  return file;
}
