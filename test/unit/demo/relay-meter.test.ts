import assert from "node:assert/strict";
import { test } from "node:test";
import { RelayMeter } from "../../../src/demo/relay-meter.ts";

test("the burst's rate is taken from when it begins to when its last record arrives", async () => {
  // What was there before doesn't count; 10 records a millisecond from the beginning on.
  let begun: number | undefined;
  const meter = new RelayMeter(async () => 500 + (begun === undefined ? 0 : (performance.now() - begun) * 10));
  const stop = new AbortController();
  const running = meter.run(stop.signal);
  assert.equal(meter.burstRate, undefined);
  begun = performance.now();
  await meter.begin(2_000);
  assert.equal(meter.burstRate, undefined);
  while (meter.burstRate === undefined && performance.now() - begun < 5_000) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  stop.abort();
  await running;
  assert.ok(Math.abs((meter.burstRate ?? 0) - 10_000) < 2_500, `${meter.burstRate} records a second`);
  assert.ok(meter.count >= 2_500);
});

test("a burst that never arrives has no rate, and a question that fails ends the watching", async () => {
  const still = new RelayMeter(async () => 7);
  await still.begin(1);
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 50);
  await still.run(stop.signal);
  assert.equal(still.burstRate, undefined);
  const broken = new RelayMeter(async () => Promise.reject(new Error("no broker")));
  await assert.rejects(broken.run(new AbortController().signal), /no broker/);
});
