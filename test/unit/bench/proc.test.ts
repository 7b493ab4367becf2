import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { cpuSecondsOf, parseMachineCpu, parseStat, peakRssMiBOf, treeOf } from "../../../bench/proc.ts";

const LINUX = { skip: existsSync("/proc/self/stat") ? false : "there is no /proc here" };

test("a program's name may hold brackets and blanks", () => {
  const line = "42 (a) b (c) S 7 42 42 0 -1 4194304 100 200 0 0 150 50 30 20 20 0 11 0 1000 2000 300";
  assert.deepEqual(parseStat(line), { pid: 42, parent: 7, cpuSeconds: 2.5 });
});

test("a tree is a process and all below it, and nothing else", () => {
  const process = (pid: number, parent: number) => ({ pid, parent, cpuSeconds: 1 });
  const all = [process(1, 0), process(5, 3), process(2, 1), process(3, 2), process(4, 1), process(6, 9)];
  assert.deepEqual(
    treeOf(2, all)
      .map(({ pid }) => pid)
      .toSorted(),
    [2, 3, 5],
  );
  assert.deepEqual(treeOf(77, all), []);
});

test("the machine's CPU leaves out what is idle or waits for a disk", () => {
  assert.equal(parseMachineCpu("cpu  100 20 30 9999 8888 4 5 6 0 0\ncpu0 1 1 1 1\n"), 1.65);
});

test("CPU of children counts, whether they still run or not", LINUX, async () => {
  const spin = "while (process.cpuUsage().user < 300_000);";
  const run = `require("node:child_process").execFileSync(process.execPath, ["-e", ${JSON.stringify(spin)}])`;
  const child = spawn(process.execPath, ["-e", `${run}; process.stdin.resume()`], {
    stdio: ["pipe", "ignore", "inherit"],
  });
  const pid = child.pid ?? 0;
  try {
    const giveUpAt = Date.now() + 60_000;
    while (cpuSecondsOf(pid) < 0.3 && Date.now() < giveUpAt) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.ok(cpuSecondsOf(pid) >= 0.3);
    assert.ok(peakRssMiBOf(pid) > 10);
  } finally {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  assert.equal(cpuSecondsOf(pid), 0);
});
