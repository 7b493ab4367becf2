import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Meter, Progress } from "../../../src/demo/progress.ts";

test("the rate is that of the last seconds, and the time left follows from it", () => {
  let value = 0;
  const meter = new Meter({ name: "written", total: 10_000, value: () => value });
  const first = meter.read(0);
  assert.deepEqual([first.perSecond, first.secondsLeft], [0, undefined]);
  for (let second = 1; second <= 5; second++) {
    value += 100;
    meter.read(second * 1_000);
  }
  for (let second = 6; second <= 12; second++) {
    value += 500;
    meter.read(second * 1_000);
  }
  const { value: now, perSecond, secondsLeft } = meter.read(12_000);
  assert.deepEqual([now, Math.round(perSecond), Math.round(secondsLeft ?? 0)], [4_000, 500, 12]);
  value = 10_000;
  assert.equal(meter.read(13_000).secondsLeft, 0);
  value = 10_003;
  assert.equal(meter.read(14_000).value, 10_000);
  value = 9_998;
  assert.equal(meter.read(15_000).value, 10_000);
});

test("elsewhere than on a terminal progress is plain lines, the last one when it is over", async () => {
  const written: string[] = [];
  let value = 0;
  {
    using _progress = new Progress([{ name: "produced", total: 2_000, value: () => value }], {
      write: (text) => written.push(text),
    });
    await pause(20);
    value = 2_000;
  }
  assert.equal(written.length, 1);
  assert.match(written[0] ?? "", /^ {2}produced 2,000 of 2,000, [\d,]+\/s\n$/);
});
