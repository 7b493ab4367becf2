import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { untilAborted } from "../../../src/runtime/backoff.ts";
import { Running } from "../../../src/runtime/running.ts";

test("it runs once, and everybody gets its result", async () => {
  let runs = 0;
  const running = new Running(async () => ++runs);
  assert.deepEqual([await running.run(), await running.run()], [1, 1]);
});

test("stop, the scope's end and the application's signal each end it, and wait until it has", async () => {
  const ended: string[] = [];
  const make = (name: string, signal?: AbortSignal) =>
    new Running(async (stop) => {
      await untilAborted(stop);
      await Promise.resolve();
      ended.push(name);
      return name;
    }, signal);
  const stopped = make("stopped");
  const result = stopped.run();
  await stopped.stop();
  assert.deepEqual([ended, await result], [["stopped"], "stopped"]);
  {
    await using left = make("left");
    void left.run();
  }
  assert.deepEqual(ended, ["stopped", "left"]);
  const controller = new AbortController();
  const aborted = make("aborted", controller.signal).run();
  controller.abort();
  assert.equal(await aborted, "aborted");
  assert.equal(getEventListeners(controller.signal, "abort").length, 0);
});

test("a failure is told by run alone, and not by stop", async () => {
  const running = new Running(async () => {
    throw new Error("no");
  });
  const told = assert.rejects(running.run(), /no/);
  await running.stop();
  await told;
});

test("stopped before it has come to anything, it has ended, not failed", async () => {
  const controller = new AbortController();
  const running = new Running(async (stop) => {
    stop.throwIfAborted();
    return "done";
  }, controller.signal);
  controller.abort(new Error("the application ends"));
  assert.equal(await running.run(), undefined);
});

test("what was never started is stopped at once", async () => {
  await new Running(async () => assert.fail("never")).stop();
});
