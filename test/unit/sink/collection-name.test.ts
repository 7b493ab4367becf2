import assert from "node:assert/strict";
import { test } from "node:test";
import type { KafkaRecord } from "../../../src/record-batch/records.ts";
import { collectionByTopic, isConstantName, parseCollectionName } from "../../../src/sink/collection-name.ts";
import type { DecodedRecord } from "../../../src/sink/models/model.ts";

function decoded(value: unknown, key: Buffer | null = Buffer.from("btc"), topic = "prices"): DecodedRecord {
  const record: KafkaRecord = {
    ...{ topic, partition: 0, offset: 1n, timestamp: 0n, key, value: Buffer.from("x"), headers: [] },
    origin: undefined,
  };
  return { record, origin: { topicId: "A", partition: 0, offset: 1n }, value };
}

function nameOf(template: string, record: DecodedRecord): unknown {
  const name = parseCollectionName(template)(record);
  return typeof name === "string" ? name : name.reason.code;
}

test("a collection is named by itself, the topic, the key or a field", () => {
  const record = decoded({ symbol: "eth", at: { venue: 7, id: 2n ** 60n } });
  assert.equal(nameOf("prices", record), "prices");
  assert.equal(nameOf("{topic}", record), "prices");
  assert.equal(nameOf("p-{key}", record), "p-btc");
  assert.equal(nameOf("{value.symbol}.{value.at.venue}", record), "eth.7");
  assert.equal(nameOf("{value.at.id}", record), "1152921504606846976");
});

test("what names none, or one that can't be, is a data error of the record", () => {
  const cases: [string, DecodedRecord][] = [
    ["{key}", decoded({}, null)],
    ["{key}", decoded({}, Buffer.from([0xff]))],
    ["{key}", decoded({}, Buffer.alloc(0))],
    ["{key}", decoded({}, Buffer.from("a$b"))],
    ["{key}", decoded({}, Buffer.from("system.users"))],
    ["{key}", decoded({}, Buffer.from(".a"))],
    ["{key}", decoded({}, Buffer.from("x".repeat(200)))],
    ["{value.symbol}", decoded({})],
    ["{value.symbol}", decoded({ symbol: { a: 1 } })],
    ["{value.symbol}", decoded(null)],
    ["{value.toString}", decoded({})],
    ["{value.__proto__.x}", decoded({})],
  ];
  for (const [template, record] of cases) assert.equal(nameOf(template, record), "collection-name", template);
});

test("a placeholder that means nothing is a mistake of the configuration", () => {
  assert.throws(() => parseCollectionName("{name}"), { code: "CONFIG_INVALID" });
  assert.throws(() => parseCollectionName("a-{}"), { code: "CONFIG_INVALID" });
  assert.equal(isConstantName("prices"), true);
  assert.equal(isConstantName("{key}"), false);
});

test("by topic as the routes say, and none for another", () => {
  const collectionOf = collectionByTopic([
    { topic: "prices", collection: "p" },
    { topic: "trades", collection: "{topic}-{key}" },
  ]);
  assert.equal(collectionOf(decoded({})), "p");
  assert.equal(collectionOf(decoded({}, Buffer.from("eth"), "trades")), "trades-eth");
  assert.throws(() => collectionOf(decoded({}, null, "other")), { code: "CONFIG_INVALID" });
});
