import assert from "node:assert/strict";
import { test } from "node:test";
import { Outage } from "../../../src/sink/outage.ts";
import { newSinkStats } from "../../../src/sink/stats.ts";
import { keptLog } from "./memory.ts";

function outage() {
  const { log, lines } = keptLog();
  const stats = newSinkStats();
  return { outage: new Outage("the database", log, stats), stats, levels: () => lines.map(({ level }) => level) };
}

/** Two calls never yield the same time. */
function now(): number {
  const before = performance.now();
  for (;;) {
    const time = performance.now();
    if (time > before) return time;
  }
}

test("one line when it begins, one when it is over, however many attempts fail", () => {
  const { outage: it, stats, levels } = outage();
  for (let i = 0; i < 100; i++) it.failed(now(), "ECONNREFUSED");
  assert.deepEqual(levels(), ["warn"]);
  assert.ok(stats.awaySince !== undefined);
  const later = now();
  it.succeeded(later);
  it.succeeded(later);
  assert.deepEqual(levels(), ["warn", "info"]);
  assert.equal(stats.awaySince, undefined);
});

test("a success that was under way before the last failure doesn't end it", () => {
  const { outage: it, levels } = outage();
  const early = now();
  it.failed(now(), "away");
  it.succeeded(early);
  assert.deepEqual(levels(), ["warn"]);
});

test("a failure of an attempt that began before the recovery doesn't begin another one", () => {
  const { outage: it, levels } = outage();
  const hung = now();
  it.failed(now(), "away");
  it.succeeded(now());
  it.failed(hung, "timed out");
  assert.deepEqual(levels(), ["warn", "info"]);
  it.failed(now(), "away again");
  assert.deepEqual(levels(), ["warn", "info", "warn"]);
});

test("without an outage success is silent", () => {
  const { outage: it, levels } = outage();
  it.succeeded(now());
  assert.deepEqual(levels(), []);
});
