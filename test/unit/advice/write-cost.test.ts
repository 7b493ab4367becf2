import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { writeCostOf, writeMs } from "../../../src/advice/write-cost.ts";
import { WriteMeter } from "../../../src/sink/write-sums.ts";

const cost = {
  fixedMs: fc.double({ min: 0, max: 500, noNaN: true }),
  perRecordMs: fc.double({ min: 0.001, max: 2, noNaN: true }),
};
const sizes = fc.array(fc.integer({ min: 1, max: 4_000 }), { minLength: 10, maxLength: 100 });

function sumsOf(writes: readonly (readonly [operations: number, ms: number])[]) {
  const meter = new WriteMeter();
  for (const [operations, ms] of writes) meter.wrote(operations, ms);
  return meter.sums;
}

test("writes of many sizes tell the fixed part and that of each record, and so what any other write takes", () => {
  fc.assert(
    fc.property(fc.record(cost), sizes, ({ fixedMs, perRecordMs }, all) => {
      fc.pre(new Set(all).size > 5 && Math.max(...all) > 4 * Math.min(...all));
      const msOf = (records: number) => fixedMs + perRecordMs * records;
      const found = writeCostOf(sumsOf(all.map((records) => [records, msOf(records)])));
      assert.ok(found !== undefined);
      if (!found.isMeasured) return;
      const { least, most } = found.perRecordMs;
      assert.ok(
        Math.abs(least - perRecordMs) < 0.01 * perRecordMs && Math.abs(most - perRecordMs) < 0.01 * perRecordMs,
      );
      assert.ok(Math.abs(writeMs(found, 1_000, least) - msOf(1_000)) < 0.01 * msOf(1_000));
    }),
  );
});

test("writes that are too few, alike, or without any slope, tell none: then it is assumed, and said so", () => {
  const [alike, few] = [
    sumsOf(Array.from({ length: 50 }, () => [100, 30])),
    sumsOf([
      [10, 20],
      [200, 40],
    ]),
  ];
  const falling = sumsOf(Array.from({ length: 50 }, (_, i) => [100 + 10 * i, 500 - i]));
  for (const sums of [alike, few, falling]) {
    const found = writeCostOf(sums);
    assert.equal(found?.isMeasured, false);
    assert.equal(found?.perRecordMs.least, 0);
  }
  assert.equal(writeCostOf(sumsOf([])), undefined);
});

test("a ping tells the way from the work, where nothing else does", () => {
  const sums = sumsOf(Array.from({ length: 50 }, () => [1_000, 300]));
  assert.deepEqual(writeCostOf(sums)?.perRecordMs, { least: 0, most: 300 / 1_010 });
  const { least, most } = writeCostOf(sums, 200)?.perRecordMs ?? { least: 0, most: 0 };
  assert.deepEqual([least, most], [0.07, 0.1]);
  assert.deepEqual(writeCostOf(sums, 1_000)?.perRecordMs, { least: 0, most: 0 });
});

test("whatever was seen, the slope is a range of which neither end makes a part of the write less than nothing", () => {
  const write = fc.tuple(fc.integer({ min: 1, max: 5_000 }), fc.double({ min: 0, max: 60_000, noNaN: true }));
  fc.assert(
    fc.property(
      fc.array(write, { minLength: 1, maxLength: 60 }),
      fc.option(fc.double({ min: 0, max: 1_000, noNaN: true })),
      (writes, ping) => {
        const found = writeCostOf(sumsOf(writes), ping ?? undefined);
        assert.ok(found !== undefined);
        const { least, most } = found.perRecordMs;
        assert.ok(least >= 0 && least <= most && most * found.records <= found.ms * (1 + 1e-9), JSON.stringify(found));
      },
    ),
  );
});
