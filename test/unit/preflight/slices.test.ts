import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { rangesToSample, windowsOf } from "../../../src/preflight/slices.ts";

const range = fc
  .tuple(fc.bigInt({ min: 0n, max: 10_000n }), fc.bigInt({ min: 0n, max: 10_000n }))
  .map(([begin, length]) => ({ begin, end: begin + length }));

test("windows hold each offset once, none twice, and nothing else", () => {
  fc.assert(
    fc.property(fc.array(range, { maxLength: 4 }), fc.integer({ min: 1, max: 9 }), (ranges, count) => {
      const numbered = ranges.map((one, partition) => ({ partition, ...one }));
      const slices = windowsOf(numbered, count).flat();
      for (const { partition, begin, end } of numbered) {
        const own = slices.filter((slice) => slice.partition === partition).sort((a, b) => Number(a.begin - b.begin));
        let at = begin;
        for (const slice of own) {
          assert.equal(slice.begin, at);
          assert.ok(slice.end > slice.begin);
          at = slice.end;
        }
        assert.equal(at, end);
      }
    }),
  );
});

test("the first windows are spread over the whole", () => {
  const begins = windowsOf([{ partition: 0, begin: 0n, end: 80n }], 8).map(([slice]) => Number(slice?.begin));
  assert.deepEqual(begins, [0, 40, 20, 60, 10, 50, 30, 70]);
});

test("what retention has taken is no part of the backlog; without a backlog the log is looked at", () => {
  const position = { partition: 0, earliest: 50n, latest: 100n, begin: 10n, end: 90n };
  assert.deepEqual(rangesToSample([position]), { of: "backlog", ranges: [{ partition: 0, begin: 50n, end: 90n }] });
  const done = rangesToSample([{ ...position, begin: 100n, end: 100n }]);
  assert.deepEqual(done, { of: "log", ranges: [{ partition: 0, begin: 50n, end: 100n }] });
});
