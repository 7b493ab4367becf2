import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { OffsetCounts } from "../../../src/verify/offset-counts.ts";

/** Near each other, at the borders of pages and words, and far away. */
const anyOffset = fc.oneof(
  fc.integer({ min: 0, max: 70 }),
  fc.integer({ min: 65_530, max: 65_570 }),
  fc.constantFrom(0, 31, 32, 65_535, 65_536, 131_071, 2 ** 40 + 5, Number.MAX_SAFE_INTEGER),
);
const anyOffsets = fc.array(anyOffset, { maxLength: 60, size: "max" });

function countsOf(offsets: readonly number[]): { counts: OffsetCounts; model: Map<number, number> } {
  const [counts, model] = [new OffsetCounts(), new Map<number, number>()];
  for (const offset of offsets) {
    const times = (model.get(offset) ?? 0) + 1;
    model.set(offset, times);
    assert.equal(counts.add(offset), times);
  }
  return { counts, model };
}

test("every offset is counted as often as it was added", () => {
  fc.assert(
    fc.property(anyOffsets, anyOffsets, (added, others) => {
      const { counts, model } = countsOf(added);
      for (const offset of [...added, ...others]) assert.equal(counts.count(offset), model.get(offset) ?? 0);
    }),
  );
});

test("what is seen more often than by two others together is found, in order, and nothing else", () => {
  fc.assert(
    fc.property(anyOffsets, anyOffsets, anyOffsets, (mine, first, second) => {
      const [a, b, c] = [countsOf(mine), countsOf(first), countsOf(second)];
      const wanted = [...a.model]
        .map(([offset, times]) => ({
          offset,
          more: times - (b.model.get(offset) ?? 0) - (c.model.get(offset) ?? 0),
        }))
        .filter(({ more }) => more > 0)
        .toSorted((one, other) => one.offset - other.offset);
      assert.deepEqual([...a.counts.moreOftenThan(b.counts, c.counts)], wanted);
    }),
  );
});
