/**
 * What can be checked of the manifests without a cluster: that Kubernetes' and KEDA's own schemas take them, that they say
 * what Spillway understands, and that Spillway, run as they say, does what they count on. Never run here: a cluster, the
 * image, KEDA.
 */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { parse, stringify } from "yaml";
import { z } from "zod";
import { runCommand } from "../../services/command.ts";
import { freePort } from "../../services/ports.ts";
import { Reaper } from "../../services/reaper.ts";
import { STOP_DEADLINE_MS as LAG_STOP_MS } from "../../src/cli/lag.ts";
import { LEAVING_MS as RELAY_LEAVING_MS } from "../../src/cli/relay.ts";
import { LEAVING_MS as SINK_LEAVING_MS } from "../../src/cli/sink.ts";
import { loadConfig } from "../../src/config/config.ts";
import type { ConfiguredCommand } from "../../src/config/option.ts";
import { fileVariable, OPTION_KEYS, type OptionKey, optionOf, type Values } from "../../src/config/option-table.ts";
import { kafkaOf, makeTopic, produceAll, until } from "../helpers/kafka.ts";
import { type Manifest, manifestsOf, type Workload, workloadsOf } from "../helpers/kubernetes/manifests.ts";
import { SCHEMA_FILES } from "../helpers/kubernetes/schemas.ts";
import { type KubernetesTools, kubernetesTools } from "../helpers/kubernetes/tools.ts";
import { QUICK_SESSION, SpillwayProcess } from "../helpers/process.ts";
import { testServices, uniqueName } from "../helpers/services.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const FOLDER = join(ROOT, "deploy/kubernetes");
const OVERLAYS = ["live", "backfill"] as const;
const RECORDS = 400;
const MINUTE = 60_000;
/** Between the last that Spillway may take and the kubelet's SIGKILL. */
const SPARE_MS = 5_000;

const reaper = new Reaper();
const texts = new Map<string, string>();
let tools: KubernetesTools;
let directory: string;

before(
  async () => {
    directory = await mkdtemp(join(tmpdir(), "spillway-kubernetes-test-"));
    tools = await kubernetesTools({ reaper, log: () => undefined, signal: undefined });
    for (const overlay of OVERLAYS) texts.set(overlay, await kustomized(overlay));
  },
  { timeout: 12 * MINUTE },
);

after(async () => {
  await reaper.close();
  if (directory !== undefined) await rm(directory, { recursive: true });
});

async function kustomized(overlay: string): Promise<string> {
  const args = ["build", resolve(FOLDER, overlay)];
  const { code, stdout, stderr } = await runCommand(tools.kustomize, args, { timeoutMs: MINUTE, reaper });
  assert.equal(code, 0, stderr);
  return stdout;
}

function textOf(overlay: string): string {
  return texts.get(overlay) ?? assert.fail(overlay);
}

/** Of all overlays. */
function everything(): readonly { readonly overlay: string; readonly manifests: readonly Manifest[] }[] {
  return OVERLAYS.map((overlay) => ({ overlay, manifests: manifestsOf(textOf(overlay)) }));
}

function named(manifests: readonly Manifest[], kind: string): Manifest {
  return manifests.find((one) => one.kind === kind) ?? assert.fail(`no ${kind}`);
}

function settingsOf(manifests: readonly Manifest[]): string {
  const { data } = z.looseObject({ data: z.record(z.string(), z.string()) }).parse(named(manifests, "ConfigMap"));
  assert.deepEqual(Object.keys(data), ["spillway.yaml"]);
  return data["spillway.yaml"] ?? "";
}

/** The settings that a container has, as Spillway reads them. What comes from a Secret is something. */
async function configOf({ container, pod }: Workload, manifests: readonly Manifest[]): Promise<Values> {
  const command = commandOf(container.args);
  const [{ mountPath } = assert.fail("nothing is mounted")] = container.volumeMounts;
  const mounted = z.array(z.object({ name: z.string(), configMap: z.object({ name: z.string() }) })).parse(pod.volumes);
  assert.deepEqual(mounted, [{ name: "settings", configMap: { name: named(manifests, "ConfigMap").metadata.name } }]);
  const file = join(directory, "spillway.yaml");
  await writeFile(file, settingsOf(manifests));
  const environment = Object.fromEntries(
    container.env.map(({ name, value }) => [
      name,
      value === `${mountPath}/spillway.yaml` ? file : (value ?? (name.endsWith("URL") ? "mongodb://h/" : "something")),
    ]),
  );
  const { values, warnings } = loadConfig({ command, environment, flags: flagsOf(container.args) });
  assert.deepEqual(warnings, []);
  return values;
}

function commandOf([command]: readonly string[]): "relay" | "sink" | "lag" {
  assert.ok(command === "relay" || command === "sink" || command === "lag", command);
  return command;
}

function flagsOf(args: readonly string[]): ReadonlyMap<OptionKey, unknown> {
  const [command, ...rest] = [commandOf(args), ...args.slice(1)];
  const flags = new Map<OptionKey, unknown>();
  for (let i = 0; i < rest.length; i += 2)
    flags.set(
      keyBy(command, ({ flag }) => flag === rest[i]),
      rest[i + 1],
    );
  return flags;
}

/** @throws AssertionError if the command has no such option */
function keyBy(command: ConfiguredCommand, isMeant: (option: ReturnType<typeof optionOf>) => boolean): OptionKey {
  const key = OPTION_KEYS.find((one) => isMeant(optionOf(one)) && optionOf(one).commands.includes(command));
  return key ?? assert.fail(`${command} has no such option: ${isMeant}`);
}

describe("the schemas", () => {
  const conform = async (text: string) => {
    const args = ["-strict", "-output", "json", "-summary", "-schema-location", join(tools.schemas, SCHEMA_FILES), "-"];
    const { stdout } = await runCommand(tools.kubeconform, args, { timeoutMs: MINUTE, reaper, stdin: text });
    const { resources, summary } = JSON.parse(stdout) as {
      readonly resources: readonly { readonly kind: string; readonly msg: string }[];
      readonly summary: Readonly<Record<"valid" | "invalid" | "errors" | "skipped", number>>;
    };
    return { resources, summary };
  };

  test("take all that the overlays make", async () => {
    for (const { overlay, manifests } of everything()) {
      const { resources, summary } = await conform(textOf(overlay));
      assert.deepEqual(resources, [], overlay);
      assert.deepEqual(summary, { valid: manifests.length, invalid: 0, errors: 0, skipped: 0 });
    }
  });

  test("refuse what is mistyped, of the wrong type, or of a kind that they don't know", async () => {
    const breakings = [
      ["Deployment", "terminationGracePeriodSeconds", "terminationGracePeriod"],
      ["Deployment", "drop:\n            - ALL", "drop: ALL"],
      ["Service", "targetPort: http", "targetPort: [http]"],
      ["ScaledObject", "pollingInterval", "polingInterval"],
      ["ScaledObject", "maxReplicaCount: 24", "maxReplicaCount: many"],
      ["PodDisruptionBudgets", "kind: PodDisruptionBudget\n", "kind: PodDisruptionBudgets\n"],
    ] as const;
    for (const [kind, right, wrong] of breakings) {
      const text = textOf("live");
      assert.ok(text.includes(right), right);
      const { resources } = await conform(text.replaceAll(right, wrong));
      assert.ok(resources.length > 0 && resources.every((one) => one.kind === kind), `${wrong} passed for ${right}`);
    }
  });
});

describe("each pod", () => {
  const eachPod = async (judge: (workload: Workload, manifests: readonly Manifest[]) => Promise<void> | void) => {
    let seen = 0;
    for (const { manifests } of everything()) {
      for (const workload of workloadsOf(manifests)) {
        await judge(workload, manifests);
        seen++;
      }
    }
    assert.equal(seen, 6, "a relay or a job, sinks, and who watches the lag");
  };

  test("keeps to Pod Security's restricted profile, writes to no disk, and has bounds", async () => {
    await eachPod(({ pod, container, name }) => {
      const { runAsNonRoot, runAsUser, seccompProfile } = pod.securityContext;
      assert.deepEqual([runAsNonRoot, seccompProfile], [true, { type: "RuntimeDefault" }], name);
      assert.ok(Number(runAsUser) > 0, "the image's user has a name only, which the kubelet can't tell from root");
      assert.deepEqual(container.securityContext, {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      });
      for (const key of ["hostNetwork", "hostPID", "hostIPC", "initContainers", "ephemeralContainers"]) {
        assert.ok(!(key in pod), key);
      }
      assert.ok(container.resources.requests["cpu"] && container.resources.limits["memory"]);
      assert.deepEqual([pod.automountServiceAccountToken, pod.enableServiceLinks], [false, false]);
    });
    for (const { manifests } of everything()) {
      const { metadata } = named(manifests, "Namespace");
      const { "pod-security.kubernetes.io/enforce": enforced } = z
        .record(z.string(), z.string())
        .parse(metadata["labels"]);
      assert.equal(enforced, "restricted");
      for (const { kind, metadata } of manifests)
        assert.equal(metadata.namespace, kind === "Namespace" ? undefined : "spillway");
    }
  });

  test("has a valid configuration, of flags, variables and settings that its command has", async () => {
    await eachPod(async (workload, manifests) => {
      const { args, env } = workload.container;
      const command = commandOf(args);
      for (const { name } of env) if (name !== "SPILLWAY_CONFIG") keyBy(command, (option) => option.env === name);
      const values = await configOf(workload, manifests);
      assert.equal(
        values["relay.until"] === undefined,
        workload.kind === "Deployment",
        "a job has an end, nobody else",
      );
    });
  });

  test("gets secrets by reference, and there is none in what is written down", async () => {
    await eachPod(({ container }, manifests) => {
      const secret = OPTION_KEYS.map(optionOf).filter((option) => option.secret !== undefined);
      for (const { name, value, valueFrom } of container.env) {
        const isSecret = secret.some((option) =>
          [option.env, fileVariable(option)].includes(name as typeof option.env),
        );
        if (isSecret || valueFrom !== undefined)
          assert.deepEqual([value, valueFrom?.secretKeyRef.name], [undefined, "spillway"], name);
      }
      assert.deepEqual(
        manifests.filter(({ kind }) => kind === "Secret"),
        [],
      );
      const written: Record<string, unknown> = parse(settingsOf(manifests));
      for (const key of OPTION_KEYS.filter((one) => optionOf(one).secret !== undefined)) {
        const found = key
          .split(".")
          .reduce<unknown>((node, part) => (node as Record<string, unknown>)?.[part], written);
        assert.equal(found, undefined, `${key} stands in the ConfigMap`);
      }
    });
  });

  test("is asked at the port and paths where it answers", async () => {
    await eachPod(async (workload, manifests) => {
      const { container, annotations } = workload;
      const listen = (await configOf(workload, manifests))["server.listen"];
      assert.deepEqual(container.ports, [{ name: "http", containerPort: listen?.port }]);
      assert.equal(listen?.host, "0.0.0.0", "the kubelet asks from outside of the pod");
      const { startupProbe, livenessProbe, readinessProbe } = container;
      for (const { httpGet } of [startupProbe, livenessProbe])
        assert.deepEqual(httpGet, { path: "/health/live", port: "http" });
      assert.deepEqual(readinessProbe.httpGet, { path: "/health/ready", port: "http" });
      assert.deepEqual(Object.values(annotations).sort(), ["/metrics", String(listen.port), "true"]);
    });
  });

  test("has time to find out that its brokers are away, and to finish what it holds", async () => {
    await eachPod(async (workload, manifests) => {
      const { container, pod } = workload;
      const values = await configOf(workload, manifests);
      const { periodSeconds, failureThreshold } = container.startupProbe;
      assert.ok(periodSeconds * failureThreshold * 1_000 > values["kafka.connectDeadlineMs"] + SPARE_MS);
      const stopMs = {
        relay: values["relay.drainDeadlineMs"] + RELAY_LEAVING_MS,
        sink: values["sink.drainDeadlineMs"] + SINK_LEAVING_MS,
        lag: LAG_STOP_MS,
      }[commandOf(container.args)];
      const neededMs = container.lifecycle.preStop.sleep.seconds * 1_000 + stopMs + SPARE_MS;
      assert.ok(pod.terminationGracePeriodSeconds * 1_000 >= neededMs, `${workload.name} needs ${neededMs} ms`);
    });
  });

  test("is the image that the project builds, and is found by its selectors", async () => {
    const { version } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
    const all = everything().flatMap(({ manifests }) => manifests);
    await eachPod(({ container, selector, labels, kind }) => {
      assert.equal(container.image, `spillway:${version}`);
      if (kind === "Deployment") assert.deepEqual(selector, labels);
    });
    const deployed = workloadsOf(all).filter(({ kind }) => kind === "Deployment");
    const selected = z.looseObject({
      selector: z.looseObject({ matchLabels: z.record(z.string(), z.string()).optional() }),
    });
    for (const { kind, metadata, spec } of all.filter(({ kind }) =>
      ["PodDisruptionBudget", "Service"].includes(kind),
    )) {
      const { selector } = selected.parse(spec);
      const ours = deployed.find(({ name }) => name === metadata.name);
      assert.deepEqual(selector.matchLabels ?? selector, ours?.labels, kind);
    }
  });
});

test("KEDA scales the sinks that there are, on the lag that they have, to no more than have partitions", async () => {
  for (const { manifests } of everything()) {
    const [sink = assert.fail("no sink")] = workloadsOf(manifests).filter(({ name }) => name === "spillway-sink");
    const values = await configOf(sink, manifests);
    const { scaleTargetRef, maxReplicaCount, triggers } = z
      .looseObject({
        scaleTargetRef: z.object({ name: z.string() }),
        maxReplicaCount: z.number(),
        triggers: z.array(
          z.object({
            type: z.literal("kafka"),
            metadata: z.record(z.string(), z.string()),
            authenticationRef: z.object({ name: z.string() }),
          }),
        ),
      })
      .parse(named(manifests, "ScaledObject")["spec"]);
    assert.equal(scaleTargetRef.name, sink.name);
    assert.equal(maxReplicaCount, values["relay.partitions"]);
    const [{ metadata, authenticationRef } = assert.fail("no trigger"), ...others] = triggers;
    assert.deepEqual(others, []);
    for (const key of Object.keys(metadata)) assert.ok(tools.triggerKeys.includes(key), `KEDA knows no ${key}`);
    assert.equal(metadata["bootstrapServers"], values["kafka.brokers"]?.join());
    assert.equal(metadata["consumerGroup"], values["sink.group"]);
    assert.deepEqual([metadata["topic"], values["relay.target"]], [values["sink.topic"], values["sink.topic"]]);
    assert.deepEqual(values["lag.groups"], [values["relay.group"], values["sink.group"]], "whose lag is watched");
    assert.equal(metadata["offsetResetPolicy"], values["consumer.offsetReset"]);
    assert.equal(metadata["tls"], values["kafka.ssl.enabled"] ? "enable" : "disable");
    assert.equal(metadata["sasl"], values["kafka.sasl.mechanism"]?.replace("scram-sha-", "scram_sha"));
    const { spec, metadata: authentication } = named(manifests, "TriggerAuthentication");
    assert.equal(authentication.name, authenticationRef.name);
    const ours = sink.container.env.flatMap(({ valueFrom }) =>
      valueFrom === undefined ? [] : [valueFrom.secretKeyRef],
    );
    const { secretTargetRef } = z.object({ secretTargetRef: z.array(z.record(z.string(), z.string())) }).parse(spec);
    for (const { name, key } of secretTargetRef)
      assert.ok(
        ours.some((one) => one.name === name && one.key === key),
        key,
      );
    assert.deepEqual(
      secretTargetRef.map(({ parameter }) => parameter),
      ["username", "password"],
    );
  }
});

test("a kustomization of one's own, as the README shows it, changes what it says and nothing else", async () => {
  const readme = await readFile(join(FOLDER, "README.md"), "utf8");
  const [own = "", withoutKeda = ""] = [...readme.matchAll(/^( *)```yaml\n([\s\S]*?)^ *```$/gm)].map(
    ([, indent = "", block = ""]) => block.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
  );
  const made = await mkdtemp(join(directory, "own-"));
  await writeFile(join(made, "spillway.yaml"), "sink: { topic: other }\n");
  const build = async (text: string): Promise<readonly Manifest[]> => {
    // Wherever the repository lies.
    const here = text.replace("../spillway/deploy/kubernetes", relative(made, FOLDER));
    await writeFile(join(made, "kustomization.yaml"), here);
    return manifestsOf(await kustomized(made));
  };
  const metrics = await readFile(join(ROOT, "docs/metrics.md"), "utf8");
  for (const [name] of readme.matchAll(/\bspillway_\w+/g)) assert.ok(metrics.includes(`\`${name}\``), name);
  const kinds = (manifests: readonly Manifest[]): readonly string[] => manifests.map(({ kind }) => kind).sort();
  const manifests = await build(own);
  assert.deepEqual(kinds(manifests), kinds(manifestsOf(textOf("live"))));
  for (const { container, pod } of workloadsOf(manifests)) {
    assert.equal(container.image, "images.example.com/spillway:0.1.0");
    assert.ok(JSON.stringify(pod.volumes).includes(named(manifests, "ConfigMap").metadata.name));
  }
  assert.equal(settingsOf(manifests), "sink: { topic: other }\n");
  const scaled = JSON.stringify(named(manifests, "ScaledObject")["spec"]);
  assert.match(scaled, /"maxReplicaCount":100\b.*"bootstrapServers":"kafka:9093"/);

  const { patches: _, ...rest } = parse(own) as Record<string, unknown>;
  const bare = await build(stringify({ ...rest, ...(parse(withoutKeda) as object) }));
  assert.deepEqual(
    kinds(bare),
    kinds(manifests).filter((kind) => kind !== "ScaledObject" && kind !== "TriggerAuthentication"),
  );
});

describe("run as the manifests say, with other addresses", () => {
  test("job, sink and lag answer their probes; a job that is stopped isn't done, and is when it is run again", {
    timeout: 4 * MINUTE,
  }, async () => {
    const { brokers, mongoUrl } = await testServices();
    const [hot, wide] = [uniqueName("kubernetes-hot"), uniqueName("kubernetes-wide")];
    const kafka = kafkaOf(brokers);
    await makeTopic(kafka, { topic: hot, partitions: 3 });
    const value = Buffer.from("{}");
    const records = Array.from({ length: RECORDS }, (_, i) => ({
      key: Buffer.from(`${i}`),
      value,
      timestamp: Date.now(),
    }));
    await produceAll(kafka, hot, records);
    const manifests = manifestsOf(textOf("backfill"));
    const settings: Record<string, Record<string, unknown>> = parse(settingsOf(manifests));

    /** What is elsewhere here is all that is changed. */
    const run = async (name: string, more: Readonly<Record<string, string>> = {}) => {
      const { container } = workloadsOf(manifests).find((one) => one.name === name) ?? assert.fail(name);
      const port = await freePort();
      const file = join(directory, `${name}-${port}.yaml`);
      const moved = {
        ...settings,
        kafka: { brokers },
        relay: { ...settings["relay"], source: hot, target: wide, group: hot },
        sink: { ...settings["sink"], topic: wide, group: wide },
        lag: { ...settings["lag"], groups: [hot, wide] },
        server: { listen: `127.0.0.1:${port}` },
      };
      await writeFile(file, stringify(moved));
      const given = name === "spillway-sink" ? { SPILLWAY_MONGO_URL: mongoUrl } : {};
      const env = { SPILLWAY_CONFIG: file, ...given, ...more };
      const isMember = name !== "spillway-lag";
      const spillway = new SpillwayProcess([...container.args, ...(isMember ? QUICK_SESSION : [])], env);
      const answers = async ({ path }: { readonly path: string }): Promise<boolean> =>
        (await fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined))?.status === 200;
      for (const { httpGet } of [container.startupProbe, container.readinessProbe]) {
        await until(`${name} answers ${httpGet.path}: ${spillway.log}`, () => answers(httpGet), MINUTE);
      }
      return spillway;
    };

    await using first = await run("spillway-backfill", { SPILLWAY_RELAY_RECORDS_PER_SECOND: "10" });
    first.kill("SIGTERM");
    assert.equal(await first.ended(MINUTE), 130, first.log);
    await using sink = await run("spillway-sink");
    await using second = await run("spillway-backfill", { SPILLWAY_RELAY_RECORDS_PER_SECOND: "200" });
    assert.equal(await second.ended(MINUTE), 0, second.log);
    await using lag = await run("spillway-lag");
    await Promise.all([sink.stop(), lag.stop()]);
  });
});
