import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { AcknowledgedRecords } from "../../../src/demo/acknowledged.ts";
import { WrittenEstimate } from "../../../src/demo/written-estimate.ts";

test("the estimate follows what is written, with few look-ups", async () => {
  const records = new AcknowledgedRecords();
  const acknowledge = (count: number): void => {
    for (let offset = records.count; offset < count; offset++) {
      records.add("k", offset, { topicId: "AAAAAAAAAAAAAAAAAAAAAA", partition: 0, offset: BigInt(offset) });
    }
  };
  let written = 30_000;
  let lookups = 0;
  const estimate = new WrittenEstimate(records, async (id) => {
    lookups++;
    return Number(id.split("-").at(-1)) < written;
  });
  acknowledge(100_000);
  assert.equal(estimate.value, 0);
  void estimate.start();
  await pause(100);
  assert.equal(estimate.value, 30_000);
  assert.ok(lookups < 40, `${lookups} look-ups`);
  written = 100_000;
  await pause(1_200);
  assert.equal(estimate.value, 100_000);
  await estimate.stop();
});
