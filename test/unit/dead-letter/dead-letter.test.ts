import assert from "node:assert/strict";
import { test } from "node:test";
import { DeadLetters, deadLetter } from "../../../src/dead-letter/dead-letter.ts";
import type { NewRecord } from "../../../src/record-batch/batch-builder.ts";
import { packOrigin, readOrigin } from "../../../src/record-batch/origin.ts";
import type { KafkaRecord } from "../../../src/record-batch/records.ts";

const ORIGIN = { topicId: "AAAAAAAAAAAAAAAAAAAAAQ", partition: 7, offset: 2n ** 40n };
const AT = new Date("2026-01-02T03:04:05.678Z");
const RECORD: KafkaRecord = {
  topic: "orders",
  partition: 3,
  offset: 42n,
  timestamp: 1_700_000_000_000n,
  key: Buffer.from([0xff, 0x00]),
  value: Buffer.from("{no json"),
  headers: [
    { key: "trace", value: Buffer.from([1, 2, 3]) },
    { key: "trace", value: null },
  ],
  origin: undefined,
};

function headers(record: NewRecord): [string, string | null][] {
  return (record.headers ?? []).map(({ key, value }) => [
    key,
    value === null ? null : Buffer.from(value).toString("latin1"),
  ]);
}

test("key, value, timestamp and headers are as they were; reason, time and origin stand behind them", () => {
  const letter = deadLetter(RECORD, ORIGIN, { code: "invalid-json", message: "no: é" }, AT);
  assert.equal(letter.key, RECORD.key);
  assert.equal(letter.value, RECORD.value);
  assert.equal(letter.timestamp, 1_700_000_000_000);
  assert.deepEqual(headers(letter), [
    ["trace", "\u0001\u0002\u0003"],
    ["trace", null],
    ["spillway-error-code", "invalid-json"],
    ["spillway-error-message", Buffer.from("no: é").toString("latin1")],
    ["spillway-failed-at", "2026-01-02T03:04:05.678Z"],
    ["spillway-first-failed-at", "2026-01-02T03:04:05.678Z"],
    ["spillway-attempts", "1"],
    ["spillway-source", "orders:3:42"],
    ["spillway-origin", packOrigin(ORIGIN).toString("latin1")],
  ]);
});

test("an origin that a record has already is kept, and stays the only one", () => {
  const earlier = { ...ORIGIN, offset: 5n };
  const header = { key: "spillway-origin", value: packOrigin(earlier) };
  const letter = deadLetter(
    { ...RECORD, headers: [header], origin: earlier },
    earlier,
    { code: "a", message: "b" },
    AT,
  );
  const origins = (letter.headers ?? []).filter(({ key }) => key === "spillway-origin");
  assert.equal(origins.length, 1);
  assert.deepEqual(readOrigin(Buffer.from(origins[0]?.value ?? []), 0), earlier);
});

test("a null key, a null value and a missing timestamp are no obstacle", () => {
  const letter = deadLetter(
    { ...RECORD, key: null, value: null, timestamp: -1n },
    ORIGIN,
    { code: "a", message: "" },
    AT,
  );
  assert.equal(letter.key, null);
  assert.equal(letter.value, null);
  assert.equal(letter.timestamp, AT.getTime());
});

test("a message is cut, so that the dead letter is hardly larger than the record", () => {
  const letter = deadLetter(RECORD, ORIGIN, { code: "a", message: "é".repeat(100_000) }, AT);
  const message = letter.headers?.find(({ key }) => key === "spillway-error-message")?.value;
  assert.equal(Buffer.from(message ?? []).toString("utf8"), "é".repeat(1_000));
});

test("it is sent to the topic's dead-letter topic, and done when that is acknowledged", async () => {
  const sent: string[] = [];
  const acknowledged = Promise.withResolvers<void>();
  const producer = {
    async send(topic: string) {
      sent.push(topic);
      await acknowledged.promise;
      return { partition: 1, offset: 2n };
    },
  };
  let done = false;
  const sending = new DeadLetters(producer).send(RECORD, ORIGIN, { code: "a", message: "b" }).then(() => {
    done = true;
  });
  await Promise.resolve();
  assert.deepEqual(sent, ["orders.dead-letter"]);
  assert.equal(done, false);
  acknowledged.resolve();
  await sending;
  assert.equal(new DeadLetters(producer, { suffix: "-dlq" }).topicFor("a"), "a-dlq");
});
