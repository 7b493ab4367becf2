import assert from "node:assert/strict";
import { test } from "node:test";
import type { KafkaRecord } from "../../../../src/record-batch/records.ts";
import { type MappedOperation, mapModel } from "../../../../src/sink/models/map.ts";
import type { DecodedRecord } from "../../../../src/sink/models/model.ts";

const RECORD: KafkaRecord = {
  ...{ topic: "orders", partition: 0, offset: 5n, timestamp: 0n, key: null, headers: [], origin: undefined },
  value: Buffer.from("{}"),
};
const DECODED: DecodedRecord = { record: RECORD, origin: { topicId: "T", partition: 0, offset: 5n }, value: {} };

function plan(map: () => readonly MappedOperation[]) {
  return mapModel(() => "route", map)(DECODED);
}

test("operations get ids of the origin, the route's collection where they name none, and their defaults", () => {
  const planned = plan(() => [
    { kind: "insert", document: { a: 1, _id: "ours counts" } },
    { kind: "insert", document: { a: 2 }, part: "line-2", collection: "lines" },
    { kind: "update", filter: { _id: 1 }, update: { $set: { a: 1 } } },
    { kind: "delete", filter: { _id: 2 }, collection: "lines" },
  ]);
  assert.deepEqual(planned, [
    { collection: "route", operation: { kind: "insert", id: "T-0-5", document: { a: 1, _id: "T-0-5" }, bytes: 2 } },
    {
      collection: "lines",
      operation: { kind: "insert", id: "T-0-5-line-2", document: { a: 2, _id: "T-0-5-line-2" }, bytes: 2 },
    },
    {
      collection: "route",
      operation: { kind: "update", filter: { _id: 1 }, update: { $set: { a: 1 } }, upsert: false, bytes: 2 },
    },
    { collection: "lines", operation: { kind: "delete", filter: { _id: 2 }, bytes: 2 } },
  ]);
});

test("nothing to do is an answer; what it throws is the record's fault", () => {
  assert.deepEqual(
    plan(() => []),
    [],
  );
  const failed = plan(() => {
    throw new RangeError("no such unit");
  });
  assert.deepEqual(failed, { kind: "rejected", reason: { code: "map-failed", message: "no such unit" } });
});
