import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { catchUpOf, type Look, rateOf, window } from "../../../src/lag/rates.ts";
import { sparkline } from "../../../src/lag/sparkline.ts";
import { type UnreadData, untilDeleted } from "../../../src/lag/until-deleted.ts";

/** A group that reads at one pace, commits at intervals, and is looked at at others. */
interface Flow {
  readonly backlog: number;
  readonly readPerSecond: number;
  readonly arrivePerSecond: number;
  readonly commitEveryMs: number;
  readonly lookEveryMs: number;
  readonly looks: number;
}

const flows: fc.Arbitrary<Flow> = fc.record({
  // More than it reads in all looks.
  backlog: fc.integer({ min: 200_000, max: 10_000_000 }),
  readPerSecond: fc.integer({ min: 0, max: 900 }),
  arrivePerSecond: fc.integer({ min: 0, max: 900 }),
  commitEveryMs: fc.integer({ min: 1, max: 8_000 }),
  lookEveryMs: fc.integer({ min: 500, max: 5_000 }),
  looks: fc.integer({ min: 2, max: 30 }),
});

function looksAt(flow: Flow): readonly Look[] {
  const { backlog, readPerSecond, arrivePerSecond, commitEveryMs, lookEveryMs, looks } = flow;
  return Array.from({ length: looks }, (_, i) => {
    const atMs = i * lookEveryMs;
    const committedAt = Math.floor(atMs / commitEveryMs) * commitEveryMs;
    const end = BigInt(backlog + Math.floor((arrivePerSecond * atMs) / 1_000));
    const committed = BigInt(Math.floor((readPerSecond * committedAt) / 1_000));
    return { atMs, committed, end, written: end, isWaiting: true };
  });
}

test("the range of the time to catch up holds the true time, for whoever reads at one pace", () => {
  fc.assert(
    fc.property(flows, (flow) => {
      const looks = looksAt(flow);
      const now = looks.at(-1) as Look;
      const catchUp = catchUpOf(looks, true);
      const hasCommitted = now.committed > (looks[0]?.committed ?? 0n);
      fc.pre(hasCommitted);
      const read = (flow.readPerSecond * now.atMs) / 1_000;
      const waiting = Number(now.end) - read;
      const gain = flow.readPerSecond - flow.arrivePerSecond;
      // Offsets are whole numbers, so each of the two counts may be one too low.
      const rounding = 2_000 / now.atMs;
      const timeAt = (perSecond: number) => (perSecond <= 0 ? Infinity : waiting / perSecond);
      if (catchUp.kind === "never") return assert.ok(gain <= rounding, JSON.stringify(flow));
      assert.ok(catchUp.kind === "in", JSON.stringify(catchUp));
      const slack = 1.02;
      const most = catchUp.mostSeconds ?? Infinity;
      const shown = `${JSON.stringify(catchUp)}, in truth ${timeAt(gain)}`;
      assert.ok(catchUp.leastSeconds <= timeAt(gain - rounding) * slack, shown);
      assert.ok(timeAt(gain + rounding) <= most * slack, shown);
      assert.ok(catchUp.leastSeconds >= 0 && catchUp.leastSeconds <= most);
    }),
    { numRuns: 500 },
  );
});

test("nothing to catch up with is caught up with now; one look tells nothing; a group that stands never comes", () => {
  const [look] = looksAt({
    backlog: 5,
    readPerSecond: 0,
    arrivePerSecond: 0,
    commitEveryMs: 1,
    lookEveryMs: 1,
    looks: 2,
  });
  assert.ok(look !== undefined);
  assert.deepEqual(catchUpOf([look], false), { kind: "now" });
  assert.deepEqual(catchUpOf([look], true), { kind: "unknown" });
  assert.deepEqual(catchUpOf([look, { ...look, atMs: 1_000 }], true), { kind: "never" });
});

test("rates are never negative, and say over what time they were seen", () => {
  fc.assert(
    fc.property(flows, (flow) => {
      const looks = looksAt(flow);
      const { perSecond, seconds, by } = rateOf(looks, "written") ?? assert.fail("no rate");
      assert.ok(Math.abs(perSecond - flow.arrivePerSecond) <= 1 / seconds + 1e-9);
      assert.deepEqual([seconds, by], [((flow.looks - 1) * flow.lookEveryMs) / 1_000, "looks"]);
      const back = rateOf(
        looks.toReversed().map((look, i) => ({ ...look, atMs: i * 100 })),
        "committed",
      );
      assert.ok((back?.perSecond ?? 0) >= 0);
    }),
  );
  assert.equal(rateOf([], "written"), undefined);
});

test("the window moves on, keeps two looks at least, and begins anew where an offset was set back", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 1, max: 5_000 }), fc.bigInt(0n, 50n))),
      fc.nat(20_000),
      (steps, ms) => {
        let atMs = 0;
        const looks = steps.map(([after, committed]) => {
          atMs += after;
          return { atMs, committed, end: 100n, written: 100n, isWaiting: true };
        });
        const seen = window(looks, ms);
        assert.deepEqual(seen, looks.slice(looks.length - seen.length));
        for (const [i, { committed }] of seen.entries())
          assert.ok(i === 0 || committed >= (seen[i - 1]?.committed ?? 0n));
        const before = looks.at(-seen.length - 1);
        const [first] = seen;
        if (before === undefined || first === undefined) return;
        const isSetBack = first.committed < before.committed;
        assert.ok(isSetBack || (atMs - before.atMs > ms && seen.length >= 2), "one look more would have fitted");
      },
    ),
  );
});

const HOUR = 3_600_000;
const unread: UnreadData = {
  isWaiting: true,
  oldestMs: 1_000 * HOUR,
  nowMs: 1_001 * HOUR,
  unreadOffsets: 500,
  logOffsets: 1_000,
  logBytes: 100_000,
  arrivalPerSecond: 10,
};
const forever = { isCompacted: false, isDeleting: true, ms: Infinity, bytes: Infinity };

test("unread records go by age or by size, whichever comes first; by neither in a topic that is compacted only", () => {
  assert.deepEqual(untilDeleted({ ...forever, ms: 3 * HOUR }, unread), { kind: "in", seconds: 7_200, by: "age" });
  // 50,000 bytes are unread, and a record takes 100: there is room for 300 more.
  assert.deepEqual(untilDeleted({ ...forever, bytes: 80_000 }, unread), { kind: "in", seconds: 30, by: "size" });
  const both = { ...forever, ms: 3 * HOUR, bytes: 80_000 };
  assert.deepEqual(untilDeleted(both, unread), { kind: "in", seconds: 30, by: "size" });
  assert.deepEqual(untilDeleted({ ...both, ms: HOUR }, unread), { kind: "in", seconds: 0, by: "age" });
  assert.deepEqual(untilDeleted({ ...forever, bytes: 40_000 }, unread), { kind: "in", seconds: 0, by: "size" });
  assert.deepEqual(untilDeleted({ ...forever, bytes: 80_000 }, { ...unread, arrivalPerSecond: 0 }), { kind: "never" });
  assert.deepEqual(untilDeleted(forever, unread), { kind: "never" });
  assert.deepEqual(untilDeleted({ ...both, isDeleting: false }, unread), { kind: "never" });
  assert.deepEqual(untilDeleted(both, { ...unread, isWaiting: false }), { kind: "nothing-unread" });
  for (const lack of [{ oldestMs: undefined }, { logBytes: undefined }, { arrivalPerSecond: undefined }]) {
    assert.equal(untilDeleted(both, { ...unread, ...lack }).kind, "unknown", JSON.stringify(lack));
  }
  assert.equal(untilDeleted(undefined, unread).kind, "unknown");
});

test("more time, more room and less unread never make it sooner", () => {
  const amounts = fc.nat(1_000_000);
  fc.assert(
    fc.property(amounts, amounts, amounts, amounts, (ms, bytes, moreMs, moreBytes) => {
      const at = (retention: { ms: number; bytes: number }) => {
        const until = untilDeleted({ ...forever, ...retention }, { ...unread, nowMs: 1_000 * HOUR });
        return until.kind === "in" ? until.seconds : Infinity;
      };
      assert.ok(at({ ms: ms + moreMs, bytes: bytes + moreBytes }) >= at({ ms, bytes }));
    }),
  );
});

test("a trend is as long as its values, and its highest is a full bar", () => {
  fc.assert(
    fc.property(fc.array(fc.nat()), (values) => {
      const bars = [...sparkline(values)];
      assert.equal(bars.length, values.length);
      const most = Math.max(0, ...values);
      for (const [i, value] of values.entries()) {
        assert.equal(bars[i] === "·", value === 0);
        if (value > 0 && value === most) assert.equal(bars[i], "█");
      }
    }),
  );
});
