import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HeavyHitters } from "../../../src/preflight/heavy-hitters.ts";

const adds = fc.array(fc.tuple(fc.integer({ min: 0, max: 40 }).map(String), fc.integer({ min: 1, max: 9 })), {
  maxLength: 400,
  size: "max",
});

test("a count is never more than the true one, short by the error at most, and that is bounded", () => {
  fc.assert(
    fc.property(adds, fc.integer({ min: 1, max: 12 }), (added, capacity) => {
      const hitters = new HeavyHitters(capacity);
      const truth = new Map<string, number>();
      for (const [key, weight] of added) {
        hitters.add(key, weight);
        truth.set(key, (truth.get(key) ?? 0) + weight);
      }
      const counted = new Map(hitters.top(1_000).map(({ key, weight }) => [key, weight]));
      assert.ok(counted.size < 2 * capacity || truth.size < 2 * capacity);
      assert.ok(hitters.error <= hitters.total / (capacity + 1));
      for (const [key, weight] of truth) {
        const known = counted.get(key) ?? 0;
        assert.ok(known <= weight && known >= weight - hitters.error, `${key}: ${known} of ${weight}`);
      }
    }),
  );
});

test("the first is the one that comes up most", () => {
  const hitters = new HeavyHitters(4);
  for (let i = 0; i < 300; i++) hitters.add(i % 3 === 0 ? "hot" : `key-${i}`);
  assert.equal(hitters.top(1)[0]?.key, "hot");
});
