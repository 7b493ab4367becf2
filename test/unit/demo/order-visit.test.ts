import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Frontier, NOTHING_SEEN, visit } from "../../../src/demo/order-visit.ts";

const fractions = fc.infiniteStream(fc.double({ min: 0, max: 0.999999, noNaN: true }));
const frontiers = fc.record({ seen: fc.integer({ min: -1, max: 5_000 }), stride: fc.integer({ min: 1, max: 500 }) });

interface Visited {
  readonly looks: readonly number[];
  readonly after: Frontier;
  /** Whether a lower one was looked for in vain after a higher one was found. */
  readonly caught: boolean;
}

function visited(
  frontier: Frontier,
  acknowledged: number,
  isThere: (sequence: number) => boolean,
  random: () => number,
): Visited {
  const looks: number[] = [];
  const generator = visit(frontier, acknowledged, random);
  let present = frontier.seen;
  let caught = false;
  let step = generator.next();
  while (step.done !== true) {
    const sequence = step.value;
    looks.push(sequence);
    const found = isThere(sequence);
    if (!found && sequence < present) caught = true;
    if (found) present = Math.max(present, sequence);
    step = generator.next(found);
  }
  return { looks, after: step.value, caught };
}

test("a key in order: the edge is found with few looks, and nothing is caught", () => {
  fc.assert(
    fc.property(frontiers, fc.nat(6_000), fc.nat(6_000), fractions, (frontier, more, unwritten, stream) => {
      const written = frontier.seen + 1 + more;
      const acknowledged = written + unwritten;
      const random = () => stream.next().value ?? 0;
      const { looks, after, caught } = visited(frontier, acknowledged, (sequence) => sequence < written, random);
      assert.equal(caught, false);
      assert.equal(after.seen, written - 1);
      for (const look of looks) assert.ok(look >= 0 && look < acknowledged);
      assert.ok(looks.length <= 2 * Math.log2(more + frontier.stride + 2) + 12, `${looks.length} looks`);
    }),
  );
});

test("a key of which everything was seen costs no look", () => {
  assert.deepEqual(visited(NOTHING_SEEN, 0, () => false, Math.random).looks, []);
  assert.deepEqual(visited({ seen: 41, stride: 3 }, 42, () => false, Math.random).looks, []);
});

test("whatever is there, looks stay within what is acknowledged and the visit ends", () => {
  fc.assert(
    fc.property(frontiers, fc.nat(6_000), fc.func(fc.boolean()), fractions, (frontier, more, isThere, stream) => {
      const acknowledged = frontier.seen + 1 + more;
      const { looks, after } = visited(frontier, acknowledged, isThere, () => stream.next().value ?? 0);
      for (const look of looks) assert.ok(look >= 0 && look < acknowledged);
      assert.ok(after.seen >= frontier.seen && after.seen < Math.max(acknowledged, frontier.seen + 1));
    }),
  );
});

test("a batch that overtook another is caught by a good part of the visits, from wherever they start", () => {
  for (const [gap, batch] of [
    [1, 1],
    [3, 3],
    [2, 10],
    [10, 2],
    [15, 15],
  ] as const) {
    const written = 1_000;
    const isThere = (sequence: number): boolean =>
      sequence < written || (sequence >= written + gap && sequence < written + gap + batch);
    let caught = 0;
    for (let turn = 0; turn < 1_000; turn++) {
      const frontier = { seen: written - 1 - Math.floor(Math.random() * 100), stride: 1 + (turn % 50) };
      if (visited(frontier, 2_000, isThere, Math.random).caught) caught++;
    }
    assert.ok(caught > 150, `a gap of ${gap} before a batch of ${batch} was caught by ${caught} visits of 1000`);
  }
});
