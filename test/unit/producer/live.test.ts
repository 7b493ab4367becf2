import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type LivePlan, liveMessage, runLive } from "../../../src/producer/live.ts";
import { OutletDouble } from "./outlet-double.ts";

const plan: LivePlan = { ratePerSecond: 200, keys: 4, valueBytes: 150, seed: 1 };

test("messages take their keys in turn, count per key and are due on an absolute timetable", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 500 }),
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 0, max: 1e6 }),
      (ratePerSecond, keys, index) => {
        const given = { ...plan, ratePerSecond, keys };
        const message = liveMessage(index, given);
        assert.equal(message.dueMs, (index * 1000) / ratePerSecond);
        const next = liveMessage(index + keys, given);
        assert.deepEqual([next.key, next.sequence], [message.key, message.sequence + 1]);
      },
    ),
  );
});

test("the rate holds over a delay, and the latency counts from when a message was due", async () => {
  const outlet = new OutletDouble();
  const stop = new AbortController();
  const scheduled: number[] = [];
  const startedAt = performance.now();
  setTimeout(() => {
    // Nothing else runs in this process for a fifth of a second.
    while (performance.now() - startedAt < 300);
  }, 100);
  const messages = 120; // 600 ms of them, so twice as long as the delay lasts
  const sent = await runLive(plan, {
    topic: "hot",
    outlet,
    stop: stop.signal,
    onSent: (_, scheduledAt) => {
      if (scheduled.push(scheduledAt) === messages) stop.abort();
      return undefined;
    },
  });
  assert.equal(sent, messages, "none was left out for being late");
  for (const [index, at] of scheduled.entries()) {
    assert.ok(Math.abs(at - (scheduled[0] ?? 0) - index * 5) < 0.001);
  }
  const late = outlet.sent.map(({ at }, index) => at - (scheduled[index] ?? 0));
  assert.ok(Math.min(...late) >= 0);
  assert.ok(Math.max(...late) > 150, `at most ${Math.max(...late)} ms late`);
});

test("a message says what it is and when it was due", async () => {
  const outlet = new OutletDouble();
  const stop = new AbortController();
  const times: number[] = [];
  const acknowledged: number[] = [];
  await runLive(plan, {
    topic: "hot",
    outlet,
    stop: stop.signal,
    onSent: ({ index }, scheduledAt) => {
      times.push(Math.round(performance.timeOrigin + scheduledAt));
      if (index === 5) stop.abort();
      return ({ offset }) => acknowledged.push(Number(offset));
    },
  });
  const facts = outlet.values.map(({ kind, key, seq, created }) => [kind, key, seq, created]);
  assert.deepEqual(facts[5], ["live", "live-0001", 1, times[5]]);
  assert.equal(facts.length, 6);
  assert.deepEqual(acknowledged, [0, 1, 2, 3, 4, 5]);
  assert.ok(Math.abs(Date.now() - (times[5] ?? 0)) < 1_000);
});

test("a message that can't be delivered ends the traffic with its error", async () => {
  const outlet = new OutletDouble();
  outlet.failAt = 3;
  const run = runLive(plan, { topic: "hot", outlet, stop: new AbortController().signal });
  await assert.rejects(run, /the broker is away/);
});
