import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Copies } from "../../../src/dead-letter/copies.ts";
import { deadLetter } from "../../../src/dead-letter/dead-letter.ts";
import { matcher } from "../../../src/dead-letter/filter.ts";
import {
  type Letter,
  originText,
  parsePlace,
  readLetter,
  redriven,
  sourceRecord,
} from "../../../src/dead-letter/letter.ts";
import { poisonLetters } from "../../../src/dead-letter/poison.ts";
import { Summary } from "../../../src/dead-letter/summary.ts";
import { letterText } from "../../../src/dead-letter/tables.ts";
import { letterView } from "../../../src/dead-letter/view.ts";
import { SpillwayError } from "../../../src/errors.ts";
import type { NewRecord } from "../../../src/record-batch/batch-builder.ts";
import { ORIGIN_HEADER, readOrigin } from "../../../src/record-batch/origin.ts";
import type { KafkaRecord } from "../../../src/record-batch/records.ts";

const TOPIC_ID = "AAAAAAAAAAAAAAAAAAAAAQ";
const LETTERS_ID = "AAAAAAAAAAAAAAAAAAAAAg";
const AT = Date.parse("2026-01-02T03:04:05.678Z");

const RECORD: KafkaRecord = {
  topic: "orders",
  partition: 3,
  offset: 42n,
  timestamp: 1_700_000_000_000n,
  key: Buffer.from("k"),
  value: Buffer.from('{"n":9007199254740993}'),
  headers: [{ key: "trace", value: Buffer.from([1]) }],
  origin: undefined,
};
const ORIGIN = { topicId: TOPIC_ID, partition: 3, offset: 42n };

/** As it lies in a topic. */
function lying(record: NewRecord, topic: string, offset: bigint): KafkaRecord {
  const headers = (record.headers ?? []).map(({ key, value }) => ({
    key,
    value: value === null ? null : Buffer.from(value),
  }));
  const origin = headers.findLast(({ key }) => key === ORIGIN_HEADER)?.value ?? undefined;
  return {
    ...{ topic, partition: 0, offset, timestamp: BigInt(record.timestamp), headers },
    key: record.key === null ? null : Buffer.from(record.key),
    value: record.value === null ? null : Buffer.from(record.value),
    origin: origin === undefined ? undefined : readOrigin(origin, 0),
  };
}

function letterOf(record: Partial<KafkaRecord> = {}, code = "invalid-json", at = AT, offset = 7n): Letter {
  const given = { ...RECORD, ...record };
  const origin = given.origin ?? { topicId: TOPIC_ID, partition: given.partition, offset: given.offset };
  const letter = deadLetter(given, origin, { code, message: `no ${code}` }, new Date(at));
  return readLetter(lying(letter, "orders.dead-letter", offset));
}

test("a letter says what deadLetter has written, and gives the record back as it lay", () => {
  const letter = letterOf();
  const { record, ...says } = letter;
  assert.deepEqual(says, {
    ...{ code: "invalid-json", message: "no invalid-json", attempts: 1, redrives: 0 },
    ...{ failedAt: AT, firstFailedAt: AT, batchPart: undefined, origin: ORIGIN },
    source: { topic: "orders", partition: 3, offset: 42n },
  });
  const { origin: _, headers, ...back } = sourceRecord(letter) as KafkaRecord;
  const { origin: _none, headers: own, ...before } = RECORD;
  assert.deepEqual(back, before);
  assert.deepEqual(headers.slice(0, 1), own);
  assert.equal(originText(letter), `${TOPIC_ID}-3-42`);
});

test("however often it fails and is redriven: bytes and origin stay, headers don't pile up, attempts count on", () => {
  const rounds = fc.array(fc.record({ attempts: fc.nat(5), hours: fc.integer({ min: 1, max: 5 }) }), { maxLength: 6 });
  fc.assert(
    fc.property(rounds, (given) => {
      let letter = letterOf();
      let at = AT;
      for (const { attempts, hours } of given) {
        at += hours * 3_600_000;
        const again = lying(redriven(letter, LETTERS_ID), "orders", 100n);
        assert.deepEqual([again.key, again.value, again.origin], [RECORD.key, RECORD.value, ORIGIN]);
        const failed = deadLetter(again, ORIGIN, { code: "again", message: "", attempts }, new Date(at));
        letter = readLetter(lying(failed, "orders.dead-letter", 8n));
      }
      const names = letter.record.headers.map(({ key }) => key);
      assert.deepEqual(names, [...new Set(names)]);
      assert.equal(letter.redrives, given.length);
      assert.equal(letter.attempts, 1 + given.reduce((sum, { attempts }) => sum + attempts, 0));
      assert.deepEqual([letter.firstFailedAt, letter.failedAt], [AT, at]);
    }),
  );
});

test("a letter of some other program is redriven with the origin of its place: the same however often", () => {
  const foreign = readLetter({ ...RECORD, topic: "foreign.dead-letter", headers: [] });
  assert.deepEqual(
    [foreign.code, foreign.source, foreign.failedAt, foreign.attempts],
    ["unknown", undefined, undefined, 1],
  );
  assert.equal(sourceRecord(foreign), undefined);
  const again = lying(redriven(foreign, LETTERS_ID), "orders", 0n);
  assert.deepEqual(again.origin, { topicId: LETTERS_ID, partition: 3, offset: 42n });
});

test("hostile headers are no numbers, times or places", () => {
  const headers = [
    ["spillway-attempts", "-1"],
    ["spillway-redrives", "1e9"],
    ["spillway-failed-at", "soon"],
    ["spillway-source", "orders:1"],
  ].map(([key = "", value = ""]) => ({ key, value: Buffer.from(value) }));
  const { attempts, redrives, failedAt, source } = readLetter({ ...RECORD, headers });
  assert.deepEqual([attempts, redrives, failedAt, source], [1, 0, undefined, undefined]);
  assert.deepEqual(parsePlace("a.b-c_d:0:12"), { topic: "a.b-c_d", partition: 0, offset: 12n });
  for (const text of ["", "a:b:1", "a:1:", ":1:2", "a:1:2:3", "a:-1:2"])
    assert.equal(parsePlace(text), undefined, text);
});

test("a filter takes what fits all of it", () => {
  const letter = letterOf({}, "broken");
  const fits = (filter: Parameters<typeof matcher>[0], topicId?: string) => matcher(filter, () => topicId)(letter);
  assert.ok(fits({}));
  assert.ok(fits({ error: "broken", key: Buffer.from("k"), since: AT, until: AT + 1 }));
  assert.ok(!fits({ error: "other" }));
  assert.ok(!fits({ key: Buffer.from("K") }));
  assert.ok(!fits({ since: AT + 1 }));
  assert.ok(!fits({ until: AT }));
  assert.ok(fits({ record: { topic: "orders.dead-letter", partition: 0, offset: 7n } }), "by its place");
  assert.ok(fits({ record: { topic: "orders", partition: 3, offset: 42n } }), "by where it was read");
  assert.ok(!fits({ record: { topic: "hot", partition: 3, offset: 42n } }));
  assert.ok(fits({ record: { topic: "hot", partition: 3, offset: 42n } }, TOPIC_ID), "by its origin");
  assert.ok(!fits({ record: { topic: "hot", partition: 3, offset: 43n } }, TOPIC_ID));
  assert.ok(!matcher({ since: 0 }, () => undefined)(readLetter(RECORD)), "what has no time is of none");
});

test("copies are told as long as they are near, and memory is bounded", () => {
  const copies = new Copies(3);
  assert.deepEqual(
    ["a", "b", "a", "c"].map((one) => copies.has(one)),
    [false, false, true, false],
  );
  assert.equal(copies.hasForgotten, false);
  assert.deepEqual(
    ["d", "b", "a"].map((one) => copies.has(one)),
    [false, true, false],
  );
  assert.equal(copies.hasForgotten, true);
});

test("a summary counts each record once, by error, key and hour", () => {
  const summary = new Summary();
  const error = new SpillwayError("BATCH_CORRUPT", "rotten");
  const poison = {
    topic: "orders",
    partition: 0,
    baseOffset: 0n,
    lastOffset: 9n,
    unreadFrom: 0n,
    bytes: Buffer.from("x"),
    error,
  };
  const [piece] = poisonLetters(poison, TOPIC_ID, new Date(AT));
  const letters = [
    letterOf({ offset: 1n }),
    letterOf({ offset: 1n }),
    letterOf({ offset: 2n, key: null }, "parked", AT + 3_600_000),
    letterOf({ offset: 3n, key: Buffer.from([0xff]) }),
    readLetter({ ...RECORD, headers: [] }),
    readLetter(lying(piece as NewRecord, "orders.dead-letter", 1n)),
  ];
  for (const letter of letters) summary.add(letter);
  assert.deepEqual(summary.report(2), {
    ...{ letters: 4, copies: 1, copiesMayCount: false, batchParts: 1, withoutTime: 1, keysAreExact: true },
    byError: [
      { name: "invalid-json", letters: 2 },
      { name: "parked", letters: 1 },
      { name: "unknown", letters: 1 },
    ],
    byKey: [
      { name: "k", letters: 2 },
      { name: "(no key)", letters: 1 },
    ],
    byTime: [
      { name: "2026-01-02T03:00:00.000Z", letters: 2 },
      { name: "2026-01-02T04:00:00.000Z", letters: 1 },
    ],
  });
});

test("a key more frequent than one in the bound is found, whatever else there is", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 200, size: "max" }), (keys) => {
      const bound = 5;
      const summary = new Summary(bound);
      for (const [i, key] of keys.entries()) {
        summary.add(letterOf({ offset: BigInt(i), key: Buffer.from(String(key)) }));
      }
      const { byKey, keysAreExact } = summary.report(bound);
      const counts = Map.groupBy(keys, (key) => String(key));
      for (const [key, { length }] of counts) {
        const found = byKey.find(({ name }) => name === key)?.letters;
        if (keysAreExact) assert.equal(found, length);
        if (length * (bound + 1) > keys.length) assert.ok(found !== undefined, `${key}: ${length} of ${keys.length}`);
        assert.ok((found ?? 0) <= length);
      }
    }),
    { numRuns: 50 },
  );
});

test("what is shown is what is there: large numbers, binary, and nothing a terminal would obey", () => {
  const view = letterView(letterOf());
  assert.deepEqual(view.value, { as: "json", text: '{"n":9007199254740993}' });
  assert.deepEqual(view.headers[0], { key: "trace", value: { as: "text", text: "\u0001" } });
  assert.match(letterText(view), /header {4}trace: \\x01\n/);
  const odd = letterView(letterOf({ key: Buffer.from([0xff, 0x1b]), value: null }));
  assert.deepEqual(
    [odd.key, odd.value],
    [
      { as: "hex", text: "ff1b" },
      { as: "null", text: "" },
    ],
  );
  const shown = letterText(letterView(letterOf({ value: Buffer.from("\u001b[2J{") })));
  assert.ok(!shown.includes("\u001b"));
  assert.match(shown, /\\x1b\[2J/);
});
