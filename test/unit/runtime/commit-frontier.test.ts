import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CommitFrontier } from "../../../src/runtime/commit-frontier.ts";

test("the frontier is always the end of the longest finished beginning, whatever the order of completion", () => {
  const gaps = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 200, size: "max" });
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 40n }), gaps, fc.infiniteStream(fc.nat()), (start, steps, choices) => {
      const frontier = new CommitFrontier(start);
      const entries = [];
      for (let offset = start; entries.length < steps.length; ) {
        offset += BigInt(steps[entries.length] as number);
        entries.push(frontier.track(offset));
      }
      const open = entries.map((_, i) => i);
      while (open.length > 0) {
        const [i] = open.splice((choices.next().value as number) % open.length, 1);
        frontier.complete(entries[i as number] as (typeof entries)[number]);
        const firstOpen: number = open.length === 0 ? entries.length : Math.min(...open);
        assert.equal(frontier.position, firstOpen === 0 ? start : entries[firstOpen - 1]?.nextOffset);
        assert.equal(frontier.pending, entries.length - firstOpen);
      }
    }),
  );
});

test("it stays small while entries come and go", () => {
  const frontier = new CommitFrontier(0n);
  for (let i = 1n; i <= 100_000n; i++) frontier.complete(frontier.track(i));
  assert.equal(frontier.position, 100_000n);
  assert.equal(frontier.pending, 0);
});

test("work tracked out of order is a mistake of the caller", () => {
  const frontier = new CommitFrontier(10n);
  assert.throws(() => frontier.track(9n), RangeError);
  frontier.track(20n);
  assert.throws(() => frontier.track(19n), RangeError);
});

test("a log that has lost its end takes the frontier back, once what was tracked before is done", () => {
  const frontier = new CommitFrontier(1_000n);
  const before = frontier.track(1_010n);
  frontier.returnTo(1_010n);
  frontier.returnTo(40n);
  const behind = frontier.track(50n);
  frontier.complete(behind);
  assert.equal(frontier.position, 1_000n);
  frontier.complete(before);
  assert.equal(frontier.position, 50n);
});
