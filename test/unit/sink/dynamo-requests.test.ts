import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { toItem } from "../../../src/sink/targets/dynamo-items.ts";
import { MAX_ITEMS, MAX_REQUEST_BYTES, type Put, planWaves } from "../../../src/sink/targets/dynamo-requests.ts";

function put(index: number, kind: "insert" | "latest", id: string, bytes = 100): Put {
  const version = { source: "s", order: BigInt(index) };
  const common = { id, document: {}, bytes };
  const operation = kind === "insert" ? ({ kind, ...common } as const) : ({ kind, version, ...common } as const);
  return { index, operation, item: {}, bytes };
}

const batches = fc
  .array(
    fc.record({
      kind: fc.constantFrom("insert", "insert", "insert", "latest"),
      id: fc.nat(60).map(String),
      bytes: fc.oneof({ weight: 5, arbitrary: fc.constant(100) }, { weight: 1, arbitrary: fc.constant(400_000) }),
    }),
    { maxLength: 150, size: "max" },
  )
  .map((all) => all.map(({ kind, id, bytes }, i) => put(i, kind, id, bytes)));

test("each operation is sent once, in requests that DynamoDB takes, those of one id one after the other", () => {
  fc.assert(
    fc.property(batches, fc.boolean(), (puts, ordered) => {
      const waves = planWaves(puts, ordered);
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
      const wavesOfId = new Map<string, number>();
      for (const [i, wave] of waves.entries()) {
        const ids = wave.flat().map(({ operation }) => operation.id);
        assert.equal(new Set(ids).size, ids.length, "an id twice in a wave");
        for (const { index, operation } of wave.flat()) {
          assert.ok(index > (wavesOfId.get(operation.id) ?? -1));
          wavesOfId.set(operation.id, index);
        }
        if (!ordered) continue;
        assert.ok(wave.length === 1 || wave.flat().every(({ operation }) => operation.kind === "latest"));
        const last = waves[i - 1]?.flat().at(-1)?.index ?? -1;
        assert.ok(wave.flat().every(({ index }) => index > last));
      }
    }),
  );
});

test("500 inserts are 20 requests: all at once, or one by one", () => {
  const puts = Array.from({ length: 500 }, (_, i) => put(i, "insert", String(i)));
  const sizes = (ordered: boolean) => planWaves(puts, ordered).map((wave) => wave.map(({ length }) => length));
  assert.deepEqual(sizes(false), [new Array(20).fill(25)]);
  assert.deepEqual(sizes(true), new Array(20).fill([25]));
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
