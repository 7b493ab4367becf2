import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, test } from "node:test";

const MODULES = new URL("../../../src/cli/", import.meta.url).href;

/** Runs `work` as a process of its own, since signals and exits are a whole process's. */
function start(work: string, deadlineMs: number) {
  const script = `
    const { untilStopped } = await import("${MODULES}stop-signals.ts");
    const { createLogger } = await import("${MODULES}logger.ts");
    const alive = setInterval(() => {}, 1000);
    try {
      await untilStopped({ log: createLogger("info"), deadlineMs: ${deadlineMs} }, async (signal) => {
        console.log("ready");
        ${work}
      });
    } finally {
      clearInterval(alive);
    }
    console.log("after");
  `;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const closed = once(child, "close");
  return {
    child,
    ready: once(child.stdout, "data"),
    end: async () => ({ code: (await closed)[0] as number | null, output }),
  };
}

describe("signals", () => {
  test("the first stops the work, which ends in its own time", async () => {
    const run = start(
      `await new Promise((stop) => signal.addEventListener("abort", stop)); console.log("flushed");`,
      5_000,
    );
    await run.ready;
    run.child.kill("SIGTERM");
    const { code, output } = await run.end();
    assert.equal(code, 0);
    assert.match(output, /flushed\nafter/);
  });

  test("work that throws the signal's reason has stopped, not failed", async () => {
    const run = start(
      `await new Promise((_, fail) => signal.addEventListener("abort", () => fail(signal.reason)));`,
      5_000,
    );
    await run.ready;
    run.child.kill("SIGINT");
    assert.equal((await run.end()).code, 0);
  });

  test("work that fails while it stops has failed", async () => {
    const run = start(
      `await new Promise((stop) => signal.addEventListener("abort", stop)); throw new Error("lost");`,
      5_000,
    );
    await run.ready;
    run.child.kill("SIGINT");
    const { code, output } = await run.end();
    assert.equal(code, 1);
    assert.match(output, /Error: lost/);
  });

  test("the deadline ends the process with 13", async () => {
    const run = start("await new Promise(() => {});", 200);
    await run.ready;
    run.child.kill("SIGTERM");
    const { code, output } = await run.end();
    assert.equal(code, 13);
    assert.match(output, /not stopped in time/);
  });

  test("a second signal ends the process with 130", async () => {
    const run = start("await new Promise(() => {});", 60_000);
    await run.ready;
    const stopping = once(run.child.stderr, "data");
    run.child.kill("SIGTERM");
    await stopping;
    run.child.kill("SIGTERM");
    assert.equal((await run.end()).code, 130);
  });
});
