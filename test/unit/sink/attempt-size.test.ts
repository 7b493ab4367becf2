import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AttemptSize } from "../../../src/sink/attempt-size.ts";

test("a database that does so many in time soon gets about as many, and hardly ever more", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5_000 }), fc.integer({ min: 1, max: 10_000 }), (limit, batch) => {
      const size = new AttemptSize();
      let failures = 0;
      let done = 0;
      const attempts = 300;
      for (let i = 0; i < attempts; i++) {
        const tried = Math.min(batch, size.most);
        if (tried > limit) {
          failures++;
          size.failed(tried, 10_000);
        } else {
          done += tried;
          size.succeeded(tried, 100);
        }
      }
      // One in seven, when it has tried an eighth more once too often; of two or three there is no eighth.
      assert.ok(failures <= attempts / (Math.min(limit, batch) < 8 ? 2 : 5) + 14, `${failures} failures`);
      assert.ok(done >= attempts * Math.min(limit, batch) * (limit < 8 ? 0.3 : 0.5), `${done} done`);
    }),
  );
});

test("what a target takes at once is never exceeded, and reached again after an outage", () => {
  const size = new AttemptSize(1_000);
  assert.equal(size.most, 1_000);
  for (let i = 0; i < 12; i++) size.failed(size.most, 10_000);
  assert.equal(size.most, 1);
  let attempts = 0;
  for (; size.most < 1_000; attempts++) size.succeeded(size.most, 100);
  assert.ok(attempts < 60, `${attempts}`);
  for (let i = 0; i < 10; i++) size.succeeded(size.most, 100);
  assert.equal(size.most, 1_000);
  // A batch that was smaller shows nothing of larger ones.
  size.failed(400, 10_000);
  size.succeeded(100, 100);
  assert.equal(size.most, 200);
});

test("without a failure there is no bound", () => {
  const size = new AttemptSize();
  size.succeeded(100_000, 100);
  assert.equal(size.most, Number.POSITIVE_INFINITY);
});

test("what fails as soon as others succeed is no matter of its size", () => {
  const size = new AttemptSize(1_000);
  size.succeeded(1_000, 300);
  size.failed(1_000, 2);
  assert.equal(size.most, 1_000);
});
