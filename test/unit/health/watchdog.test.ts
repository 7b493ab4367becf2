import assert from "node:assert/strict";
import { test } from "node:test";
import { type Vitals, Watchdog } from "../../../src/health/watchdog.ts";

const WELL: Vitals = { joined: true, done: 0, hasWork: true, paused: false, away: undefined };

function watched() {
  let now = 0;
  const watchdog = new Watchdog(60_000, () => now);
  return (seconds: number, vitals: Partial<Vitals>) => {
    now = seconds * 1_000;
    return watchdog.look({ ...WELL, ...vitals });
  };
}

test("work of which nothing comes to its end for too long is a standstill, and ends with the first that does", () => {
  const at = watched();
  assert.equal(at(0, { done: 5 }).ready, true);
  assert.equal(at(59, { done: 5 }).ready, true);
  assert.deepEqual(at(75, { done: 5 }), { ready: false, reasons: ["nothing was done for 75 s, though there is work"] });
  assert.equal(at(76, { done: 6 }).ready, true);
});

test("who has nothing to do, or was told to stand still, is well, and has its patience anew afterwards", () => {
  const at = watched();
  at(0, { done: 5 });
  assert.equal(at(100, { done: 5, hasWork: false }).ready, true);
  assert.equal(at(159, { done: 5 }).ready, true);
  assert.equal(at(300, { done: 5, paused: true }).ready, true);
  assert.equal(at(350, { done: 5 }).ready, true);
  assert.equal(at(361, { done: 5 }).ready, false);
});

test("what is away, and a group that was not joined, are reasons of their own", () => {
  const at = watched();
  const away = { what: "the database", since: 0 };
  assert.deepEqual(at(0, { joined: false, away }).reasons, [
    "it has not joined its group",
    "the database is away since 1970-01-01T00:00:00.000Z",
  ]);
});
