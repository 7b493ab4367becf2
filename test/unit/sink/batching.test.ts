import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Filling, isWorthWaiting, Rate, RecentMean } from "../../../src/sink/batching.ts";

const LIMITS = { batchTimeoutMs: 100, batchRecords: 500 };

test("a writer of a quiet topic doesn't wait for company that won't come", () => {
  for (const recordsPerSecond of [0, 1, 5, 9]) {
    assert.equal(isWorthWaiting({ recordsPerMs: recordsPerSecond / 1_000, writeMs: 2 }, LIMITS), false);
  }
  assert.equal(isWorthWaiting({ recordsPerMs: 0.01, writeMs: 2 }, LIMITS), true);
});

test("nor where a slow write gathers enough of it anyway", () => {
  const recordsPerMs = 1;
  assert.equal(isWorthWaiting({ recordsPerMs, writeMs: 10 }, LIMITS), true);
  assert.equal(isWorthWaiting({ recordsPerMs, writeMs: 200 }, LIMITS), false);
});

test("a rate follows what comes, and fades", () => {
  const rate = new Rate();
  for (let now = 0; now < 10_000; now += 10) rate.add(3, now);
  assert.ok(Math.abs(rate.perMs(10_000) - 0.3) < 0.01, String(rate.perMs(10_000)));
  assert.ok(rate.perMs(15_000) < 0.01);
  assert.equal(new Rate().perMs(5), 0);
});

test("a recent mean follows a change within some values", () => {
  const mean = new RecentMean();
  assert.equal(mean.value, 0);
  mean.add(10);
  assert.equal(mean.value, 10);
  for (let i = 0; i < 30; i++) mean.add(200);
  assert.ok(mean.value > 195);
});

test("a batch is as much of what comes as its bounds allow, and never nothing", () => {
  const queue = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 50, size: "max" });
  fc.assert(
    fc.property(queue, fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 300 }), (sizes, records, bytes) => {
      const batch = new Filling<number>({ batchRecords: records, batchBytes: bytes });
      const sum = (some: readonly number[]) => some.reduce((total, size) => total + size, 0);
      const next = sizes.find((size) => !batch.add(size, size));
      const { items, isFull } = batch;
      assert.deepEqual(items, sizes.slice(0, items.length));
      assert.ok(items.length >= 1 && items.length <= records);
      assert.ok(items.length === 1 || sum(items) <= bytes);
      assert.equal(isFull, items.length === records || (next !== undefined && sum(items) + next > bytes));
      assert.equal(next, sizes[items.length], "nothing overtakes what didn't fit");
      assert.ok(!isFull || !batch.add(1, 0), "nor does what comes later");
    }),
  );
});
