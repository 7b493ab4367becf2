import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AttemptSize } from "../../../src/sink/attempt-size.ts";

test("a database that does so many in time soon gets about as many, and not often more", () => {
  fc.assert(
    fc.property(fc.integer({ min: 250, max: 5_000 }), fc.constantFrom(0.5, 1, 2, 5, 40), (limit, times) => {
      const batch = Math.ceil(limit * times);
      const size = new AttemptSize();
      let late = 0;
      let done = 0;
      const attempts = 300;
      for (let i = 0; i < attempts; i++) {
        const tried = Math.min(batch, size.most);
        if (tried > limit) {
          late++;
          size.late(tried);
        } else {
          done += tried;
          size.succeeded(tried);
        }
      }
      // One in seven, when it has tried an eighth more once too often; six at first, from 40 times as many on.
      assert.ok(late <= attempts / 6 + 7, `${late} late`);
      assert.ok(done >= 0.5 * attempts * Math.min(limit, batch), `${done} done`);
    }),
  );
});

test("however long it is late, a hundred are tried, and all again some thirty successes later", () => {
  const size = new AttemptSize();
  for (let i = 0; i < 50; i++) size.late(Math.min(4_000, size.most));
  assert.equal(size.most, 100);
  size.late(1);
  assert.equal(size.most, 100, "what few took too long for is no matter of their number");
  let attempts = 0;
  for (; size.most < 4_000; attempts++) size.succeeded(size.most);
  assert.ok(attempts < 35, `${attempts}`);
});

test("what was smaller shows nothing of larger ones, and without a late one there is no bound", () => {
  const size = new AttemptSize();
  size.succeeded(100_000);
  assert.equal(size.most, Number.POSITIVE_INFINITY);
  size.late(400);
  size.succeeded(199);
  assert.equal(size.most, 200);
});
