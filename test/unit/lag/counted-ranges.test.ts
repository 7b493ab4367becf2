import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CountedRanges } from "../../../src/lag/counted-ranges.ts";
import { waitingOf } from "../../../src/lag/waiting.ts";

/** A log: at which of its offsets there is a record. Batches are runs of offsets that are read as one. */
interface Log {
  readonly holds: readonly boolean[];
  /** Where batches begin. */
  readonly bounds: readonly number[];
}

const logs: fc.Arbitrary<Log> = fc
  .array(
    fc.oneof(
      fc.array(fc.boolean(), { minLength: 1, maxLength: 8 }),
      fc.nat({ max: 12 }).map((length) => new Array<boolean>(length + 1).fill(true)),
      fc.constant([false]),
    ),
    { minLength: 1, maxLength: 40 },
  )
  .map((batches) => {
    const bounds = [0];
    for (const { length } of batches) bounds.push((bounds.at(-1) ?? 0) + length);
    return { holds: batches.flat(), bounds };
  });

function recordsIn({ holds }: Log, from: number, to: number): number {
  return holds.slice(from, to).filter(Boolean).length;
}

/** Reads from an offset to the end of the batch at or behind another, as a fetch does. */
function read(ranges: CountedRanges, log: Log, from: number, atLeastTo: number): void {
  const last = log.bounds.find((bound) => bound >= atLeastTo) ?? log.holds.length;
  const starts = [from, ...log.bounds.filter((bound) => bound > from && bound < last), last];
  ranges.add(
    starts.slice(1).map((to, i) => {
      const start = starts[i] as number;
      return { from: BigInt(start), to: BigInt(to), records: recordsIn(log, start, to) };
    }),
  );
}

const places = fc.tuple(fc.nat({ max: 400 }), fc.nat({ max: 400 }));

test("what is counted is what there is, wherever it was read; the rest is known to be unknown", () => {
  fc.assert(
    fc.property(logs, fc.array(places, { maxLength: 12, size: "max" }), places, (log, readings, [a, b]) => {
      const length = log.holds.length;
      const ranges = new CountedRanges();
      for (const [from, to] of readings) {
        if (from < length) read(ranges, log, from, Math.min(length, Math.max(from + 1, to)));
      }
      const [from, to] = [Math.min(a, b) % length, Math.min(length, Math.max(a, b))];
      const truth = recordsIn(log, from, Math.max(from, to));
      const { records, uncounted } = ranges.count(BigInt(from), BigInt(to));
      assert.ok(records <= truth && truth <= records + Number(uncounted), `${records} of ${truth}, ${uncounted}`);
      assert.equal(ranges.gap(BigInt(from), BigInt(to)) === undefined, uncounted === 0n);
      if (uncounted === 0n) assert.equal(records, truth);
    }),
  );
});

test("reading every gap makes it exact", () => {
  fc.assert(
    fc.property(logs, places, (log, [a, b]) => {
      const length = log.holds.length;
      const ranges = new CountedRanges();
      read(ranges, log, a % length, (a % length) + 1);
      const from = BigInt(b % length);
      for (let gap = ranges.gap(from, BigInt(length)); gap !== undefined; gap = ranges.gap(from, BigInt(length))) {
        read(ranges, log, Number(gap.from), Number(gap.from) + 1);
      }
      assert.deepEqual(ranges.count(from, BigInt(length)), {
        records: recordsIn(log, Number(from), length),
        uncounted: 0n,
      });
    }),
  );
});

test("a log without holes stays one range that can be cut anywhere, and so do many small transactions to a bound", () => {
  const ranges = new CountedRanges();
  for (let i = 0n; i < 10_000n; i++) ranges.add([{ from: i, to: i + 1n, records: 1 }]);
  assert.deepEqual(ranges.count(17n, 9_999n), { records: 9_982, uncounted: 0n });
  const holes = Array.from({ length: 20_000 }, (_, i) => ({
    from: BigInt(i * 3),
    to: BigInt(i * 3 + 3),
    records: 2,
  }));
  const many = new CountedRanges();
  many.add(holes);
  assert.deepEqual(many.count(0n, 60_000n), { records: 40_000, uncounted: 0n });
  const { uncounted } = many.count(1n, 60_000n);
  assert.ok(uncounted > 0n && uncounted < 100n, `${uncounted} offsets in the range that was cut`);
});

test("what is read again counts once, and what is below an offset is forgotten", () => {
  const ranges = new CountedRanges();
  ranges.add([{ from: 0n, to: 10n, records: 4 }]);
  ranges.add([{ from: 5n, to: 10n, records: 3 }]);
  assert.deepEqual(ranges.count(0n, 10n), { records: 3, uncounted: 5n });
  ranges.add([{ from: 0n, to: 5n, records: 5 }]);
  ranges.forgetBelow(2n);
  assert.deepEqual(ranges.count(0n, 10n), { records: 6, uncounted: 2n });
});

test("an estimate lies between what was counted and what could be, and is exact only if all was counted", () => {
  fc.assert(
    fc.property(fc.nat(1e6), fc.nat(1e6), fc.nat(1e6), (records, empty, rest) => {
      const offsets = BigInt(records + empty + rest);
      const { messages, exact, atMost } = waitingOf({ records, uncounted: BigInt(rest) }, offsets);
      assert.ok(messages >= records && messages <= atMost);
      assert.equal(atMost, records + rest);
      assert.equal(exact, rest === 0);
      if (exact) assert.equal(messages, records);
      else assert.ok(messages > 0);
    }),
  );
  assert.deepEqual(waitingOf({ records: 5, uncounted: 90n }, 100n), { messages: 50, exact: false, atMost: 95 });
  assert.deepEqual(waitingOf({ records: 0, uncounted: 0n }, 0n), { messages: 0, exact: true, atMost: 0 });
});
