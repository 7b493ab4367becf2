import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { freePort } from "../../services/ports.ts";
import { type Services, startServices } from "../../services/services.ts";
import type { KafkaOptions } from "../../src/kafka/options.ts";
import type { Finding } from "../../src/preflight/finding.ts";
import { preflight, QUICK } from "../../src/preflight/preflight.ts";
import type { PreflightReport } from "../../src/preflight/report.ts";
import type { NewRecord } from "../../src/record-batch/batch-builder.ts";
import { RELAY_DEFAULTS, type RelayOptions } from "../../src/relay/options.ts";
import { groupOf, kafkaOf, makeTopic, produceAll, testLog } from "../helpers/kafka.ts";
import { uniqueName } from "../helpers/services.ts";

const context = () => ({ signal: AbortSignal.timeout(60_000), log: testLog });

function errorsOf({ findings }: PreflightReport): readonly Finding[] {
  return findings.filter(({ severity }) => severity === "error");
}

function codesOf({ findings }: PreflightReport): readonly string[] {
  return findings.map(({ code }) => code);
}

function some(count: number): NewRecord[] {
  return Array.from({ length: count }, (_, i) => ({
    key: Buffer.from(`key-${i % 50}`),
    value: Buffer.from(`value ${i}`),
    timestamp: Date.now(),
  }));
}

describe("a user with few permissions", () => {
  let services: Services;
  let admin: KafkaOptions;
  let user: KafkaOptions;
  const [hot, wide, fresh, group] = [uniqueName("hot"), uniqueName("wide"), uniqueName("fresh"), uniqueName("group")];
  const options = (target: string): RelayOptions => ({
    ...{ kafka: user, ...RELAY_DEFAULTS, source: hot, target, partitions: 4, group: groupOf(group) },
  });

  before(async () => {
    const port = await freePort();
    const login = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_relay="relay-secret";';
    const config = {
      "listener.security.protocol.map": "CLIENT:PLAINTEXT,PROXIED:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
      "sasl.enabled.mechanisms": "PLAIN",
      "listener.name.proxied.plain.sasl.jaas.config": login,
      "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
      "super.users": "User:ANONYMOUS",
    };
    services = await startServices({ own: true, kafka: { config, proxied: [{ port, advertisedPort: port }] } });
    admin = kafkaOf(services.brokers);
    const sasl = { mechanism: "plain", username: "relay", password: "relay-secret" } as const;
    user = { ...kafkaOf([`127.0.0.1:${port}`]), sasl };
    await makeTopic(admin, { topic: hot, partitions: 2 });
    await makeTopic(admin, { topic: wide, partitions: 4 });
    await produceAll(admin, hot, some(100));
  });
  after(async () => await services?.stop());

  async function grant(...what: readonly string[]): Promise<void> {
    const args = ["--bootstrap-server", services.brokers.join(), "--add", "--allow-principal", "User:relay", ...what];
    const { code, stderr } = await services.kafka.runTool("org.apache.kafka.tools.AclCommand", args);
    assert.equal(code, 0, stderr);
  }

  test("is told what is missing, until nothing is", async () => {
    await assert.rejects(preflight(options(wide), context()), { code: "NOT_AUTHORIZED" });

    await grant("--operation", "DESCRIBE", "--topic", hot, "--topic", wide);
    const first = await preflight(options(wide), context());
    assert.deepEqual(
      errorsOf(first).map(({ context: { resource, operations } }) => [resource, operations]),
      [
        [`topic ${hot}`, ["READ"]],
        [`topic ${wide}`, ["WRITE"]],
        [`group ${group}`, ["READ"]],
        [`transactional id spillway-relay:${group}:${hot}-0`, ["WRITE"]],
      ],
    );
    assert.ok(errorsOf(first).every(({ failure }) => failure === "NOT_AUTHORIZED"));
    // The configuration, the brokers, their disks: nobody is told that these are fine.
    assert.ok(first.findings.filter(({ code }) => code === "NOT_CHECKED").length >= 3);

    await grant("--operation", "READ", "--topic", hot, "--group", group);
    await grant("--operation", "WRITE", "--topic", wide);
    await grant("--operation", "WRITE", "--transactional-id", "spillway-relay:", "--resource-pattern-type", "prefixed");
    const second = await preflight(options(wide), context());
    assert.deepEqual(errorsOf(second), []);
    assert.equal(second.sample?.records, 100);

    await grant("--operation", "DESCRIBE", "--topic", fresh);
    const made = errorsOf(await preflight(options(fresh), context()));
    assert.deepEqual(
      made.map(({ what }) => what),
      [`This user may not CREATE topic ${fresh}`],
    );

    await grant("--operation", "CREATE", "--topic", fresh);
    await grant("--operation", "DESCRIBE", "--operation", "DescribeConfigs", "--cluster");
    await grant("--operation", "DescribeConfigs", "--topic", hot, "--topic", wide, "--topic", fresh);
    const last = await preflight(options(fresh), context());
    assert.deepEqual(errorsOf(last), []);
    assert.ok(codesOf(last).includes("PERMISSIONS_SUFFICE"), codesOf(last).join());
    assert.ok(!codesOf(last).includes("NOT_CHECKED"), codesOf(last).join());
  });
});

describe("a cluster of three", () => {
  let services: Services;
  let kafka: KafkaOptions;
  before(async () => {
    services = await startServices({ own: true, kafka: { brokers: 3 } });
    kafka = kafkaOf(services.brokers);
  });
  after(async () => await services?.stop());

  test("a target that is kept less safely, or as safely as the brokers' defaults; and a broker that is frozen", async () => {
    const [hot, weak, rigid] = [uniqueName("hot"), uniqueName("weak"), uniqueName("rigid")];
    await makeTopic(kafka, { topic: hot, partitions: 3 });
    await makeTopic(kafka, {
      ...{ topic: weak, partitions: 4, replicationFactor: 2 },
      config: { "min.insync.replicas": "1" },
    });
    await makeTopic(kafka, { topic: rigid, partitions: 4, config: { "min.insync.replicas": "3" } });
    await produceAll(kafka, hot, some(300));
    const options = (target: string): RelayOptions => ({
      ...{ kafka, ...RELAY_DEFAULTS, source: hot, target, partitions: 4, group: groupOf(uniqueName("group")) },
    });
    const low = codesOf(await preflight(options(weak), context()));
    assert.ok(low.includes("REPLICATION_LOWER") && low.includes("MIN_ISR_LOWER"), low.join());
    assert.ok(codesOf(await preflight(options(rigid), context())).includes("NO_BROKER_MAY_BE_AWAY"));
    const fresh = await preflight(options(uniqueName("fresh")), context());
    assert.deepEqual([fresh.errors, fresh.warnings], [0, 0], codesOf(fresh).join());

    // Whom it asks first is left to chance otherwise, and how long it waits there is the connection's deadline.
    const alive = { ...options(weak), kafka: { ...kafka, brokers: kafka.brokers.slice(0, 1) } };
    services.kafka.freeze(2);
    try {
      const started = performance.now();
      const report = await preflight(alive, context(), QUICK);
      const took = performance.now() - started;
      assert.ok(codesOf(report).includes("BROKER_SILENT"), codesOf(report).join());
      assert.ok(took < 8_000, `it took ${took} ms`);
    } finally {
      services.kafka.thaw(2);
    }
  });
});
