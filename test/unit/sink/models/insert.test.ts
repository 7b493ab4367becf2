import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BSON } from "mongodb";
import { decodeJson } from "../../../../src/decode/json.ts";
import type { Origin } from "../../../../src/record-batch/origin.ts";
import type { KafkaRecord } from "../../../../src/record-batch/records.ts";
import type { DocumentShape } from "../../../../src/sink/models/document.ts";
import { documentId, insertModel } from "../../../../src/sink/models/insert.ts";
import { originOf } from "../../../../src/sink/models/model.ts";
import type { Insert, Operation, Rejected } from "../../../../src/sink/operations.ts";
import { TOPIC_ID } from "../memory.ts";

const ORIGIN = { topicId: TOPIC_ID, partition: 3, offset: 42n };
const ID = `${TOPIC_ID}-3-42`;

function record(value: string | null, more: Partial<KafkaRecord> = {}): KafkaRecord {
  return {
    topic: "orders",
    partition: 3,
    offset: 42n,
    timestamp: 1_700_000_000_000n,
    key: Buffer.from("k"),
    value: value === null ? null : Buffer.from(value),
    headers: [],
    origin: undefined,
    ...more,
  };
}

/** The one operation of a record, as the sink would plan it. */
function toOperation(given: KafkaRecord, origin: Origin, shape: DocumentShape): (Insert & Operation) | Rejected {
  const decoded = given.value === null ? ({ kind: "value", value: null } as const) : decodeJson(given.value);
  assert.equal(decoded.kind, "value");
  const planned = insertModel(
    () => "c",
    shape,
  )({ record: given, origin, value: decoded.kind === "value" && decoded.value });
  if ("reason" in planned) return planned;
  assert.equal(planned.length, 1);
  return planned[0]?.operation as Insert & Operation;
}

test("the id is that of the first hop, so a replay collides and a topic made anew doesn't", () => {
  const elsewhere = { topicId: "BBBBBBBBBBBBBBBBBBBBBQ", partition: 0, offset: 7n };
  assert.equal(documentId(originOf(record("{}"), TOPIC_ID)), ID);
  assert.equal(documentId(originOf(record("{}", { origin: elsewhere }), TOPIC_ID)), "BBBBBBBBBBBBBBBBBBBBBQ-0-7");
  assert.notEqual(documentId(originOf(record("{}"), "CCCCCCCCCCCCCCCCCCCCCQ")), ID);
});

test("different origins have different ids", () => {
  const topicId = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((id) => Buffer.from(id).toString("base64url"));
  const origin = fc.record({ topicId, partition: fc.nat(), offset: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }) });
  fc.assert(
    fc.property(origin, origin, (a, b) => {
      const same = a.topicId === b.topicId && a.partition === b.partition && a.offset === b.offset;
      assert.equal(documentId(a) === documentId(b), same);
    }),
  );
});

test("shape value: the fields of the object, and the id", () => {
  const operation = toOperation(record('{"a":1,"b":{"c":[true,null]}}'), ORIGIN, "value");
  assert.deepEqual(operation, {
    kind: "insert",
    id: ID,
    document: { a: 1, b: { c: [true, null] }, _id: ID },
    bytes: 30,
  });
});

test("shape value: what can't be a document is rejected, with the way out", () => {
  const cases: [string | null, string][] = [
    [null, "no-value"],
    ["[1]", "not-an-object"],
    ["1", "not-an-object"],
    ["null", "not-an-object"],
    ['"text"', "not-an-object"],
    ['{"_id":1}', "has-own-id"],
    ['{"_id":null,"a":1}', "has-own-id"],
  ];
  for (const [value, code] of cases) {
    const rejected = toOperation(record(value), ORIGIN, "value");
    assert.equal(rejected.kind === "rejected" && rejected.reason.code, code, String(value));
    assert.match(rejected.kind === "rejected" ? rejected.reason.message : "", /envelope/);
  }
});

test("shape envelope holds all of these, with key, time and origin", () => {
  for (const value of ["[1]", "1", "null", '{"_id":1}', '{"$set":{"a.b":1}}']) {
    const operation = toOperation(record(value), ORIGIN, "envelope");
    assert.deepEqual(operation, {
      kind: "insert",
      id: ID,
      document: {
        _id: ID,
        key: "k",
        value: JSON.parse(value),
        timestamp: new Date(1_700_000_000_000),
        topic: "orders",
        origin: ORIGIN,
      },
      bytes: 1 + value.length,
    });
  }
});

test("shape envelope: tombstones, binary keys, times no date can hold", () => {
  const odd = { key: Buffer.from([0xff]), timestamp: 2n ** 62n };
  const operation = toOperation(record(null, odd), ORIGIN, "envelope");
  assert.equal(operation.kind, "insert");
  if (operation.kind !== "insert") return;
  const back = BSON.deserialize(BSON.serialize(operation.document), { useBigInt64: true, promoteBuffers: true });
  assert.deepEqual(back, {
    _id: ID,
    key: Buffer.from([0xff]),
    value: null,
    timestamp: 2n ** 62n,
    topic: "orders",
    origin: { topicId: TOPIC_ID, partition: 3, offset: 42n },
  });
  const none = toOperation(record(null, { key: null, timestamp: -1n }), ORIGIN, "envelope");
  assert.equal(none.kind === "insert" && none.document["timestamp"], null);
  assert.equal(none.kind === "insert" && none.document["key"], null);
});

test("__proto__ reaches BSON as it was sent, in either shape", () => {
  for (const shape of ["value", "envelope"] as const) {
    const operation = toOperation(record('{"__proto__":{"x":1},"constructor":2}'), ORIGIN, shape);
    assert.equal(operation.kind, "insert");
    if (operation.kind !== "insert") return;
    const back = BSON.deserialize(BSON.serialize(operation.document));
    const fields = (shape === "value" ? back : back["value"]) as Record<string, unknown>;
    assert.deepEqual(Object.getOwnPropertyDescriptor(fields, "__proto__")?.value, { x: 1 });
    assert.equal(fields["constructor"], 2);
    assert.equal(fields["x"], undefined);
  }
});
