import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BSON } from "mongodb";
import { decodeJson } from "../../../../src/decode/json.ts";
import type { KafkaRecord } from "../../../../src/record-batch/records.ts";
import { parseCollectionName } from "../../../../src/sink/collection-name.ts";
import { insertModel } from "../../../../src/sink/models/insert.ts";
import { insertJsonModel } from "../../../../src/sink/models/insert-json.ts";
import type { PlannedOperation, Rejected } from "../../../../src/sink/operations.ts";
import { TOPIC_ID } from "../memory.ts";

type Planned = readonly PlannedOperation[] | Rejected;

const byKey = parseCollectionName("c-{key}");
const fromBytes = insertJsonModel(byKey);
const fromValue = insertModel(byKey, "value");
const origin = { topicId: TOPIC_ID, partition: 3, offset: 42n };

/** As the sink plans with a decoder of JSON. */
function usual(record: KafkaRecord): Planned {
  if (record.value === null) return fromValue({ record, origin, value: null });
  const decoded = decodeJson(record.value);
  if (decoded.kind === "value") return fromValue({ record, origin, value: decoded.value });
  return { kind: "rejected", reason: { code: decoded.reason, message: decoded.message } };
}

/** With documents as the database would show them. */
function shown(planned: Planned): unknown {
  if ("kind" in planned) return planned;
  return planned.map(({ collection, operation }) => {
    assert.ok(operation.kind === "insert" || operation.kind === "insert-bson");
    const { id, bytes } = operation;
    const bson = operation.kind === "insert" ? BSON.serialize(operation.document) : operation.bson;
    return { collection, id, bytes, document: BSON.deserialize(bson, { useBigInt64: true }) };
  });
}

/** The kind of the operation, which is the same in all but that to what the usual way plans. */
function planned(value: Buffer | null, key: Buffer | null = Buffer.from("k")): string {
  const record = { topic: "t", partition: 3, offset: 42n, timestamp: 0n, key, value, headers: [], origin: undefined };
  const made = fromBytes({ record, origin, value });
  assert.deepEqual(shown(made), shown(usual(record)), value?.toString());
  return "kind" in made ? made.kind : (made[0]?.operation.kind ?? "");
}

test("plain JSON becomes BSON from its bytes; all else what it becomes by the parser", () => {
  const json = (text: string) => planned(Buffer.from(text));
  assert.equal(json('{"a":1,"b":[{"c":null}]}'), "insert-bson");
  assert.equal(json('{"a":1e3}'), "insert");
  assert.equal(json('{"a":9007199254740993}'), "insert");
  assert.equal(json('{"a":1,"a":2}'), "insert");
  assert.equal(json(`{"a":"${"x".repeat(100_000)}"}`), "insert");
  for (const text of ["[1]", "1", "null", '{"_id":1}', "", "{", '{"a":1e999}', '{"a":"\\ud800"}']) {
    assert.equal(json(text), "rejected", text);
  }
  assert.equal(planned(Buffer.from([0xff])), "rejected");
  assert.equal(planned(null), "rejected");
  assert.equal(planned(Buffer.from("{}"), Buffer.from("$")), "rejected", "no collection can be called so");
  assert.equal(planned(Buffer.from("{}"), null), "rejected");
});

test("whatever the JSON, both ways plan the same", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.json(),
        fc.dictionary(fc.string(), fc.jsonValue()).map((it) => JSON.stringify(it)),
      ),
      (text) => {
        planned(Buffer.from(text));
      },
    ),
    { numRuns: 1_000 },
  );
});
