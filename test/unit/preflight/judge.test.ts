import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseRule } from "../../../src/config/rules.ts";
import type { Answer, Facts } from "../../../src/preflight/facts.ts";
import { judge } from "../../../src/preflight/judge.ts";
import { assertPassed, assertReady } from "../../../src/preflight/preflight.ts";
import { reportOf } from "../../../src/preflight/report.ts";
import { preflightTable } from "../../../src/preflight/report-table.ts";
import type { RelayOptions } from "../../../src/relay/options.ts";
import {
  FACTS,
  known,
  NOW,
  OPTIONS,
  partitions,
  SAMPLE,
  SETTINGS,
  TARGET,
  withSample,
  withSettings,
  withTarget,
} from "./facts-double.ts";

const HOUR = 3_600_000;
const UNKNOWN: Answer<never> = { kind: "unknown", why: "nobody says", isForbidden: false };

function codes(facts: Facts, options: Partial<RelayOptions> = {}): readonly string[] {
  return judge(facts, { ...OPTIONS, ...options })
    .filter(({ severity }) => severity !== "info")
    .map(({ code, severity }) => (severity === "error" ? code : code.toLowerCase()));
}

test("about facts that are fine there is nothing to warn of", () => {
  assert.deepEqual(codes(FACTS), []);
});

const source = (settings: object): Facts => ({ ...FACTS, sourceSettings: known({ ...SETTINGS, ...settings }) });
const [position] = FACTS.positions.kind === "known" ? FACTS.positions.value : [];
const at = (change: object): Facts => ({
  ...FACTS,
  positions: known([{ ...(position ?? assert.fail("no position")), ...change }]),
});
const room = (usableBytes: number): Facts => ({
  ...FACTS,
  logs: known(FACTS.logs.kind === "known" ? FACTS.logs.value.map((log) => ({ ...log, usableBytes })) : []),
});
const backfill = parseRule("header backfill -> wide/4") ?? assert.fail("no rule");
const route = { to: "wide", records: 1_000, bytes: 1, weight: 10_000 };

/** Errors in capitals, warnings in small letters. */
const CASES: readonly (readonly [string, Facts, Partial<RelayOptions>?])[] = [
  ["PARTITIONS_DIFFER", withTarget({ partitions: 5 })],
  ["broker_silent", { ...FACTS, brokers: [...FACTS.brokers, { nodeId: 2, lacks: UNKNOWN, transactionVersion: 0 }] }],
  ["BROKER_TOO_OLD", { ...FACTS, brokers: [{ nodeId: 1, lacks: known(["Fetch 13"]), transactionVersion: 2 }] }],
  ["TRANSACTION_TIMEOUT_TOO_LONG", FACTS, { transactionTimeoutMs: 900_001 }],
  ["NOT_ALLOWED", { ...FACTS, source: { ...FACTS.source, operations: 1 << 8 } }],
  ["NOT_ALLOWED", { ...FACTS, transactionalId: known(53) }],
  [
    "NOT_ALLOWED",
    { ...FACTS, group: { kind: "unknown", why: "no", isForbidden: true }, positions: UNKNOWN, sample: UNKNOWN },
  ],
  ["NOTHING_COMMITTED", FACTS, { group: { ...OPTIONS.group, offsetReset: "stop" } }],
  ["records_lost", at({ committed: 10n, begin: 10n, earliest: 20n }), {}],
  ["RECORDS_LOST", at({ committed: 10n, begin: 10n, earliest: 20n }), { fetch: { outOfRange: "stop" } }],
  ["committed_beyond_end", at({ committed: 6_000n, begin: 6_000n }), {}],
  ["source_retention", at({ begin: 20n, earliest: 20n }), {}],
  ["rules_can_split_keys", { ...FACTS, sample: known({ ...SAMPLE, routes: [route, route] }) }, { rules: [backfill] }],
  ["keys_split", withSample({ keys: { ...SAMPLE.keys, onSeveralRoutes: 1 } })],
  ["keys_in_several_partitions", withSample({ keys: { ...SAMPLE.keys, inSeveralPartitions: 1 } })],
  ["partitioner_differs", withSample({ keys: { ...SAMPLE.keys, misplaced: 10 } })],
  ["fewer_keys_than_partitions", withSample({}, { distinctKeys: 3 })],
  ["RECORD_TOO_LARGE", withSettings({ maxMessageBytes: 500 })],
  ["max_message_bytes_lower", withSettings({ maxMessageBytes: 1_000_000 })],
  ["batches_too_large", FACTS, { batchBytes: 2_000_000 }],
  ["timestamps_replaced", withSettings({ isLogAppendTime: true })],
  [
    "TIMESTAMPS_TOO_OLD",
    { ...withSettings({ beforeMaxMs: HOUR }), sample: withSample({}, { oldest: NOW - 2 * HOUR }).sample },
  ],
  ["timestamps_ahead", withSample({}, { newest: NOW + 2 * HOUR })],
  ["unreadable_batches", withSample({ unreadable: 1 })],
  ["source_compacts_keyless", { ...source({ isCompacted: true }), sample: withSample({ keylessWeight: 1 }).sample }],
  ["target_not_compacted", source({ isCompacted: true, isDeleting: false })],
  ["target_compacted", withSettings({ isCompacted: true })],
  [
    "COMPACTED_TARGET_KEYLESS",
    { ...withSettings({ isCompacted: true }), sample: withSample({}, { keylessRecords: 1 }).sample },
  ],
  [
    "retention_deletes_at_once",
    { ...withSettings({ retentionMs: HOUR }), sample: withSample({}, { oldest: NOW - 2 * HOUR }).sample },
  ],
  ["retention_short", withSettings({ retentionMs: 60_000 })],
  ["retention_shorter", withSettings({ retentionMs: HOUR })],
  ["retention_bytes_short", withSettings({ retentionBytes: 7e8 })],
  ["disk_short", room(3.5e9)],
  [
    "replication_lower",
    withTarget({
      found: { ...FACTS.source, topic: "wide", partitions: partitions(4, 2) },
      settings: known({ ...SETTINGS, minInSync: 1 }),
    }),
  ],
  ["min_isr_lower", withSettings({ minInSync: 1 })],
  ["no_broker_may_be_away", withSettings({ minInSync: 3 })],
  ["too_few_in_sync", withTarget({ found: { ...FACTS.source, topic: "wide", partitions: partitions(4, 3, 1) } })],
  ["unclean_election", withSettings({ isUnclean: true })],
  ["not_checked", { ...FACTS, brokerSettings: UNKNOWN }],
  ["not_checked", { ...FACTS, sample: UNKNOWN }],
];

/** What comes with it by nature. */
const COMPANIONS: ReadonlyMap<string, string> = new Map([
  ["records_lost", "source_retention"],
  ["replication_lower", "min_isr_lower"],
]);

for (const [code, facts, options] of CASES) {
  test(`${code} is found`, () => {
    const found = codes(facts, options);
    assert.ok(found.includes(code), `${code} is not in ${found.join()}`);
    const others = found.filter((other) => other !== code && other !== COMPANIONS.get(code.toLowerCase()));
    assert.deepEqual(others, []);
  });
}

test("a hot key is named with its share, and the fullest partition with what it gets", () => {
  const counted = [700, 100, 100, 100].map((records) => ({ records, weight: records * 10 }));
  const facts = withSample({}, { partitions: counted, hotKeys: [{ key: "hot", weight: 6_500 }] });
  const found = judge(facts, OPTIONS).find(({ code }) => code === "HOT_KEYS") ?? assert.fail("not found");
  assert.deepEqual(found.context, {
    ...{ topic: "wide", partition: 0, share: 0.7, even: 0.25, times: 2.8 },
    keys: [{ key: "hot", share: 0.65 }],
  });
});

test("what the second copy takes: backlog, growth by header and codec, and replicas", () => {
  const found = judge(FACTS, OPTIONS).find(({ code }) => code === "DISK_NEEDED") ?? assert.fail("not found");
  assert.equal(found.context["backlogBytes"], 2e9);
  assert.equal(found.context["replicatedBytes"], 2e9 * 1.5 * 3);
});

test("a target that is to be made is judged by what it would be made with", () => {
  const creation = known({ errorCode: 0, errorMessage: null, replicationFactor: 1 });
  const fresh = { found: undefined, errorCode: 3, creation };
  assert.deepEqual(codes(withTarget(fresh)), ["replication_lower"]);
  assert.deepEqual(codes(withTarget(fresh), { replicationFactor: 3 }), []);
  const refused = { ...fresh, creation: known({ errorCode: 38, errorMessage: "no", replicationFactor: -1 }) };
  assert.deepEqual(codes(withTarget(refused)), ["TARGET_REFUSED"]);
  const forbidden = { ...fresh, creation: known({ errorCode: 29, errorMessage: "no", replicationFactor: -1 }) };
  assert.deepEqual(codes(withTarget(forbidden)), ["NOT_ALLOWED"]);
});

test("whatever can't be found out, it is judged without it: no error follows from what isn't known", () => {
  const maybe = <T>(answer: Answer<T>) => fc.constantFrom<Answer<T>>(answer, UNKNOWN);
  const facts = fc.record({
    sourceSettings: maybe(FACTS.sourceSettings),
    positions: maybe(FACTS.positions),
    group: maybe(FACTS.group),
    transactionalId: maybe(FACTS.transactionalId),
    brokerSettings: maybe(FACTS.brokerSettings),
    logs: maybe(FACTS.logs),
    sample: maybe(FACTS.sample),
    settings: maybe(TARGET.settings),
  });
  fc.assert(
    fc.property(facts, ({ settings, ...answers }) => {
      const unknown = [settings, ...Object.values(answers)].filter(({ kind }) => kind === "unknown");
      const findings = judge({ ...withTarget({ settings }), ...answers }, OPTIONS);
      assert.ok(findings.every(({ severity }) => severity !== "error"));
      if (unknown.length > 0) assert.ok(findings.some(({ code }) => code === "NOT_CHECKED"));
      for (const { what, why, action } of findings) assert.ok([what, why, action].every((text) => text !== ""));
      // It is written as JSON.
      assert.doesNotThrow(() => JSON.stringify(findings));
    }),
  );
});

test("errors end it, warnings only if it is strict; a relay that starts ends with its own code", () => {
  const report = (facts: Facts) => reportOf(facts, judge(facts, OPTIONS), OPTIONS, 1);
  const [fine, warned, failed] = [FACTS, withSettings({ isUnclean: true }), withTarget({ partitions: 5 })].map(report);
  assert.ok(fine !== undefined && warned !== undefined && failed !== undefined);
  for (const check of [assertPassed, assertReady]) {
    check(fine, true);
    check(warned, false);
    assert.throws(() => check(warned, true), { code: "PREFLIGHT_FAILED" });
  }
  assert.throws(() => assertPassed(failed, false), { code: "PREFLIGHT_FAILED" });
  assert.throws(() => assertReady(failed, false), { code: "TOPIC_MISMATCH" });
});

test("the table says what, why and what to do, the worst first, and how large the sample is", () => {
  const facts = { ...withSettings({ isUnclean: true, maxMessageBytes: 500 }) };
  const table = preflightTable(reportOf(facts, judge(facts, OPTIONS), OPTIONS, 1.25));
  assert.match(table, /^Preflight of hot -> wide, 10,000 offsets \(2 GB\) to relay$/m);
  assert.match(
    table,
    /^A sample of what is to be relayed: 1,000 records \(100 kB, 500 keys\) from 8 windows of 2 partitions\.$/m,
  );
  assert.match(table, /^ERROR {6}RECORD_TOO_LARGE\n {11}wide has max\.message\.bytes 500/m);
  assert.match(table, /^WARNING {4}UNCLEAN_ELECTION\n/m);
  assert.ok(table.indexOf("ERROR ") < table.indexOf("WARNING ") && table.indexOf("WARNING ") < table.indexOf("INFO "));
  assert.match(table, /^IT CAN'T WORK LIKE THIS, 1 error and 1 warning: 1\.3 s\.$/m);
  assert.ok(table.split("\n").every((line) => line.length <= 120));
});
