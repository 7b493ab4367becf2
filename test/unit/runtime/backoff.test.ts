import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SpillwayError } from "../../../src/errors.ts";
import { backoffMs, pause, retry } from "../../../src/runtime/backoff.ts";
import { withDeadline } from "../../../src/runtime/deadline.ts";
import { every } from "../../../src/runtime/every.ts";

const quick = { signal: new AbortController().signal, backoff: { baseMs: 1, maxMs: 2 }, deadlineMs: 10_000 };
const passing = new SpillwayError("TIMEOUT", "again", { retryable: true });

test("a pause is anywhere up to a bound that doubles, up to a limit", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2_000 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (attempt, random) => {
        const ms = backoffMs(attempt, { baseMs: 10, maxMs: 1_000 }, () => random);
        assert.equal(ms, random * Math.min(1_000, attempt > 20 ? 1_000 : 10 * 2 ** (attempt - 1)));
      },
    ),
  );
});

test("what may pass is tried again, and each failure is told", async () => {
  const told: number[] = [];
  const result = await retry(
    async (attempt) => {
      if (attempt < 4) throw passing;
      return attempt;
    },
    { ...quick, onRetry: (_, attempt) => told.push(attempt) },
  );
  assert.equal(result, 4);
  assert.deepEqual(told, [1, 2, 3]);
});

test("what won't pass is thrown at once, and what doesn't pass in time then", async () => {
  let attempts = 0;
  const final = async () => {
    attempts++;
    throw new SpillwayError("PROTOCOL", "never");
  };
  await assert.rejects(retry(final, quick), { code: "PROTOCOL" });
  assert.equal(attempts, 1);
  await assert.rejects(
    retry(async () => Promise.reject(passing), { ...quick, deadlineMs: 20 }),
    { code: "TIMEOUT" },
  );
});

test("an abort ends a pause and the attempts", async () => {
  const abort = new AbortController();
  const waiting = pause(60_000, abort.signal);
  abort.abort(new Error("stop"));
  await assert.rejects(waiting, /stop/);
  await assert.rejects(
    retry(async () => 1, { ...quick, signal: abort.signal }),
    /stop/,
  );
});

test("a deadline is said with what missed it", async () => {
  const never = new Promise<never>(() => {});
  await assert.rejects(withDeadline(never, 5, "Waiting"), {
    code: "TIMEOUT",
    message: "Waiting took longer than 5 ms",
  });
  assert.equal(await withDeadline(Promise.resolve(7), 1_000, "Nothing"), 7);
});

test("repeated work never overlaps, survives its failures, and has ended when it is stopped", async () => {
  let running = 0;
  let runs = 0;
  let failures = 0;
  const enough = Promise.withResolvers<void>();
  const repeated = every(
    1,
    async () => {
      running++;
      assert.equal(running, 1);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running--;
      runs++;
      if (runs === 3) enough.resolve();
      throw passing;
    },
    () => failures++,
  );
  await enough.promise;
  await repeated.stop();
  assert.equal(running, 0);
  assert.equal(failures, runs);
});
