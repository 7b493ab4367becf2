import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Child } from "../../../src/demo/child.ts";

function node(script: string, guard?: { watch(group: number): void; forget(group: number): void }): Child {
  return new Child({ name: "relay", command: [process.execPath, "-e", script], env: process.env, guard });
}

async function untilLogged(child: Child, text: string): Promise<void> {
  for (let turn = 0; turn < 500 && !child.lastLines().includes(text); turn++) await pause(10);
}

test("a child that ends by itself is an error with its exit code and last lines", async () => {
  const child = node("console.log('first'); console.error('topic hot is missing'); process.exitCode = 6");
  await assert.rejects(child.failed, (error: Error) => {
    assert.match(error.message, /The relay ended with exit code 6/);
    assert.match(error.message, /first[\s\S]*topic hot is missing|topic hot is missing[\s\S]*first/);
    return true;
  });
  assert.deepEqual(await child.stop(1_000), { code: 6, signal: null });
});

test("ending without an error before it is stopped is a failure as well", async () => {
  await assert.rejects(node("").failed, /ended with exit code 0\. It logged nothing/);
});

test("a child that can't be started fails with the reason", async () => {
  const child = new Child({ name: "sink", command: ["/nowhere/spillway"], env: process.env });
  await assert.rejects(child.failed, /The sink ended with no exit code[\s\S]*ENOENT/);
  assert.deepEqual(await child.stop(1_000), { code: null, signal: null });
});

test("a child that is stopped flushes, and has not failed", async () => {
  const child = node(
    "process.on('SIGTERM', () => { console.log('flushed'); clearInterval(t); }); const t = setInterval(() => 0, 1e6); console.log('up')",
  );
  let failed = false;
  child.failed.catch(() => {
    failed = true;
  });
  await untilLogged(child, "up");
  assert.deepEqual(await child.stop(10_000), { code: 0, signal: null });
  assert.match(child.lastLines(), /flushed/);
  assert.equal(failed, false);
});

test("a child that doesn't heed SIGTERM is killed after the time it is given", async () => {
  const child = node("process.on('SIGTERM', () => 0); setInterval(() => 0, 1e6); console.log('up')");
  await untilLogged(child, "up");
  assert.deepEqual(await child.stop(100), { code: null, signal: "SIGKILL" });
});

test("the guard knows the child's group while it lives, and only then", async () => {
  const calls: string[] = [];
  const child = node("setInterval(() => 0, 1e6)", {
    watch: (group) => calls.push(`watch ${group}`),
    forget: (group) => calls.push(`forget ${group}`),
  });
  const { pid } = child;
  assert.deepEqual(calls, [`watch ${pid}`]);
  await child.stop(5_000);
  assert.deepEqual(calls, [`watch ${pid}`, `forget ${pid}`]);
});

test("only the last lines are kept", async () => {
  const child = node("for (let i = 0; i < 5000; i++) console.log('line ' + i)");
  await assert.rejects(child.failed);
  const lines = child.lastLines().split("\n");
  assert.equal(lines.length, 16);
  assert.equal(lines.at(-1), "line 4999");
});
