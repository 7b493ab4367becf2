import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BACKFILL_PROFILES } from "../../../src/producer/backfill-plan.ts";
import { timetable } from "../../../src/producer/rate-shape.ts";

const shapes = fc.oneof(
  fc.constant({ kind: "unlimited" as const }),
  fc
    .record({
      averageRate: fc.double({ min: 0.1, max: 10_000, noNaN: true }),
      factor: fc.double({ min: 1, max: 50, noNaN: true }),
      peaks: fc.integer({ min: 1, max: 100 }),
    })
    .map(({ averageRate, factor, peaks }) => ({
      kind: "peaks" as const,
      averageRate,
      peakRate: averageRate * factor,
      peaks,
    })),
  fc.record({
    kind: fc.constant("burst" as const),
    burst: fc.integer({ min: 0, max: 200_000 }),
    tailMs: fc.integer({ min: 0, max: 100_000 }),
  }),
);

test("what is due never falls, starts within bounds and ends with everything", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 100_000 }),
      shapes,
      fc.double({ min: 0.1, max: 1_000, noNaN: true }),
      fc.array(fc.double({ min: 0, max: 1.2, noNaN: true }), { maxLength: 30, size: "max" }),
      (records, shape, compression, moments) => {
        const { durationMs, due } = timetable(records, shape, compression);
        let before = 0;
        for (const moment of moments.toSorted((a, b) => a - b)) {
          const now = due(moment * durationMs);
          assert.ok(now >= before && now <= records && Number.isInteger(now), `${now} after ${before}`);
          before = now;
        }
        assert.equal(due(durationMs), records);
      },
    ),
  );
});

test("the second account's profile: its records, its length, its average and its peaks", () => {
  const { records, rate } = BACKFILL_PROFILES["second-account"];
  const { durationMs, due } = timetable(records, rate);
  assert.equal(records, 14_500_000);
  assert.ok(Math.abs(durationMs / 86_400_000 - 1.5) < 0.03, `${durationMs / 86_400_000} days`);
  let highest = 0;
  let lowest = Number.POSITIVE_INFINITY;
  for (let second = 0; second < durationMs / 1000 - 10; second += 10) {
    const perSecond = (due((second + 10) * 1000) - due(second * 1000)) / 10;
    highest = Math.max(highest, perSecond);
    lowest = Math.min(lowest, perSecond);
  }
  assert.ok(highest > 445 && highest <= 450.1, `peaks of ${highest}`);
  assert.ok(lowest > 70 && lowest < 75, `${lowest} between them`);
});

test("time compression shortens the time and nothing else", () => {
  const { records, rate } = BACKFILL_PROFILES["second-account"];
  const plain = timetable(records, rate);
  const compressed = timetable(records, rate, 100);
  assert.equal(compressed.durationMs, plain.durationMs / 100);
  for (const share of [0, 0.1, 0.123, 0.5, 0.99]) {
    const difference = compressed.due(share * compressed.durationMs) - plain.due(share * plain.durationMs);
    assert.ok(Math.abs(difference) <= 1);
  }
});

test("a burst is due at once, its tail evenly", () => {
  const { due } = timetable(1_000, { kind: "burst", burst: 400, tailMs: 6_000 });
  assert.deepEqual([0, 1_000, 3_000, 6_000, 7_000].map(due), [400, 500, 700, 1_000, 1_000]);
  assert.equal(timetable(100, { kind: "burst", burst: 400, tailMs: 6_000 }).due(0), 100);
});

test("rates that don't fit together are refused", () => {
  const shape = { kind: "peaks", averageRate: 100, peakRate: 200, peaks: 3 } as const;
  assert.throws(() => timetable(10, { ...shape, peakRate: 99 }), { code: "CONFIG_INVALID" });
  assert.throws(() => timetable(10, { ...shape, averageRate: 0 }), { code: "CONFIG_INVALID" });
  assert.throws(() => timetable(10, { ...shape, peaks: 0.5 }), { code: "CONFIG_INVALID" });
  assert.throws(() => timetable(10, shape, 0), { code: "CONFIG_INVALID" });
  assert.throws(() => timetable(10, { kind: "burst", burst: -1, tailMs: 1 }), { code: "CONFIG_INVALID" });
});
