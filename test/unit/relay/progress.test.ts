import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Progress } from "../../../src/relay/progress.ts";
import { nextYielding } from "../../../src/relay/yield-to.ts";

test("the time left lies between those of the fastest and the slowest stretch of the last minute", () => {
  let now = 0;
  const progress = new Progress(() => now);
  const note = (offset: number) => progress.note({ partition: 0, offset: BigInt(offset), end: 10_000n });
  note(0);
  assert.equal(progress.read()[0]?.secondsLeft, undefined, "nothing is known at the beginning");
  // 100 a second for 10 s, then 50 a second for 10 s.
  for (const perSecond of [100, 100, 50, 50]) {
    const before = Number(progress.read()[0]?.offset);
    now += 5_000;
    note(before + perSecond * 5);
  }
  const [reading] = progress.read();
  assert.deepEqual(reading, {
    ...{ partition: 0, offset: 1_500n, end: 10_000n, left: 8_500n, perSecond: 75, secondsLeft: [85, 170] },
  });
});

test("a steady pace gives one time left, however often it is noted", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10_000 }), fc.integer({ min: 10, max: 7_000 }), (perSecond, everyMs) => {
      let now = 0;
      const progress = new Progress(() => now);
      for (let i = 0; i <= 100; i++, now += everyMs) {
        const offset = BigInt(Math.round((now * perSecond) / 1_000));
        progress.note({ partition: 0, offset, end: 1_000_000_000_000n });
      }
      now -= everyMs;
      if (now < 1_000) return;
      const { left = 0n, secondsLeft: [least, most] = [0, 0] } = progress.read()[0] ?? {};
      const exactly = Number(left) / perSecond;
      // An offset is a whole number, which a slow pace can't be.
      const slack = 1 + 1_000 / (perSecond * Math.min(now, 5_000)) / 0.5;
      assert.ok(least <= exactly * slack && most >= exactly / slack, `${least} ${exactly} ${most}`);
    }),
  );
});

test("partitions that went to others are forgotten; one that begins again begins with nothing known", () => {
  let now = 0;
  const progress = new Progress(() => now);
  for (const partition of [2, 0]) progress.note({ partition, offset: 10n, end: 20n });
  assert.deepEqual(
    progress.read().map(({ partition }) => partition),
    [0, 2],
  );
  progress.own([2]);
  assert.deepEqual(
    progress.read().map(({ partition }) => partition),
    [2],
  );
  now = 10_000;
  progress.note({ partition: 2, offset: 20n, end: 20n });
  assert.deepEqual(progress.read()[0]?.secondsLeft, [0, 0]);
  progress.note({ partition: 2, offset: 5n, end: 20n });
  assert.equal(progress.read()[0]?.secondsLeft, undefined);
});

test("giving way halves the pace each second down to a hundredth, and comes back slowly to where it was", () => {
  let state = nextYielding({ ceiling: undefined, free: 0 }, false, 1_000);
  assert.deepEqual(state, { ceiling: undefined, free: 1_000 });
  const down: (number | undefined)[] = [];
  for (let i = 0; i < 9; i++) {
    state = nextYielding(state, true, state.ceiling ?? 1_000);
    down.push(state.ceiling);
  }
  assert.deepEqual(down, [500, 250, 125, 62.5, 31.25, 15.625, 10, 10, 10]);
  let seconds = 0;
  for (; state.ceiling !== undefined; seconds++) state = nextYielding(state, false, state.ceiling);
  assert.equal(seconds, Math.ceil(Math.log(100) / Math.log(1.25)));
  assert.equal(state.free, 1_000);
});

test("giving way never stops for good, and what it learns of the free pace is never above what was done", () => {
  const step = fc.record({ isOver: fc.boolean(), perSecond: fc.double({ min: 0, max: 1e6, noNaN: true }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100, size: "max" }), (steps) => {
      let state: ReturnType<typeof nextYielding> = { ceiling: undefined, free: 0 };
      let most = 0;
      for (const { isOver, perSecond } of steps) {
        most = Math.max(most, perSecond);
        state = nextYielding(state, isOver, perSecond);
        assert.ok(state.ceiling === undefined || state.ceiling >= 1);
        assert.ok(state.free <= most);
        if (isOver && most > 0) assert.notEqual(state.ceiling, undefined);
      }
      for (let i = 0; i < 200 && state.ceiling !== undefined; i++) state = nextYielding(state, false, 0);
      assert.equal(state.ceiling, undefined);
    }),
  );
});
