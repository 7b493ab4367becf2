import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { OrderWatch } from "../../../src/demo/order-watch.ts";

const TOPIC_ID = "AAAAAAAAAAAAAAAAAAAAAA";

function watchOf(visible: (offset: number) => boolean, lookupsPerSecond = 10_000) {
  const asked: number[] = [];
  const watch = new OrderWatch({
    keys: ["k"],
    lookupsPerSecond,
    lookup: async (id) => {
      const offset = Number(id.split("-").at(-1));
      asked.push(offset);
      return visible(offset);
    },
  });
  const acknowledge = (sequence: number): void =>
    watch.acknowledged("k", sequence, { topicId: TOPIC_ID, partition: 0, offset: BigInt(sequence) });
  return { watch, asked, acknowledge };
}

test("a gap that is met counts once, however often it is looked at", async () => {
  const { watch, acknowledge } = watchOf((offset) => offset !== 7);
  for (let sequence = 0; sequence < 9; sequence++) acknowledge(sequence);
  watch.start();
  for (let sequence = 9; sequence < 100; sequence++) {
    acknowledge(sequence);
    await pause(1);
  }
  await watch.stop();
  assert.ok(watch.violations <= 1);
  for (const { absent } of watch.firstViolations) assert.equal(absent, 7);
});

test("a key whose records appear in order is never at fault, though some appear between two looks", async () => {
  let written = 0;
  const { watch, asked, acknowledge } = watchOf((offset) => offset < ++written / 3);
  for (let sequence = 0; sequence < 300; sequence++) acknowledge(sequence);
  watch.start();
  for (let turn = 0; turn < 2_000 && !asked.includes(299); turn++) await pause(1);
  await watch.stop();
  assert.equal(watch.violations, 0);
  assert.ok(asked.includes(299));
});

test("only what is acknowledged without a gap is looked for, and only sampled keys", async () => {
  const { watch, asked, acknowledge } = watchOf(() => true);
  for (const sequence of [2, 0, 4, 5]) acknowledge(sequence);
  watch.acknowledged("another", 0, { topicId: TOPIC_ID, partition: 0, offset: 99n });
  watch.start();
  await pause(30);
  assert.deepEqual([...new Set(asked)], [0]);
  acknowledge(1);
  await pause(30);
  await watch.stop();
  assert.deepEqual(
    [...new Set(asked)].toSorted((a, b) => a - b),
    [0, 1, 2],
  );
});

test("look-ups keep to their rate", async () => {
  const { watch, asked, acknowledge } = watchOf(() => false, 200);
  for (let sequence = 0; sequence < 1_000; sequence++) acknowledge(sequence);
  watch.start();
  await pause(500);
  await watch.stop();
  assert.ok(asked.length >= 50 && asked.length <= 115, `${asked.length} look-ups in half a second at 200 a second`);
});

test("a look-up that fails is thrown by stop", async () => {
  const { watch, acknowledge } = watchOf(() => {
    throw new Error("the database is away");
  });
  acknowledge(0);
  watch.start();
  await pause(10);
  await assert.rejects(watch.stop(), /the database is away/);
});
