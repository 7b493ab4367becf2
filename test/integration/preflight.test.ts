import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { parseRule } from "../../src/config/rules.ts";
import { Brokers } from "../../src/kafka/cluster.ts";
import { offsetsToCommit } from "../../src/kafka/committed-offsets.ts";
import { groupCommits } from "../../src/kafka/group-offsets.ts";
import { offsetCommit } from "../../src/kafka/protocol/messages.ts";
import type { Finding } from "../../src/preflight/finding.ts";
import { preflight, QUICK } from "../../src/preflight/preflight.ts";
import type { PreflightReport } from "../../src/preflight/report.ts";
import type { NewRecord } from "../../src/record-batch/batch-builder.ts";
import { RELAY_DEFAULTS, type RelayOptions } from "../../src/relay/options.ts";
import { runRelay } from "../../src/relay/relay.ts";
import type { Rule } from "../../src/relay/routing.ts";
import { newRelayStats } from "../../src/relay/stats.ts";
import { batchOf } from "../helpers/batches.ts";
import { groupOf, kafkaOf, makeTopic, produceAll, testLog, until } from "../helpers/kafka.ts";
import { testServices, uniqueName } from "../helpers/services.ts";
import { deleteRecordsBefore, sendBatches } from "../helpers/topics.ts";

const MAIN = resolve(import.meta.dirname, "../../src/cli/main.ts");
const { brokers } = await testServices();
const kafka = kafkaOf(brokers);
const HOUR = 3_600_000;

function relayOptions(source: string, target: string, options: Partial<RelayOptions> = {}): RelayOptions {
  return { kafka, ...RELAY_DEFAULTS, source, target, group: groupOf(`preflight-${target}`), ...options };
}

async function look(options: RelayOptions): Promise<PreflightReport> {
  return await preflight(options, { signal: AbortSignal.timeout(60_000), log: testLog });
}

function numbered(count: number, keys: number, age = 0): NewRecord[] {
  const timestamp = Date.now() - age;
  return Array.from({ length: count }, (_, i) => ({
    key: Buffer.from(`key-${(i * 7919) % keys}`),
    value: Buffer.from(JSON.stringify({ i, padding: "x".repeat(i % 200) })),
    timestamp,
  }));
}

async function hotTopic(records: readonly NewRecord[], config: Readonly<Record<string, string>> = {}): Promise<string> {
  const topic = uniqueName("preflight-hot");
  await makeTopic(kafka, { topic, partitions: 3, config });
  await produceAll(kafka, topic, records);
  return topic;
}

async function wideTopic(config: Readonly<Record<string, string>>, partitions = 4): Promise<string> {
  const topic = uniqueName("preflight-wide");
  await makeTopic(kafka, { topic, partitions, config });
  return topic;
}

function codes({ findings }: PreflightReport, severity?: Finding["severity"]): readonly string[] {
  return findings.filter((found) => severity === undefined || found.severity === severity).map(({ code }) => code);
}

function named(report: PreflightReport, code: string): Finding {
  return report.findings.find((found) => found.code === code) ?? assert.fail(`no ${code} in ${codes(report).join()}`);
}

async function relay(options: RelayOptions, records: number): Promise<void> {
  const stop = new AbortController();
  const stats = newRelayStats();
  const running = runRelay(options, { signal: stop.signal, log: testLog, stats });
  const failed = running.then(() => assert.fail("the relay stopped by itself"));
  await Promise.race([failed, until("relaying", () => stats.recordsWritten >= records)]).finally(() => stop.abort());
  await running;
}

function rule(text: string): Rule {
  return parseRule(text) ?? assert.fail(`no rule: ${text}`);
}

test("nothing stands against an ordinary relay, and nothing is made by looking", async () => {
  const hot = await hotTopic(numbered(3_000, 500));
  const wide = uniqueName("preflight-wide");
  const report = await look(relayOptions(hot, wide));
  assert.deepEqual([codes(report, "error"), codes(report, "warning")], [[], []]);
  const { sample, backlog } = report;
  assert.deepEqual(
    [sample?.of, sample?.records, sample?.partitions, sample?.windows, sample?.keys, sample?.isWhole],
    ["backlog", 3_000, 3, 8, 500, true],
  );
  assert.equal(backlog?.offsets, 3_000);
  assert.ok((backlog?.bytes ?? 0) > 3_000 * 100);
  for (const code of ["DISK_NEEDED", "NO_AUTHORIZER", "NOT_REPLICATED"]) named(report, code);
  const { growth, leastUsableBytes } = named(report, "DISK_NEEDED").context as Record<string, number>;
  assert.ok(Number(growth) > 1.1 && Number(growth) < 2, `growth ${growth}`);
  assert.ok(Number(leastUsableBytes) > 0);

  await using connections = new Brokers(kafka, testLog);
  assert.deepEqual(await connections.topics([wide]), []);
  assert.equal((await look(relayOptions(hot, wide))).sample?.records, 3_000);
});

test("a large backlog is sampled from all over it, within the bounds, and the shares come out right", async () => {
  const third = numbered(10_000, 2_000);
  const flood = third.map((record) => ({ ...record, headers: [{ key: "backfill", value: Buffer.from("1") }] }));
  const hot = await hotTopic([...third, ...flood, ...flood]);
  const wide = uniqueName("preflight-wide");
  const options = relayOptions(hot, wide, { rules: [rule(`header backfill -> ${wide}.backfill/50`)] });
  const report = await preflight(options, { signal: AbortSignal.timeout(60_000), log: testLog }, QUICK);
  const { sample } = report;
  assert.ok(sample !== undefined && sample.records > 1_000 && sample.records <= 4_012, `${sample?.records} records`);
  assert.equal(sample.isWhole, false);
  const { share } = named(report, "RULE_TAKES").context as { share: number };
  assert.ok(share > 0.5 && share < 0.8, `the flood is ${share}`);
  assert.ok(codes(report, "warning").includes("KEYS_SPLIT"));
});

test("what is relayed already is not sampled again; where nothing is left, the log is", async () => {
  const hot = await hotTopic(numbered(1_000, 100));
  const options = relayOptions(hot, uniqueName("preflight-wide"));
  await relay(options, 1_000);
  const after = await look(options);
  assert.deepEqual([after.sample?.of, after.sample?.records, after.backlog?.offsets], ["log", 1_000, 0]);
  await produceAll(kafka, hot, numbered(200, 100));
  const more = await look(options);
  assert.deepEqual([more.sample?.of, more.sample?.records, more.backlog?.offsets], ["backlog", 200, 200]);
  assert.deepEqual(codes(more, "error"), []);
});

test("rules: those that can split a key, keys that are split, what each takes, and those that take nothing", async () => {
  const records = numbered(2_000, 50).map((record, i) => ({
    ...record,
    headers: i < 600 ? [{ key: "backfill", value: Buffer.from("1") }] : [],
  }));
  const wide = uniqueName("preflight-wide");
  const rules = [
    "key = key-1 -> drop",
    `header backfill -> ${wide}.b/4`,
    "header bakfill -> drop",
    `always -> ${wide}/24 keyed by json i`,
  ];
  const report = await look(relayOptions(await hotTopic(records), wide, { rules: rules.map(rule) }));
  assert.deepEqual(named(report, "RULES_CAN_SPLIT_KEYS").context["rules"], [
    `header backfill -> ${wide}.b/4`,
    "header bakfill -> drop",
  ]);
  assert.equal(named(report, "KEYS_SPLIT").context["keys"], 49);
  const taken = report.findings.filter(({ code }) => code === "RULE_TAKES").map(({ context }) => context["records"]);
  assert.deepEqual(taken, [40, 588, 1_372]);
  assert.match(named(report, "RULE_TAKES_NOTHING").what, /header bakfill -> drop/);
  named(report, "RULE_GIVES_NEW_KEYS");
});

test("keys: none, hot ones, fewer than partitions; and what the fullest partition gets", async () => {
  const records = numbered(4_000, 1_000).map((record, i) => ({
    ...record,
    key: i % 4 === 0 ? null : i % 4 === 1 ? Buffer.from("hot") : record.key,
  }));
  const report = await look(relayOptions(await hotTopic(records), uniqueName("preflight-wide")));
  assert.equal(named(report, "KEYLESS_RECORDS").context["share"], 0.25);
  const { keys, share, even } = named(report, "HOT_KEYS").context as Record<string, unknown>;
  assert.deepEqual(keys, [{ key: "hot", share: 0.25 }]);
  assert.ok(Number(share) > 0.27 && Number(share) < 0.35, `${share}`);
  assert.equal(even, 1 / 24);

  const few = await look(relayOptions(await hotTopic(numbered(400, 3)), uniqueName("preflight-wide")));
  assert.equal(named(few, "FEWER_KEYS_THAN_PARTITIONS").context["keys"], 3);
});

test("a producer with librdkafka's partitioner is recognised; so are keys in several partitions", async () => {
  const hot = await hotTopic([]);
  await using connections = new Brokers(kafka, testLog);
  const records = numbered(900, 300);
  for (let partition = 0; partition < 3; partition++) {
    const own = records.filter(({ key }) => crc32(key ?? "") % 3 === partition);
    await sendBatches(connections, hot, partition, [batchOf(own)]);
  }
  const report = await look(relayOptions(hot, uniqueName("preflight-wide")));
  const { partitioner, share } = named(report, "PARTITIONER_DIFFERS").context;
  assert.equal(partitioner, "librdkafka's CRC-32");
  assert.ok(Number(share) > 0.5);
  assert.ok(!codes(report).includes("KEYS_IN_SEVERAL_PARTITIONS"));

  await produceAll(kafka, hot, records);
  const mixed = await look(relayOptions(hot, uniqueName("preflight-wide")));
  assert.ok(Number(named(mixed, "KEYS_IN_SEVERAL_PARTITIONS").context["keys"]) > 100);
});

test("what surely can't work is an error: each with the code that the relay ends with", async () => {
  const plain = await hotTopic(numbered(200, 20));
  const old = await hotTopic(numbered(200, 20, 48 * HOUR));
  const keyless = await hotTopic(numbered(200, 20).map((record) => ({ ...record, key: null })));
  const large = await hotTopic([{ key: Buffer.from("a"), value: Buffer.alloc(200_000, 1), timestamp: Date.now() }]);
  const cases: readonly (readonly [string, string, string, RelayOptions])[] = [
    ["PARTITIONS_DIFFER", "TOPIC_MISMATCH", "4", relayOptions(plain, await wideTopic({}), { partitions: 5 })],
    [
      "TIMESTAMPS_TOO_OLD",
      "PROTOCOL",
      "old",
      relayOptions(old, await wideTopic({ "message.timestamp.before.max.ms": String(HOUR) }), { partitions: 4 }),
    ],
    [
      "COMPACTED_TARGET_KEYLESS",
      "PROTOCOL",
      "compacted",
      relayOptions(keyless, await wideTopic({ "cleanup.policy": "compact" }), { partitions: 4 }),
    ],
    [
      "RECORD_TOO_LARGE",
      "RECORD_TOO_LARGE",
      "200,0",
      relayOptions(large, await wideTopic({ "max.message.bytes": "100000" }), { partitions: 4 }),
    ],
    ["TARGET_REFUSED", "CONFIG_INVALID", "replication", relayOptions(plain, uniqueName("w"), { replicationFactor: 7 })],
    [
      "TRANSACTION_TIMEOUT_TOO_LONG",
      "CONFIG_INVALID",
      "15 minutes",
      relayOptions(plain, uniqueName("w"), { transactionTimeoutMs: 1_000_000 }),
    ],
    [
      "NOTHING_COMMITTED",
      "OFFSET_OUT_OF_RANGE",
      "3 partitions",
      relayOptions(plain, uniqueName("w"), { group: groupOf(uniqueName("g"), { offsetReset: "stop" }) }),
    ],
  ];
  for (const [code, failure, text, options] of cases) {
    const report = await look(options);
    assert.deepEqual(codes(report, "error"), [code]);
    assert.equal(named(report, code).failure, failure);
    assert.ok(named(report, code).what.includes(text), named(report, code).what);
  }
});

test("an error is what the relay ends with, without the preflight too", async () => {
  const keyless = await hotTopic(numbered(50, 20).map((record) => ({ ...record, key: null })));
  const old = await hotTopic(numbered(50, 20, 48 * HOUR));
  const large = await hotTopic([{ key: Buffer.from("a"), value: Buffer.alloc(200_000, 1), timestamp: Date.now() }]);
  const cases: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
    [keyless, { "cleanup.policy": "compact" }],
    [old, { "message.timestamp.before.max.ms": String(HOUR) }],
    [large, { "max.message.bytes": "100000" }],
  ];
  for (const [hot, config] of cases) {
    const options = relayOptions(hot, await wideTopic(config), { partitions: 4 });
    const report = await look(options);
    const error = await runRelay(options, { signal: AbortSignal.timeout(60_000), log: testLog }).catch(
      (thrown) => thrown,
    );
    assert.ok(error instanceof Error && "code" in error, `${codes(report).join()}: ${error}`);
    assert.equal(error.code, report.findings[0]?.failure);
  }
});

test("what deserves a look is a warning", async () => {
  const plain = await hotTopic(numbered(200, 20));
  const old = await hotTopic(numbered(200, 20, 48 * HOUR));
  const compacted = await hotTopic(numbered(200, 20), { "cleanup.policy": "compact" });
  const cases: readonly (readonly [string, string, Readonly<Record<string, string>>])[] = [
    ["TIMESTAMPS_REPLACED", plain, { "message.timestamp.type": "LogAppendTime" }],
    ["RETENTION_DELETES_AT_ONCE", old, { "retention.ms": String(HOUR) }],
    ["RETENTION_SHORTER", plain, { "retention.ms": String(HOUR) }],
    ["RETENTION_BYTES_SHORT", plain, { "retention.bytes": "1000" }],
    ["TARGET_COMPACTED", plain, { "cleanup.policy": "compact" }],
    ["TARGET_NOT_COMPACTED", compacted, {}],
    ["MAX_MESSAGE_BYTES_LOWER", plain, { "max.message.bytes": "500000" }],
    ["UNCLEAN_ELECTION", plain, { "unclean.leader.election.enable": "true" }],
  ];
  for (const [code, hot, config] of cases) {
    const report = await look(relayOptions(hot, await wideTopic(config), { partitions: 4 }));
    assert.ok(codes(report, "warning").includes(code), `${code} is not in ${codes(report).join()}`);
    assert.deepEqual(codes(report, "error"), []);
  }
  const recompressed = await look(
    relayOptions(plain, await wideTopic({ "compression.type": "zstd" }), { partitions: 4 }),
  );
  named(recompressed, "RECOMPRESSED");
});

test("what the source deletes before it is relayed: about to go, gone, and offsets of an earlier topic", async () => {
  const hot = await hotTopic(numbered(900, 100, 30 * HOUR), { "retention.ms": String(31 * HOUR) });
  const options = relayOptions(hot, uniqueName("preflight-wide"));
  named(await look(options), "SOURCE_RETENTION");
  await relay(options, 900);
  await produceAll(kafka, hot, numbered(900, 100));
  await deleteRecordsBefore(kafka, hot, 0, 400n);
  const report = await look(options);
  assert.ok(Number(named(report, "RECORDS_LOST").context["offsets"]) > 50);
  assert.equal(named(report, "RECORDS_LOST").severity, "warning");
  const strict = await look({ ...options, fetch: { outOfRange: "stop" } });
  assert.equal(named(strict, "RECORDS_LOST").failure, "OFFSET_OUT_OF_RANGE");

  await commitForAnEarlierTopic(options, hot);
  assert.equal(named(await look(options), "OFFSETS_OF_EARLIER_TOPIC").failure, "TOPIC_RECREATED");
});

/** What a group holds where its offsets have outlived the topic: brokers delete them with it, but not always. */
async function commitForAnEarlierTopic({ group: { group } }: RelayOptions, topic: string): Promise<void> {
  await using connections = new Brokers(kafka, testLog);
  const { coordinator } = await groupCommits(connections, group, { topic, partitions: 3 }, false);
  const position = { topic, topicId: "zHaV0daIQvO8jLlQ5f0x4A", partition: 0, offset: 500n };
  const topics = offsetsToCommit([position]);
  const request = { groupId: group, generationIdOrMemberEpoch: -1, memberId: "", groupInstanceId: null, topics };
  const answer = await connections.request(offsetCommit, request, coordinator);
  assert.equal(answer.topics[0]?.partitions[0]?.errorCode, 0);
}

interface CliRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function spillway(...args: readonly string[]): Promise<CliRun> {
  const { PATH = "", HOME = "" } = process.env;
  const env = {
    PATH,
    HOME,
    SPILLWAY_BROKERS: brokers.join(),
    SPILLWAY_TEST_RUN: process.env["SPILLWAY_TEST_RUN"] ?? "",
  };
  return await new Promise((done) => {
    const child = execFile(process.execPath, [MAIN, ...args], { env, timeout: 60_000 }, (_, stdout, stderr) =>
      done({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

test("--dry-run prints what it found and keeps it as JSON; --strict ends on warnings; nothing is relayed", async () => {
  const directory = await mkdtemp(join(tmpdir(), "spillway-preflight-"));
  try {
    const file = join(directory, "report.json");
    const [hot, wide] = [await hotTopic(numbered(500, 50)), uniqueName("preflight-wide")];
    const args = ["relay", "--source", hot, "--target", wide, "--partitions", "8", "--dry-run", "--json", file];
    const fine = await spillway(...args);
    assert.equal(fine.code, 0, fine.stderr);
    assert.match(fine.stdout, /^All of what is to be relayed: 500 records .* from 8 windows of 3 partitions\.$/m);
    assert.match(fine.stdout, /^Nothing stands against it: \d/m);
    const report = JSON.parse(await readFile(file, "utf8")) as PreflightReport;
    assert.deepEqual([report.errors, report.warnings, report.sample?.records], [0, 0, 500]);

    const rules = ["--rule", "header backfill -> drop"];
    const warned = await spillway(...args, ...rules);
    assert.equal(warned.code, 0, warned.stderr);
    assert.match(warned.stdout, /^WARNING +RULES_CAN_SPLIT_KEYS$/m);
    const strict = await spillway(...args, ...rules, "--strict");
    assert.equal(strict.code, 16, strict.stderr);
    assert.match(strict.stderr, /^spillway: A rule looks at more than the key/m);
    const failed = await spillway(...args, "--replication-factor", "7");
    assert.equal(failed.code, 16, failed.stderr);
    assert.match(failed.stdout, /^ERROR +TARGET_REFUSED$/m);
    await using connections = new Brokers(kafka, testLog);
    assert.deepEqual(await connections.topics([wide]), []);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test("a relay looks first: warnings are logged, with --strict they end it, errors do with the relay's own code", async () => {
  const hot = await hotTopic(numbered(500, 50));
  const wide = await wideTopic({ "unclean.leader.election.enable": "true" });
  const args = ["relay", "--source", hot, "--target", wide, "--group", uniqueName("g"), "--until", "now"];
  const strict = await spillway(...args, "--partitions", "4", "--strict");
  assert.equal(strict.code, 16, strict.stderr);
  const wrong = await spillway(...args, "--partitions", "5");
  assert.equal(wrong.code, 6, wrong.stderr);
  const without = await spillway(...args, "--partitions", "5", "--no-preflight");
  assert.equal(without.code, 6, without.stderr);
  assert.doesNotMatch(without.stderr, /"msg":"preflight"/);
  const done = await spillway(...args, "--partitions", "4");
  assert.equal(done.code, 0, done.stderr);
  assert.match(done.stderr, /"level":"warn"[^\n]*"code":"UNCLEAN_ELECTION"[^\n]*"msg":"preflight"/);
});
