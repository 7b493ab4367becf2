/**
 * What can be checked of the compose file without a container engine. Never run here: the images themselves, their
 * health checks, the limits, and the Dockerfile's build.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { after, describe, test } from "node:test";
import { parse } from "yaml";
import { z } from "zod";
import { runCommand } from "../../services/command.ts";
import { kafkaJars } from "../../services/kafka/jars.ts";
import { jmxAgent } from "../../services/kafka/jmx-agent.ts";
import { freePort, isListening } from "../../services/ports.ts";
import { javaProgram } from "../../services/prerequisites.ts";
import { PROMETHEUS_VERSION } from "../../services/prometheus/build.ts";
import { Reaper } from "../../services/reaper.ts";
import { ServiceProcess } from "../../services/service-process.ts";
import { loadConfig } from "../../src/config/config.ts";
import type { ConfiguredCommand } from "../../src/config/option.ts";
import { consume, kafkaOf, makeTopic, produceAll, until } from "../helpers/kafka.ts";
import { dashboardQueries, SCRAPE_CONFIG } from "../helpers/monitoring.ts";
import { selectorsOf } from "../helpers/promql.ts";

const ROOT = resolve(import.meta.dirname, "../..");

const serviceSchema = z.looseObject({
  image: z.string(),
  command: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string()).optional(),
  ports: z.array(z.string()).optional(),
  container_name: z.string().optional(),
  restart: z.string().optional(),
  healthcheck: z.looseObject({}).optional(),
  networks: z.array(z.string()),
  volumes: z.array(z.string()).optional(),
  depends_on: z.record(z.string(), z.looseObject({ condition: z.string() })).optional(),
  deploy: z.looseObject({ resources: z.object({ limits: z.object({ cpus: z.string(), memory: z.string() }) }) }),
});

/** With defaults put in for ${NAME:-default}, as without any such variable. */
const text = readFileSync(join(ROOT, "docker-compose.yml"), "utf8").replaceAll(/\$\{\w+:-([^}]*)\}/g, "$1");
const raw: unknown = parse(text, { merge: true });
const { services } = z.object({ services: z.record(z.string(), serviceSchema) }).parse(raw);
const OURS = ["producer", "relay", "sink", "lag"] as const;
/** Between the image's name and what the JMX exporter's agent is told. */
const AGENT = /-javaagent:(\S+?)=(\d+):(\S+?);/;

function serviceOf(name: string): z.infer<typeof serviceSchema> {
  const service = services[name];
  assert.ok(service !== undefined, `no service ${name}`);
  return service;
}

test("the file keeps to the compose specification", async () => {
  // The schema as compose's own loader has it. Its $schema has an address that validators don't know: it is draft 7.
  await using reaper = new Reaper();
  const module = ["mod", "download", "-json", "github.com/compose-spec/compose-go/v2@v2.9.0"];
  const { code, stdout, stderr } = await runCommand("go", module, { timeoutMs: 120_000, reaper });
  assert.equal(code, 0, stderr);
  const { Dir: directory } = JSON.parse(stdout) as { readonly Dir: string };
  const { $schema: _, ...specification } = JSON.parse(
    readFileSync(join(directory, "schema/compose-spec.json"), "utf8"),
  );
  const schema = z.fromJSONSchema(specification, { defaultTarget: "draft-7" });
  assert.deepEqual(schema.safeParse(raw).error?.issues ?? [], []);

  const broken = { services: { ...services, sink: { ...services["sink"], imag: "x" } } };
  assert.ok(!schema.safeParse(broken).success, "the schema lets a mistyped key pass");
});

describe("each service", () => {
  for (const [name, service] of Object.entries(services)) {
    test(`${name}: pinned image, limits, restart policy, named network`, () => {
      assert.match(service.image, /:v?\d+\.\d+\.\d+(-[a-z\d-]+)?$/);
      assert.match(service.deploy.resources.limits.memory, /^\d+[MG]$/);
      assert.ok(Number(service.deploy.resources.limits.cpus) > 0);
      assert.ok(["unless-stopped", "on-failure"].includes(service.restart ?? ""));
      assert.deepEqual(service.networks, ["spillway"]);
      for (const port of service.ports ?? []) assert.match(port, /^127\.0\.0\.1:/, "published to everybody");
      for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
        assert.ok(condition !== "service_healthy" || serviceOf(other).healthcheck, `${other} has no health check`);
      }
      for (const [source = ""] of (service.volumes ?? []).map((volume) => volume.split(":"))) {
        assert.ok(!source.startsWith(".") || existsSync(join(ROOT, source)), `${source} isn't there`);
      }
    });
  }

  test("the sink can be scaled", () => {
    const { container_name, ports, environment = {} } = serviceOf("sink");
    assert.deepEqual([container_name, ports], [undefined, undefined]);
    assert.equal(environment["SPILLWAY_INSTANCE_ID"], undefined, "two members with one static id fence each other");
  });

  for (const name of OURS) {
    test(`${name}: its command line and environment are a valid configuration`, () => {
      const { command = [], environment = {} } = serviceOf(name);
      const { warnings } = loadConfig({
        command: command.at(-1) as ConfiguredCommand,
        environment,
        flags: new Map(),
      });
      assert.deepEqual(warnings, []);
    });
  }

  test("what one writes the next one reads", () => {
    const environment = Object.assign({}, ...OURS.map((name) => serviceOf(name).environment)) as Record<string, string>;
    assert.equal(environment["SPILLWAY_BACKFILL_TOPIC"], environment["SPILLWAY_RELAY_SOURCE"]);
    assert.equal(environment["SPILLWAY_SINK_ROUTES"]?.split("=")[0], environment["SPILLWAY_RELAY_TARGET"]);
    const groups = [`relay-${environment["SPILLWAY_RELAY_SOURCE"]}`, `sink-${environment["SPILLWAY_RELAY_TARGET"]}`];
    assert.equal(environment["SPILLWAY_LAG_GROUPS"], groups.map((group) => `spillway-${group}`).join());
  });

  test("Prometheus is the version that the alerts are tested with, and scrapes ports on which somebody answers", () => {
    assert.equal(serviceOf("prometheus").image, `prom/prometheus:v${PROMETHEUS_VERSION}`);
    const config = z.object({
      scrape_configs: z.array(
        z.object({
          job_name: z.string(),
          static_configs: z.array(z.object({ targets: z.array(z.string()) })).optional(),
          dns_sd_configs: z.array(z.object({ names: z.array(z.string()), port: z.number() })).optional(),
        }),
      ),
    });
    const { scrape_configs: jobs } = config.parse(parse(readFileSync(SCRAPE_CONFIG, "utf8")));
    const targets = jobs.flatMap(({ static_configs: given = [], dns_sd_configs: found = [] }) => [
      ...given.flatMap((one) => one.targets),
      ...found.flatMap(({ names, port }) => names.map((name) => `${name}:${port}`)),
    ]);
    const [, , port = ""] = AGENT.exec(serviceOf("kafka").command?.at(-1) ?? "") ?? [];
    const answering = OURS.map((name) => [name, serviceOf(name).environment?.["SPILLWAY_LISTEN"]] as const)
      .filter(([, listen]) => listen !== undefined)
      .map(([name, listen]) => listen?.replace("0.0.0.0", name));
    assert.deepEqual(targets.toSorted(), [...answering, `kafka:${port}`].toSorted());
  });

  test("Grafana finds its dashboard and its source of data where they are mounted", () => {
    const mounted = (path: string): string => {
      const volumes = (serviceOf("grafana").volumes ?? []).map((volume) => volume.split(":"));
      const [from = "", to = ""] = volumes.find(([, target = ""]) => path.startsWith(target)) ?? [];
      return readFileSync(join(ROOT, from, path.slice(to.length)), "utf8");
    };
    const provisioning = "/etc/grafana/provisioning";
    const provider = z.object({ providers: z.array(z.object({ options: z.object({ path: z.string() }) })) });
    const { providers } = provider.parse(parse(mounted(`${provisioning}/dashboards/spillway.yml`)));
    const home = serviceOf("grafana").environment?.["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"];
    assert.equal(home, `${providers[0]?.options.path}/spillway.json`);
    JSON.parse(mounted(home));
    assert.match(mounted(`${provisioning}/datasources/prometheus.yml`), /url: http:\/\/prometheus:9090$/m);
  });
});

test("the Dockerfile builds on the Node.js that is developed with, copies what is there, and isn't root in the end", () => {
  const dockerfile = readFileSync(join(ROOT, "Dockerfile"), "utf8");
  const { devDependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  assert.match(dockerfile, new RegExp(`^FROM node:${devDependencies.node}-\\S+-slim AS base$`, "m"));
  assert.doesNotMatch(dockerfile, /latest/);
  for (const [, sources = ""] of dockerfile.matchAll(/^COPY (?!--from)(.*) \S+$/gm)) {
    for (const source of sources.split(" ")) {
      assert.ok(existsSync(join(ROOT, source)), `${source} isn't there`);
      assert.match(readFileSync(join(ROOT, ".dockerignore"), "utf8"), new RegExp(`^!${source}$`, "m"));
    }
  }
  const user = dockerfile.lastIndexOf("\nUSER node\n");
  assert.ok(user > dockerfile.lastIndexOf("\nFROM "), "the last stage runs as root");
});

describe("the broker's environment", () => {
  const reaper = new Reaper();
  after(() => reaper.close());

  test("makes the image's own set-up program write properties with which a broker starts and serves", async () => {
    const jars = process.env["SPILLWAY_TEST_JARS"] ?? (await kafkaJars({ reaper, log: () => {}, signal: undefined }));
    const external = await freePort();
    const ports = new Map([
      ["9092", await freePort()],
      ["9093", await freePort()],
      ["9094", external],
    ]);
    // Addresses are all that is changed: this machine and free ports of it for the containers' names and ports.
    const moved = (value: string): string =>
      value
        .replaceAll(/\b909[234]\b/g, (port) => String(ports.get(port)))
        .replaceAll(/\bkafka:/g, "localhost:")
        .replaceAll("://:", "://127.0.0.1:");
    const { environment = {} } = serviceOf("kafka");
    const [, , , agentConfig = ""] = AGENT.exec(serviceOf("kafka").command?.at(-1) ?? "") ?? [];
    const mount = serviceOf("kafka").volumes?.find((volume) => volume.split(":")[1] === agentConfig) ?? "";
    const jmxPort = await freePort();
    const env = {
      ...Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, moved(value)])),
      KAFKA_LOG_DIRS: join(reaper.directory, "data"),
      KAFKA_OPTS: `-javaagent:${await agentOfCompose()}=127.0.0.1:${jmxPort}:${join(ROOT, mount.split(":")[0] ?? "")}`,
    };

    const [defaults = "", mounted = "", final = ""] = ["default", "mounted", "final"].map((name) => {
      const folder = join(reaper.directory, name);
      mkdirSync(folder);
      return folder;
    });
    const folders = ["--default-configs-dir", defaults, "--mounted-configs-dir", mounted, "--final-configs-dir", final];
    const java = ["-Xmx384m", "-cp", join(jars, "*")];
    const setUp = () =>
      runCommand(javaProgram(), [...java, "kafka.docker.KafkaDockerWrapper", "setup", ...folders], {
        timeoutMs: 60_000,
        reaper,
        env,
      });
    const first = await setUp();
    assert.equal(first.code, 0, first.stdout + first.stderr);
    const properties = readFileSync(join(final, "server.properties"), "utf8");
    assert.match(properties, /^process\.roles=broker,controller$/m);
    assert.match(properties, /^auto\.create\.topics\.enable=false$/m);
    assert.doesNotMatch(properties, /heap|opts/);
    // The image's start script takes these words to mean that the container was started before.
    const second = await setUp();
    assert.match(second.stdout + second.stderr, /already formatted/i);

    const broker = new ServiceProcess(
      {
        name: "The compose file's broker",
        command: javaProgram(),
        args: [env.KAFKA_OPTS, ...java, "kafka.Kafka", join(final, "server.properties")],
        env,
        logFile: join(reaper.directory, "kafka.log"),
        startTimeoutMs: 60_000,
        stopTimeoutMs: 20_000,
        isReady: () => isListening(external),
      },
      reaper,
    );
    await broker.start();
    const kafka = kafkaOf([`localhost:${external}`]);
    await makeTopic(kafka, { topic: "hot", partitions: 3 });
    const records = [{ key: null, value: Buffer.from("{}"), timestamp: Date.now() }];
    assert.equal((await produceAll(kafka, "hot", records)).length, 1);
    await consume(kafka, "hot", 1);
    await until("the dashboard's metrics of brokers", async () => (await unshown(jmxPort)).length === 0).catch(
      async () => assert.deepEqual(await unshown(jmxPort), []),
    );
    await broker.kill("SIGTERM");
  });

  async function agentOfCompose(): Promise<string> {
    const [program, ...args] = serviceOf("jmx-agent").command ?? [];
    assert.equal(program, "mvn");
    const [mounted = ""] = AGENT.exec(serviceOf("kafka").command?.at(-1) ?? "")?.slice(1) ?? [];
    const jar = await jmxAgent(
      args.filter((arg) => !arg.startsWith("-DoutputDirectory=")),
      { reaper, log: () => {}, signal: undefined },
    );
    assert.equal(
      `${args.at(-1)?.split("=")[1]}/${basename(jar)}`,
      mounted,
      "the agent is fetched to where it is looked for",
    );
    return jar;
  }
});

/** What queries of the dashboard ask of brokers, and the agent doesn't show: a metric, or a label of one. */
async function unshown(port: number): Promise<string[]> {
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`, { signal: AbortSignal.timeout(10_000) });
  const series = (await answer.text()).split("\n").filter((line) => line.startsWith("kafka_"));
  const wanted = dashboardQueries().flatMap((query) => selectorsOf(query, []));
  return wanted
    .filter(({ metric }) => metric.startsWith("kafka_"))
    .flatMap(({ metric, labels }) => {
      const shown = series.filter((line) => line.startsWith(`${metric} `) || line.startsWith(`${metric}{`));
      const missing = [...labels].filter((label) => !shown.every((line) => line.includes(`${label}="`)));
      return shown.length === 0 ? [metric] : missing.map((label) => `${metric}: ${label}`);
    });
}
