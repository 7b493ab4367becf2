import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Ping } from "../../../src/sink/ping.ts";

test("a ping is the quickest of the last answers, and none is asked for once it is disposed of", async () => {
  mock.timers.enable({ apis: ["setInterval"] });
  const clock = mock.method(performance, "now", () => now);
  let now = 0;
  let asked = 0;
  const took = [30, 10, 20, ...new Array<number>(12).fill(40)];
  const ping = new Ping(async () => {
    if (asked === 2) {
      asked++;
      throw new Error("away");
    }
    now += took[asked++] ?? 0;
  });
  try {
    assert.equal(ping.ms, undefined);
    const pinging = ping.start();
    const next = async () => {
      mock.timers.tick(5_000);
      await turn();
    };
    await next();
    assert.equal(ping.ms, 30);
    await next();
    await next();
    assert.equal(ping.ms, 10, "what fails is no answer");
    for (let i = 0; i < 12; i++) await next();
    assert.equal(ping.ms, 40, "what was long ago is forgotten");
    await pinging[Symbol.asyncDispose]();
    const before = asked;
    await next();
    assert.equal(asked, before);
  } finally {
    clock.mock.restore();
    mock.timers.reset();
  }
});
