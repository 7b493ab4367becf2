import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { OldestFirst, type Queue } from "../../../src/sink/oldest-first.ts";

class ArrayQueue implements Queue<number> {
  readonly left: number[];

  constructor(items: readonly number[]) {
    this.left = [...items];
  }

  head(): number | undefined {
    return this.left[0];
  }

  shift(): void {
    this.left.shift();
  }
}

test("several queues in order are taken of as one in order, as far as one likes", () => {
  const queues = fc.array(fc.array(fc.nat(), { maxLength: 20 }), { maxLength: 20 });
  fc.assert(
    fc.property(queues, fc.nat({ max: 400 }), (items, count) => {
      const sorted = items.map((of) => of.toSorted((a, b) => a - b));
      const given = sorted.map((of) => new ArrayQueue(of));
      const merged = new OldestFirst(given, (item) => item);
      const all = sorted.flat().toSorted((a, b) => a - b);
      const taken: number[] = [];
      for (let head = merged.head(); head !== undefined && taken.length < count; head = merged.head()) {
        taken.push(head);
        merged.shift();
      }
      assert.deepEqual(taken, all.slice(0, count));
      assert.deepEqual(
        given.flatMap(({ left }) => left).toSorted((a, b) => a - b),
        all.slice(count),
      );
      if (count >= all.length) merged.shift(); // of nothing, it takes nothing
    }),
  );
});
