import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  JUDGE_DEFAULTS,
  judge,
  type PartitionFacts,
  type Reader,
  STATUSES,
  spanOf,
  worst,
} from "../../../src/lag/judge.ts";
import { commitStep, type Look } from "../../../src/lag/rates.ts";

const MEMBER: Reader = { kind: "member", name: "app at host" };
const NOBODY: Reader = { kind: "nobody", members: 0 };

/** Looks two seconds apart: what is committed and where the log ends in each. */
function looksOf(...places: readonly (readonly [committed: number, end: number])[]): readonly Look[] {
  return places.map(([committed, end], i) => ({
    ...{ atMs: i * 2_000, committed: BigInt(committed), end: BigInt(end), written: BigInt(end) },
    isWaiting: end > committed,
  }));
}

function factsOf(looks: readonly Look[], facts: Partial<PartitionFacts> = {}): PartitionFacts {
  const now = looks.at(-1);
  return {
    looks,
    logStart: 0n,
    waiting: now === undefined ? 0 : Math.max(0, Number(now.end - now.committed)),
    reader: MEMBER,
    next: { offset: now?.committed ?? 0n, timestampMs: 1, key: "a-key" },
    heldBack: 0,
    blocking: undefined,
    parked: 0,
    parkedMs: undefined,
    arrivalPerSecond: undefined,
    ...facts,
  };
}

function statusOf(looks: readonly Look[], facts: Partial<PartitionFacts> = {}) {
  return judge(factsOf(looks, facts)).status;
}

/** Standing still for 30 s and more. */
const STANDING = looksOf(...Array.from({ length: 17 }, (_, i) => [10, 100 + i] as const));

test("each status for what it says", () => {
  assert.equal(statusOf(looksOf([100, 100])), "caught up");
  assert.equal(statusOf(looksOf([100, 100]), { reader: NOBODY }), "idle");
  assert.equal(statusOf(looksOf([10, 100], [10, 100]), { reader: NOBODY }), "idle");
  assert.equal(statusOf(looksOf([10, 100], [10, 110]), { reader: NOBODY }), "falling behind");
  assert.equal(statusOf(looksOf([10, 100], [10, 100]), { reader: NOBODY, arrivalPerSecond: 1 }), "falling behind");
  assert.equal(statusOf(looksOf([10, 100])), "unclear");
  assert.equal(statusOf(looksOf([10, 100], [10, 110])), "unclear");
  assert.equal(statusOf(looksOf([10, 100], [30, 110], [50, 120])), "keeping up");
  assert.equal(statusOf(looksOf([10, 100], [11, 150], [12, 200])), "falling behind");
  assert.equal(statusOf(STANDING), "stalled");
  assert.equal(statusOf(STANDING, { reader: { kind: "somebody" } }), "stalled");
  assert.equal(statusOf(STANDING, { parked: 1 }), "stalled");
  assert.equal(statusOf(looksOf([100, 100]), { parked: 1 }), "parked");
  assert.equal(statusOf(looksOf([10, 100], [11, 150], [12, 200]), { parked: 1 }), "parked");
  assert.equal(statusOf(looksOf([10, 100]), { parked: 1 }), "unclear", "it may yet turn out to stand");
  assert.equal(statusOf(looksOf([10, 100]), { parked: 1, logStart: 11n }), "losing data");
  assert.equal(statusOf(STANDING, { reader: { kind: "nobody", members: 3 } }), "falling behind");
  assert.equal(statusOf(looksOf([10, 100]), { logStart: 11n }), "losing data");
  assert.equal(statusOf(looksOf([101, 100])), "losing data");
});

test("what is wrong is named: the record it stands before, what is lost, who blocks, who is missing", () => {
  assert.match(
    judge(factsOf(STANDING)).reason,
    /^app at host has committed nothing for 32 s or more, before offset 10, key "a-key"$/,
  );
  const keyless = factsOf(STANDING, { next: { offset: 12n, timestampMs: undefined, key: null } });
  assert.match(judge(keyless).reason, /before offset 12, which has no key$/);
  assert.match(judge(factsOf(STANDING, { next: undefined })).reason, /before offset 10$/);
  const lost = judge(factsOf(looksOf([10, 100]), { logStart: 30n })).reason;
  assert.equal(lost, "offsets 10 to 29 were deleted before they were read: 20 offsets lost");
  const unassigned = factsOf(STANDING, { reader: { kind: "nobody", members: 3 } });
  assert.match(judge(unassigned).reason, /^none of its 3 members has this partition/);
});

test("an open transaction blocks a reader that has nothing else to do, once it is open for too long", () => {
  const at = looksOf([100, 100]);
  const blocking = { producerId: 7n, transactionalId: "orders-1", openMs: JUDGE_DEFAULTS.blockedAfterMs };
  const held = { heldBack: 12, blocking };
  const { status, reason } = judge(factsOf(at, held));
  assert.equal(status, "blocked");
  assert.equal(reason, '12 offsets wait behind the transaction of "orders-1", producer 7, open for 10 s');
  assert.equal(statusOf(at, { heldBack: 12, blocking: { ...blocking, openMs: 9_999 } }), "caught up");
  assert.equal(statusOf(at, { heldBack: 12, blocking: { ...blocking, openMs: undefined } }), "caught up");
  assert.equal(statusOf(at, { ...held, reader: NOBODY }), "idle");
  assert.equal(statusOf(looksOf([90, 100], [95, 100]), held), "keeping up");
  const unknown = { ...blocking, producerId: undefined, transactionalId: undefined };
  assert.match(
    judge(factsOf(at, { heldBack: 1, blocking: unknown })).reason,
    /^1 offset wait behind a transaction of an/,
  );
});

test("a group that had caught up is given time again, and is judged by what came since", () => {
  const caughtUp = looksOf([100, 100], [100, 100], [100, 150], [100, 190]);
  assert.equal(statusOf(caughtUp), "keeping up");
  const stands = looksOf([100, 100], ...Array.from({ length: 17 }, () => [100, 150] as const));
  assert.equal(statusOf(stands), "stalled");
  assert.equal(statusOf(stands.slice(0, -3)), "keeping up");
});

const looks = fc
  .array(fc.tuple(fc.nat(50), fc.nat(50), fc.integer({ min: 1, max: 20_000 })), { minLength: 1, maxLength: 20 })
  .chain((steps) =>
    fc.nat(200).map((backlog) => {
      let [atMs, committed, end] = [0, 0, backlog];
      return steps.map(([read, arrived, after]) => {
        atMs += after;
        end += arrived;
        committed = Math.min(end, committed + read);
        const isWaiting = committed < end;
        return { atMs, committed: BigInt(committed), end: BigInt(end), written: BigInt(end), isWaiting };
      });
    }),
  );
const readers: fc.Arbitrary<Reader> = fc.constantFrom<Reader>(
  MEMBER,
  NOBODY,
  { kind: "somebody" },
  { kind: "nobody", members: 2 },
);

test("a verdict follows from the facts, whatever they are", () => {
  fc.assert(
    fc.property(looks, readers, fc.nat(3), fc.nat(60), (seen, reader, parked, logStart) => {
      const facts = factsOf(seen, { reader, parked, logStart: BigInt(logStart) });
      const { status, reason } = judge(facts);
      const now = seen.at(-1) as Look;
      assert.ok(reason.length > 0);
      assert.equal(status === "losing data", now.committed < BigInt(logStart));
      if (status === "losing data") return;
      const otherwise = judge({ ...facts, parked: 0 }).status;
      assert.equal(status === "parked", parked > 0 && otherwise !== "stalled" && otherwise !== "unclear");
      if (status === "parked") return;
      assert.equal(status === "caught up" || (status === "idle" && !now.isWaiting), !now.isWaiting, status);
      if (!now.isWaiting) return;
      const [first] = seen as [Look, ...Look[]];
      const hasMoved = first.committed !== now.committed;
      if (status === "stalled") {
        const lately = seen.filter(({ atMs }) => now.atMs - atMs <= JUDGE_DEFAULTS.stalledAfterMs);
        for (const look of lately) assert.deepEqual([look.committed, look.isWaiting], [now.committed, true]);
        assert.ok(now.atMs - first.atMs >= JUDGE_DEFAULTS.stalledAfterMs);
      }
      if (status === "idle") assert.ok(reader.kind === "nobody" && !hasMoved && now.written === first.written);
      if (status === "unclear") assert.ok(!hasMoved || seen.length < 2);
      // It has read more than arrived in every stretch: nobody may call that falling behind.
      const lags = seen.map(({ committed, end }) => Number(end - committed));
      const shrinks = lags.every((lag, i) => i === 0 || lag <= (lags[i - 1] ?? 0));
      if (status === "falling behind" && hasMoved) assert.ok(!shrinks);
      if (status === "falling behind" && reader.kind !== "nobody") {
        assert.ok(Math.max(...lags) - Math.min(...lags) > commitStep(seen));
      }
    }),
    { numRuns: 1_000 },
  );
});

test("how many keys are parked is told, and for how long", () => {
  const reasonOf = (parked: number, parkedMs?: number) => judge(factsOf(looksOf([1, 1]), { parked, parkedMs })).reason;
  assert.deepEqual(
    [reasonOf(1), reasonOf(1, 4_000), reasonOf(3, 7_200_000)],
    ["1 key put aside", "1 key put aside, for 4 s", "3 keys put aside, the first for 2 h"],
  );
});

test("a group is as its worst partition", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...STATUSES), { minLength: 1 }), (statuses) => {
      const found = worst(statuses);
      assert.ok(statuses.includes(found));
      for (const status of statuses) assert.ok(STATUSES.indexOf(found) <= STATUSES.indexOf(status));
    }),
  );
});

test("times read as people say them", () => {
  assert.deepEqual([0, 400, 4_000, 119_000, 120_000, 7_200_000, 172_800_000].map(spanOf), [
    "0.0 s",
    "0.4 s",
    "4 s",
    "119 s",
    "2 min",
    "2 h",
    "2 d",
  ]);
});
