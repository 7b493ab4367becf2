import assert from "node:assert/strict";
import { test } from "node:test";
import { InFlightLimit } from "../../../src/runtime/in-flight-limit.ts";

const never = new AbortController().signal;

async function isOpen(limit: InFlightLimit): Promise<boolean> {
  const closed = Symbol("closed");
  const turn = new Promise((resolve) => setImmediate(() => resolve(closed)));
  const abort = new AbortController();
  const answer = await Promise.race([limit.open(abort.signal), turn]);
  abort.abort();
  return answer !== closed;
}

test("it closes at its bound and opens again at four fifths of it", async () => {
  const limit = new InFlightLimit({ bytes: 100, items: 1_000 });
  limit.enter(99);
  assert.equal(await isOpen(limit), true);
  limit.enter(1);
  assert.equal(await isOpen(limit), false);
  limit.leave(19);
  assert.equal(await isOpen(limit), false);
  limit.leave(1);
  assert.equal(await isOpen(limit), true);
});

test("items are bounded as bytes are", async () => {
  const limit = new InFlightLimit({ bytes: 1e9, items: 10 });
  limit.enter(1, 10);
  assert.equal(await isOpen(limit), false);
  limit.leave(1, 2);
  assert.equal(await isOpen(limit), true);
});

test("all that wait are woken", async () => {
  const limit = new InFlightLimit({ bytes: 10, items: 10 });
  limit.enter(10);
  const waiting = Promise.all([limit.open(never), limit.open(never), limit.open(never)]);
  limit.leave(10);
  await waiting;
  assert.deepEqual([limit.bytes, limit.items], [0, 0]);
});

test("a wait ends with its signal, and leaves no listener behind", async () => {
  const limit = new InFlightLimit({ bytes: 1, items: 1 });
  limit.enter(1);
  const abort = new AbortController();
  const waiting = limit.open(abort.signal);
  abort.abort(new Error("enough"));
  await assert.rejects(waiting, /enough/);
  await assert.rejects(limit.open(abort.signal), /enough/);
});
