import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseRule } from "../../../src/config/rules.ts";
import { readBatches } from "../../../src/record-batch/batch.ts";
import { type NewRecord, stampBatch } from "../../../src/record-batch/batch-builder.ts";
import { partitionForKey } from "../../../src/record-batch/murmur2.ts";
import { RecordCursor } from "../../../src/record-batch/record-cursor.ts";
import { type KafkaRecord, readRecords } from "../../../src/record-batch/records.ts";
import {
  type Condition,
  canSplitKeys,
  keyReaderOf,
  matcherOf,
  type Rule,
  targetsOf,
} from "../../../src/relay/routing.ts";
import { Transcoder, type TranscoderInput } from "../../../src/relay/transcoder.ts";
import { batchOf, NO_PRODUCER } from "../../helpers/batches.ts";

const NOW = 1_700_000_000_000;
const TOPIC_ID = "zHaV0daIQvO8jLlQ5f0x4A";

/** Few different ones, so that conditions meet their like. */
const word = fc.constantFrom("", "a", "ab", "abc", "backfill", "ключ");
const bytes = fc.option(word.map((text) => Buffer.from(text)));
const record: fc.Arbitrary<NewRecord> = fc.record({
  key: bytes,
  value: fc.oneof(
    bytes,
    fc.constantFrom('{"a":{"b":"abc"}}', '{"a":{"b":7}}', '{"a":[]}').map((text) => Buffer.from(text)),
  ),
  timestamp: fc.integer({ min: NOW - 10_000, max: NOW }),
  headers: fc.array(fc.record({ key: word, value: bytes }, { noNullPrototype: true }), { maxLength: 4 }),
});
const condition: fc.Arbitrary<Condition> = fc.oneof(
  fc.record({
    kind: fc.constant("header" as const),
    name: word,
    match: fc.constantFrom("exists" as const, "equals" as const, "prefix" as const),
    value: word,
  }),
  fc.record({
    kind: fc.constant("key" as const),
    match: fc.constantFrom("equals" as const, "prefix" as const),
    value: word,
  }),
  fc.record({ kind: fc.constant("older-than" as const), ms: fc.nat({ max: 10_000 }) }),
  fc.constant<Condition>({ kind: "window", from: NOW - 5_000, to: NOW - 1_000 }),
  fc.constantFrom("abc", "7").map((value): Condition => ({ kind: "json", path: ["a", "b"], value })),
  fc.constant<Condition>({ kind: "always" }),
);

/** What a condition means, said on objects. */
function fits(when: Condition, { key, value, headers = [], timestamp }: NewRecord): boolean {
  const text = (one: Uint8Array | null) => (one === null ? undefined : Buffer.from(one).toString("latin1"));
  const wanted = "value" in when ? Buffer.from(when.value).toString("latin1") : "";
  const passes = (found: string | undefined, match: "equals" | "prefix") =>
    found !== undefined && (match === "equals" ? found === wanted : found.startsWith(wanted));
  switch (when.kind) {
    case "always":
      return true;
    case "header":
      return headers.some(
        (header) => header.key === when.name && (when.match === "exists" || passes(text(header.value), when.match)),
      );
    case "key":
      return passes(text(key), when.match);
    case "older-than":
      return NOW - timestamp > when.ms;
    case "window":
      return timestamp >= when.from && timestamp < when.to;
    case "json": {
      const json = value === null ? "" : Buffer.from(value).toString();
      return json.startsWith("{") && String((JSON.parse(json) as { a: { b?: unknown } }).a.b) === when.value;
    }
  }
}

function cursorAt(one: NewRecord) {
  const fetched = { topic: "hot", partition: 0, fetchOffset: 0n, batches: batchOf([one]), abortedTransactions: [] };
  const [batch] = [...readBatches(fetched)];
  assert.ok(batch !== undefined);
  const cursor = new RecordCursor();
  cursor.open(batch);
  assert.ok(cursor.next());
  return { cursor, batch };
}

test("a condition read off the bytes is true where it is true of the record", () => {
  fc.assert(
    fc.property(record, condition, (one, when) => {
      const { cursor, batch } = cursorAt(one);
      assert.equal(matcherOf(when)(cursor, batch, NOW), fits(when, one));
    }),
    { numRuns: 2_000 },
  );
});

test("each record goes to the first rule's topic that fits, with its key and order there, or is dropped and counted", () => {
  const to = fc.constantFrom<Rule["to"]>("drop", { topic: "x", partitions: 3 }, { topic: "y", partitions: 7 });
  const rule: fc.Arbitrary<Rule> = fc.record({ when: condition, to });
  fc.assert(
    fc.property(
      fc.array(record, { maxLength: 40, size: "max" }),
      fc.array(rule, { maxLength: 4 }),
      (records, rules) => {
        const times = records.map((one, i) => ({
          ...one,
          timestamp: Date.now() - 20_000 + i,
          headers: [...(one.headers ?? []), { key: "n", value: Buffer.from(String(i)) }],
        }));
        const { sent, dropped } = transcode(times, rules);
        const wanted = times.map(
          (one) =>
            rules.find(({ when }) => when.kind !== "window" && (when.kind === "older-than" || fits(when, one)))?.to ??
            MAIN,
        );
        assert.equal(dropped, wanted.filter((way) => way === "drop").length);
        for (const target of [MAIN, { topic: "x", partitions: 3 }, { topic: "y", partitions: 7 }]) {
          const numbers = (sent.get(target.topic) ?? []).map((got) => numberOf(got));
          const due = wanted.flatMap((way, i) => (way !== "drop" && way.topic === target.topic ? [i] : []));
          assert.deepEqual(
            numbers.toSorted((a, b) => a - b),
            due,
          );
          for (const [partition, ofPartition] of Map.groupBy(sent.get(target.topic) ?? [], (got) => got.partition)) {
            for (const { key } of ofPartition) {
              if (key !== null) assert.equal(partitionForKey(key, 0, key.length, target.partitions), partition);
            }
            const keyed = ofPartition.filter(({ key }) => key !== null).map(numberOf);
            assert.deepEqual(
              keyed,
              keyed.toSorted((a, b) => a - b),
            );
          }
        }
      },
    ),
  );
});

test("a new key comes from a header or a field; a record without it keeps its own; all else stays", () => {
  const rules: Rule[] = [
    { when: { kind: "key", match: "equals", value: "h" }, to: MAIN, key: { kind: "header", name: "id" } },
    { when: { kind: "always" }, to: MAIN, key: { kind: "json", path: ["user", "id"] } },
  ];
  const one = (key: string | null, value: string, id?: string): NewRecord => ({
    key: key === null ? null : Buffer.from(key),
    value: Buffer.from(value),
    timestamp: NOW,
    headers: id === undefined ? [] : [{ key: "id", value: Buffer.from(id) }],
  });
  const records = [
    one("h", "1", "new"),
    one("h", "2"),
    one("j", '{"user":{"id":42}}'),
    one(null, '{"user":{"id":"u"}}'),
    one("k", "no json"),
  ];
  const { sent } = transcode(records, rules);
  const got = new Map((sent.get(MAIN.topic) ?? []).map((record) => [String(record.value), record]));
  assert.deepEqual(
    records.map(({ value }) => String(got.get(String(value))?.key)),
    ["new", "h", "42", "u", "k"],
  );
  for (const { key, partition, timestamp, origin } of got.values()) {
    assert.equal(partitionForKey(key as Buffer, 0, (key as Buffer).length, MAIN.partitions), partition);
    assert.equal(timestamp, BigInt(NOW));
    assert.equal(origin?.partition, 2);
  }
  assert.deepEqual(got.get("1")?.headers[0], { key: "id", value: Buffer.from("new") });
  const reader = keyReaderOf({ kind: "header", name: "id" });
  assert.equal(reader(cursorAt({ ...one("x", ""), headers: [{ key: "id", value: null }] }).cursor), undefined);
});

test("rules are read as they are written", () => {
  const to = { topic: "prices.backfill", partitions: 200 };
  const all: readonly (readonly [string, Rule])[] = [
    [
      "header backfill -> prices.backfill/200",
      { when: { kind: "header", name: "backfill", match: "exists", value: "" }, to },
    ],
    ["header src = a,b -> drop", { when: { kind: "header", name: "src", match: "equals", value: "a,b" }, to: "drop" }],
    ["header src ^= back->drop", { when: { kind: "header", name: "src", match: "prefix", value: "back" }, to: "drop" }],
    ["key ^= test- -> drop", { when: { kind: "key", match: "prefix", value: "test-" }, to: "drop" }],
    ["older than 2h -> prices.backfill/200", { when: { kind: "older-than", ms: 7_200_000 }, to }],
    [
      "time 2026-01-01..2026-02-01 -> prices.backfill/200",
      { when: { kind: "window", from: Date.parse("2026-01-01"), to: Date.parse("2026-02-01") }, to },
    ],
    [
      "json a.b = x -> prices.backfill/200 keyed by json user.id",
      { when: { kind: "json", path: ["a", "b"], value: "x" }, to, key: { kind: "json", path: ["user", "id"] } },
    ],
    [
      "always -> prices.backfill/200 keyed by header id",
      { when: { kind: "always" }, to, key: { kind: "header", name: "id" } },
    ],
  ];
  for (const [text, rule] of all) assert.deepEqual(parseRule(text), rule, text);
  for (const wrong of [
    "",
    "always",
    "-> x/3",
    "key -> x/3",
    "always -> x",
    "always -> x/0",
    "json a -> x/1",
    "older than soon -> drop",
    "time 2026-02-01..2026-01-01 -> drop",
    "header = x -> drop",
    "always -> a/3 keyed by moon",
    "sometimes -> drop",
  ]) {
    assert.equal(parseRule(wrong), undefined, wrong);
  }
});

test("rules that look at more than the key are known to split keys; a topic has one number of partitions", () => {
  const rule = (text: string) => parseRule(text) ?? assert.fail(text);
  assert.deepEqual(
    ["header a -> x/1", "older than 1h -> drop", "json a = b -> x/1", "key = a -> x/1", "always -> x/1"].map((text) =>
      canSplitKeys(rule(text)),
    ),
    [true, true, true, false, false],
  );
  const options = { source: "hot", target: "wide", partitions: 24 };
  assert.deepEqual(
    targetsOf({ ...options, rules: [rule("key = a -> x/3"), rule("key = b -> wide/24"), rule("always -> drop")] }),
    [
      { topic: "wide", partitions: 24 },
      { topic: "x", partitions: 3 },
    ],
  );
  for (const wrong of ["key = a -> wide/3", "key = a -> hot/3"]) {
    assert.throws(() => targetsOf({ ...options, rules: [rule(wrong)] }), { code: "CONFIG_INVALID" });
  }
});

const MAIN = { topic: "wide", partitions: 5 };

function numberOf({ headers }: KafkaRecord): number {
  return Number(headers.find(({ key }) => key === "n")?.value);
}

/** What the transcoder makes of records, read back, by topic. */
function transcode(records: readonly NewRecord[], rules: readonly Rule[]) {
  const { topic: target, partitions } = MAIN;
  const transcoder = new Transcoder<TranscoderInput>({
    target,
    partitions,
    rules,
    batchBytes: 400,
    codec: "none",
    provenance: true,
  });
  const sent = new Map<string, KafkaRecord[]>();
  const take: Parameters<typeof transcoder.drain>[0] = ({ topic, partition, batch }) => {
    stampBatch(batch, NO_PRODUCER);
    const fetched = { topic, partition, fetchOffset: 0n, batches: Buffer.from(batch.bytes), abortedTransactions: [] };
    sent.set(topic, [...(sent.get(topic) ?? []), ...readRecords(fetched)]);
    transcoder.recycle(batch);
  };
  if (records.length > 0) {
    const fetched = {
      topic: "hot",
      topicId: TOPIC_ID,
      partition: 2,
      fetchOffset: 0n,
      batches: batchOf(records),
      abortedTransactions: [],
    };
    assert.equal(transcoder.add(fetched, { outputs: 0 }, take), records.length);
  }
  transcoder.drain(take);
  return { sent, dropped: transcoder.dropped };
}
