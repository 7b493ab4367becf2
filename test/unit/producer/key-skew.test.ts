import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { keyShares, rankFor } from "../../../src/producer/key-skew.ts";
import { randomFraction } from "../../../src/producer/random.ts";

const skews = fc.oneof(
  fc.record({ kind: fc.constant("zipf" as const), exponent: fc.double({ min: 0, max: 3, noNaN: true }) }),
  fc.record({ kind: fc.constant("hottest" as const), share: fc.double({ min: 0.01, max: 1, noNaN: true }) }),
);

test("every fraction has a key, and the shares add up to 1", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2_000 }),
      skews,
      fc.double({ min: 0, max: 0.999999999, noNaN: true }),
      (keys, skew, x) => {
        const shares = keyShares(keys, skew);
        const rank = rankFor(shares, x);
        assert.ok(rank >= 0 && rank < keys);
        assert.ok((shares[rank] ?? 0) > x && (rank === 0 || (shares[rank - 1] ?? 0) <= x));
      },
    ),
  );
});

test("the hottest key gets its share, and a zipf exponent of 0 spreads evenly", () => {
  const counts = (keys: number, skew: Parameters<typeof keyShares>[1]): number[] => {
    const shares = keyShares(keys, skew);
    const found = new Array<number>(keys).fill(0);
    for (let i = 0; i < 100_000; i++) {
      const rank = rankFor(shares, randomFraction(7, 1, i));
      found[rank] = (found[rank] ?? 0) + 1;
    }
    return found;
  };
  assert.ok(Math.abs((counts(100, { kind: "hottest", share: 0.3 })[0] ?? 0) - 30_000) < 600);
  for (const count of counts(100, { kind: "zipf", exponent: 0 })) assert.ok(Math.abs(count - 1_000) < 200, `${count}`);
  const [first = 0, second = 0, , fourth = 0] = counts(100, { kind: "zipf", exponent: 1 });
  assert.ok(Math.abs(first / second - 2) < 0.15 && Math.abs(first / fourth - 4) < 0.4);
});

test("impossible skews are refused", () => {
  for (const make of [
    () => keyShares(0, { kind: "zipf", exponent: 1 }),
    () => keyShares(2.5, { kind: "zipf", exponent: 1 }),
    () => keyShares(10, { kind: "zipf", exponent: -1 }),
    () => keyShares(10, { kind: "hottest", share: 0 }),
    () => keyShares(10, { kind: "hottest", share: Number.NaN }),
  ]) {
    assert.throws(make, { code: "CONFIG_INVALID" });
  }
});
