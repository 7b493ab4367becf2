import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { KafkaRecord } from "../../../../src/record-batch/records.ts";
import { parseFieldPath } from "../../../../src/sink/field-path.ts";
import type { DocumentShape } from "../../../../src/sink/models/document.ts";
import { latestModel } from "../../../../src/sink/models/latest.ts";
import { isNewer, type Latest, type Version, type VersionOrder } from "../../../../src/sink/operations.ts";

const ORIGIN = { topicId: "T", partition: 3, offset: 42n };
const VERSION = { source: "T-3", order: 42n };

function plan(value: unknown, options: { key?: Buffer | null; shape?: DocumentShape; field?: string } = {}) {
  const { key = Buffer.from("k"), shape = "value", field } = options;
  const record: KafkaRecord = {
    ...{ topic: "orders", partition: 9, offset: 1n, timestamp: 1_700_000_000_000n, key, headers: [], origin: ORIGIN },
    value: value === null ? null : Buffer.from("…"),
  };
  const model = latestModel(() => "c", shape, field === undefined ? undefined : parseFieldPath(field));
  const planned = model({ record, origin: ORIGIN, value });
  if ("reason" in planned) return planned.reason.code;
  assert.equal(planned.length, 1);
  assert.equal(planned[0]?.collection, "c");
  return planned[0]?.operation as Latest;
}

test("the document of a key has its version in it, by the origin and not by where it was read", () => {
  const operation = plan({ price: 1 });
  assert.deepEqual(operation, {
    kind: "latest",
    id: "k",
    document: { _id: "k", price: 1, _spillway: VERSION },
    version: VERSION,
    bytes: 4,
  });
});

test("a tombstone leaves nothing but its version", () => {
  for (const shape of ["value", "envelope"] as const) {
    const operation = plan(null, { shape });
    assert.ok(typeof operation === "object");
    assert.deepEqual(operation.document, { _id: "k", _spillway: { ...VERSION, deleted: true } });
  }
});

test("a field of the value can be the version", () => {
  for (const order of [7, 2n ** 60n, "2026-01-01T00:00:00Z"]) {
    const operation = plan({ at: { version: order } }, { field: "at.version" });
    assert.ok(typeof operation === "object");
    assert.deepEqual(operation.version, { source: "field:at.version", order });
  }
  assert.equal(plan({ at: null }, { field: "at.version" }), "no-version");
  assert.equal(plan({ at: { version: true } }, { field: "at.version" }), "no-version");
  assert.equal(plan(null, { field: "at.version" }), "no-version");
});

test("what has no key that is text, or a field of ours, is a data error", () => {
  assert.equal(plan({}, { key: null }), "no-key");
  assert.equal(plan({}, { key: Buffer.from([0xc3, 0x28]) }), "key-not-text");
  assert.equal(plan({ _spillway: 1 }), "reserved-field");
  assert.equal(plan({ _id: 1 }), "has-own-id");
  assert.equal(plan([1]), "not-an-object");
  assert.equal(typeof plan([1], { shape: "envelope" }), "object");
});

test("newer is a strict order within a source, and nothing compares across", () => {
  const order = fc.oneof(fc.integer(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));
  const version = (source: string, value: VersionOrder): Version => ({ source, order: value });
  fc.assert(
    fc.property(order, order, (a, b) => {
      const [one, other] = [version("s", a), version("s", b)];
      assert.equal(isNewer(one, other), a > b);
      assert.ok(!(isNewer(one, other) && isNewer(other, one)));
      assert.equal(isNewer(one, one), false);
      assert.equal(isNewer(one, version("t", b)), undefined);
    }),
  );
  assert.equal(isNewer(version("s", "2026-02"), version("s", "2026-01")), true);
  assert.equal(isNewer(version("s", "a"), version("s", 1)), undefined);
  // By bytes, as servers compare: UTF-16 order would say otherwise.
  assert.equal(isNewer(version("s", "\u{1f600}"), version("s", "\uff5e")), true);
});
