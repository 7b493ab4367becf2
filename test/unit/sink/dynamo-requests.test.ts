import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { toItem } from "../../../src/sink/targets/dynamo-items.ts";
import { MAX_ITEMS, MAX_REQUEST_BYTES, type Put, planWaves } from "../../../src/sink/targets/dynamo-requests.ts";

function put(index: number, kind: "insert" | "latest", id: string, group: string | number = id, bytes = 100): Put {
  const version = { source: "s", order: BigInt(index) };
  const common = { id, document: {}, bytes };
  const operation = kind === "insert" ? ({ kind, ...common } as const) : ({ kind, version, ...common } as const);
  return { index, operation, group, item: {}, bytes };
}

/** Ids of one group each, as an id comes of a record or of its key. */
const batches = fc
  .tuple(
    fc.array(
      fc.record({
        kind: fc.constantFrom("insert", "insert", "insert", "latest"),
        id: fc.nat(60),
        bytes: fc.oneof({ weight: 5, arbitrary: fc.constant(100) }, { weight: 1, arbitrary: fc.constant(400_000) }),
      }),
      { maxLength: 150, size: "max" },
    ),
    fc.constantFrom(1, 3, 61),
  )
  .map(([all, groups]) => all.map(({ kind, id, bytes }, i) => put(i, kind, String(id), id % groups, bytes)));

test("each operation is sent once, in requests that DynamoDB takes, those of one group one after the other", () => {
  fc.assert(
    fc.property(batches, (puts) => {
      const waves = planWaves(puts);
      const sent = waves.flat(2).map(({ index }) => index);
      assert.deepEqual(
        sent.toSorted((a, b) => a - b),
        puts.map(({ index }) => index),
      );
      for (const request of waves.flat()) {
        assert.equal(new Set(request.map(({ operation }) => operation.id)).size, request.length);
        assert.equal(new Set(request.map(({ operation }) => operation.kind)).size, 1);
        assert.ok(request.length <= (request[0]?.operation.kind === "latest" ? 1 : MAX_ITEMS));
        assert.ok(request.reduce((sum, { bytes }) => sum + bytes, 0) <= MAX_REQUEST_BYTES);
      }
      const last = new Map<string | number, number>();
      for (const wave of waves) {
        const requestOf = new Map<string | number, readonly Put[]>();
        for (const request of wave) {
          for (const put of request) {
            assert.equal(requestOf.get(put.group) ?? request, request, "a group in two requests of a wave");
            requestOf.set(put.group, request);
            assert.ok(put.index > (last.get(put.group) ?? -1));
            last.set(put.group, put.index);
          }
        }
      }
      const waiting = waves.findIndex((wave) => wave.length === 0);
      assert.equal(waiting, -1, "a wave of nothing");
    }),
  );
});

test("500 inserts are 20 requests: all at once, one by one, or side by side for each of a few keys", () => {
  const sizes = (keys: number) => {
    const puts = Array.from({ length: 500 }, (_, i) => put(i, "insert", String(i), i % keys));
    return planWaves(puts).map((wave) => wave.map(({ length }) => length));
  };
  assert.deepEqual(sizes(500), [new Array(20).fill(25)]);
  assert.deepEqual(sizes(1), new Array(20).fill([25]));
  assert.deepEqual(sizes(4), new Array(5).fill(new Array(4).fill(25)));
  assert.deepEqual(sizes(250), [[...new Array(20).fill(24), 20]]);
});

test("a full request is no larger than DynamoDB takes, whatever is in it", () => {
  // The values that take the most JSON for what they count.
  const dense = [
    Array.from({ length: 180_000 }, () => ""),
    Array.from({ length: 90_000 }, () => null),
    "\0".repeat(360_000),
  ];
  for (const list of dense) {
    const made = toItem({ list }, "x", "id");
    assert.ok(made.kind === "item");
    const json = JSON.stringify(made.item).length;
    assert.ok(json / made.bytes <= 9, `${json / made.bytes}`);
    assert.ok((json / made.bytes) * MAX_REQUEST_BYTES <= 16_000_000);
  }
});
