import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { LiveWatch, percentile } from "../../../src/demo/live-watch.ts";

const idOf = (offset: number): string => `AAAAAAAAAAAAAAAAAAAAAA-0-${offset}`;

test("the latency runs from the scheduled time to the look that finds the message", async () => {
  const there = new Set<string>();
  const watch = new LiveWatch({ lookup: async (id) => there.has(id), pollMs: 5 });
  watch.start();
  const scheduledAt = performance.now() - 200;
  watch.sent("a", scheduledAt)(idOf(1));
  await pause(50);
  assert.equal(watch.undelivered, 1);
  // A timer may fire a little before its time: what was slept isn't what passed.
  const earliestMs = performance.now() - scheduledAt;
  there.add(idOf(1));
  for (let turn = 0; turn < 500 && watch.delivered === 0; turn++) await pause(2);
  const latestMs = performance.now() - scheduledAt;
  await watch.stop();
  const { messages, undelivered, p50Ms, p99Ms } = watch.summary(scheduledAt, scheduledAt + 1);
  assert.deepEqual([messages, undelivered, watch.delivered], [1, 0, 1]);
  assert.ok(p50Ms >= earliestMs && p50Ms <= latestMs, `${p50Ms} ms`);
  assert.equal(p99Ms, p50Ms);
});

test("undelivered messages count with their age, acknowledged or not, each in its time", async () => {
  const watch = new LiveWatch({ lookup: async () => false, pollMs: 5 });
  watch.start();
  const now = performance.now();
  watch.sent("a", now - 5_000)(idOf(1));
  watch.sent("b", now - 3_000);
  watch.sent("a", now - 1_000)(idOf(2));
  await pause(20);
  await watch.stop();
  const passedMs = performance.now() - now;
  const { messages, undelivered, p50Ms, maxMs } = watch.summary(now - 6_000, now - 1_000);
  const lateMs = performance.now() - now;
  assert.deepEqual([messages, undelivered], [2, 2]);
  assert.ok(p50Ms >= 3_000 + passedMs && p50Ms <= 3_000 + lateMs, `${p50Ms} ms`);
  assert.ok(maxMs >= 5_000 + passedMs && maxMs <= 5_000 + lateMs, `${maxMs} ms`);
  assert.equal(watch.summary(now - 1_000, now).messages, 1);
  assert.ok(Number.isNaN(watch.summary(now, now + 1).p99Ms));
  assert.deepEqual([watch.isDelivered(now - 5_000), watch.isDelivered(now - 4_000)], [true, false]);
});

test("of each key one message is looked for at a time, all that are there in one go", async () => {
  const asked: string[] = [];
  let open = false;
  const watch = new LiveWatch({
    pollMs: 5,
    lookup: async (id) => {
      asked.push(id);
      return open;
    },
  });
  for (let offset = 0; offset < 20; offset++) watch.sent("a", performance.now())(idOf(offset));
  watch.start();
  await pause(30);
  assert.deepEqual(new Set(asked), new Set([idOf(0)]));
  open = true;
  for (let turn = 0; turn < 500 && watch.delivered < 20; turn++) await pause(2);
  await watch.stop();
  assert.equal(watch.delivered, 20);
});

test("one that has waited for long is looked for once in a share of its age", async () => {
  let looks = 0;
  const lookup = async (): Promise<boolean> => {
    looks++;
    return false;
  };
  const watch = new LiveWatch({ pollMs: 2, pollShare: 0.5, lookup });
  watch.sent("a", performance.now() - 60_000)(idOf(0));
  watch.start();
  await pause(60);
  await watch.stop();
  assert.equal(looks, 1);
});

test("samples say what was delivered and what waits, each with its time", async () => {
  const watch = new LiveWatch({ lookup: async (id) => id === idOf(0), pollMs: 2 });
  const now = performance.now();
  watch.sent("a", now - 20)(idOf(0));
  watch.sent("a", now - 10)(idOf(1));
  watch.start();
  for (let turn = 0; turn < 500 && watch.delivered === 0; turn++) await pause(2);
  await watch.stop();
  const samples = watch.samples(now - 30, now).map(({ scheduledAt, isDelivered }) => [now - scheduledAt, isDelivered]);
  assert.deepEqual(samples, [
    [20, true],
    [10, false],
  ]);
});

test("a slow look-up isn't asked again before it answered", async () => {
  let underWay = 0;
  let most = 0;
  const watch = new LiveWatch({
    pollMs: 2,
    lookup: async () => {
      most = Math.max(most, ++underWay);
      await pause(25);
      underWay--;
      return false;
    },
  });
  watch.sent("a", performance.now())(idOf(0));
  watch.start();
  await pause(60);
  await watch.stop();
  assert.equal(most, 1);
  assert.equal(underWay, 0);
});

test("a look-up that fails is thrown by stop", async () => {
  const watch = new LiveWatch({ lookup: async () => Promise.reject(new Error("the database is away")), pollMs: 2 });
  watch.sent("a", performance.now())(idOf(0));
  watch.start();
  await pause(20);
  await assert.rejects(watch.stop(), /the database is away/);
});

test("percentiles are those of the nearest rank", () => {
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1);
  assert.deepEqual([percentile(hundred, 0.5), percentile(hundred, 0.99), percentile(hundred, 1)], [50, 99, 100]);
  assert.deepEqual([percentile([7], 0.99), percentile([], 0.5)], [7, Number.NaN]);
});
