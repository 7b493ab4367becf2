import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Slots } from "../../../src/runtime/slots.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("no more than so many go on side by side, each gets its turn in order, also behind one that fails", async () => {
  const works = fc.array(fc.record({ turns: fc.nat(3), fails: fc.boolean() }), { maxLength: 30, size: "max" });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 5 }), works, async (count, all) => {
      const slots = new Slots(count);
      const begun: number[] = [];
      let now = 0;
      let most = 0;
      const ended = all.map(({ turns, fails }, i) =>
        slots.use(async () => {
          begun.push(i);
          most = Math.max(most, ++now);
          for (let t = 0; t <= turns; t++) await turn();
          now--;
          if (fails) throw new Error(String(i));
          return i;
        }),
      );
      const settled = await Promise.allSettled(ended);
      assert.deepEqual(
        settled.map((one) => one.status === "fulfilled"),
        all.map(({ fails }) => !fails),
      );
      assert.deepEqual(
        begun,
        all.map((_, i) => i),
      );
      assert.equal(most, Math.min(count, all.length));
    }),
    { numRuns: 50 },
  );
});
