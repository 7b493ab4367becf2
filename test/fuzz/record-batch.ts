/**
 * Reads hostile record batches by the million: `node test/fuzz/record-batch.ts [--cases N] [--seed N] [--from N]`.
 *
 * The cases run in a process of their own, with little memory, that notes which one it is at: so a case that hangs, runs
 * out of memory or breaks a codec's native code is named like any other. `--seed N --from INDEX --cases 1` repeats one.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { FuzzFailure, runBombs, runCases } from "./run.ts";

const HEAP_MIB = 512;
/** Of the whole process: a batch decompressed several times over, the bombs that are kept, and Node itself. */
const MOST_RSS_MIB = 1_024;
/** Near the most that a batch may grow to. */
const LARGEST_BOMB_BYTES = 60 * 1024 * 1024;
const HANGS_AFTER_MS = 120_000;
const REPORT_EVERY = 100_000;

const { values } = parseArgs({
  options: {
    cases: { type: "string", default: "1000000" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
    from: { type: "string", default: "0" },
    /** Where the process that runs the cases notes the one it is at. */
    journal: { type: "string" },
  },
});
const [cases, seed, from] = [Number(values.cases), Number(values.seed), Number(values.from)];
process.exitCode = values.journal === undefined ? await watch() : await run(values.journal);

/** Starts the process that runs the cases, and sees to it that it ends. */
async function watch(): Promise<number> {
  console.log(`seed ${seed}, cases ${from} to ${from + cases - 1}`);
  const folder = mkdtempSync(join(tmpdir(), "spillway-fuzz-"));
  const journal = join(folder, "case");
  writeFileSync(journal, "");
  const args = [`--seed=${seed}`, `--cases=${cases}`, `--from=${from}`, `--journal=${journal}`];
  const child = spawn(process.execPath, [`--max-old-space-size=${HEAP_MIB}`, import.meta.filename, ...args], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  let interrupted = false;
  const interrupt = () => {
    interrupted = true;
    child.kill("SIGKILL");
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, interrupt);
  const ended = once(child, "exit");
  try {
    for (let [at, since] = ["", performance.now()]; child.exitCode === null && child.signalCode === null; ) {
      await Promise.race([ended, pause(1_000)]);
      const now = readFileSync(journal, "utf8");
      if (now !== at) [at, since] = [now, performance.now()];
      if (performance.now() - since > HANGS_AFTER_MS) child.kill("SIGKILL");
    }
    if (interrupted) return 1;
    if (child.exitCode === 0 || child.exitCode === 1) return child.exitCode;
    const at = readFileSync(journal, "utf8").trim();
    console.error(`${at} ended the process: ${child.signalCode ?? `exit code ${child.exitCode}`}\n${repeat(at)}`);
    return 1;
  } finally {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
}

async function run(journal: string): Promise<number> {
  // Nobody would read what comes of it.
  const abandon = () => process.exit(1);
  process.once("disconnect", abandon);
  const file = openSync(journal, "w");
  // Always as long as the line before, which it replaces.
  const note = (what: string) => writeSync(file, `${what.padEnd(30)}\n`, 0);
  const start = performance.now();
  try {
    const begin = (index: number) => {
      note(`case ${index}`);
      if (index > from && index % REPORT_EVERY === 0) console.log(`${index} …`);
    };
    if (from === 0) console.log("bombs:", JSON.stringify(await runBombs(LARGEST_BOMB_BYTES, begin)));
    const casesStart = performance.now();
    const report = await runCases({ seed, from, cases, begin });
    const seconds = (performance.now() - casesStart) / 1_000;
    console.log("cases:", JSON.stringify(report));
    console.log(`${cases} cases in ${seconds.toFixed(1)} s, ${Math.round(cases / seconds)} a second`);
  } catch (error) {
    if (!(error instanceof FuzzFailure)) throw error;
    console.error(`${error.message}\n${repeat(`case ${error.index}`)}`);
    return 1;
  } finally {
    closeSync(file);
    process.off("disconnect", abandon);
    process.disconnect();
  }
  const { user, system } = process.cpuUsage();
  const rss = Math.round(process.resourceUsage().maxRSS / 1024);
  const all = (performance.now() - start) / 1_000;
  console.log(
    `in all ${all.toFixed(1)} s, ${((user + system) / 1e6).toFixed(1)} s of CPU, at most ${rss} MiB of memory`,
  );
  if (rss <= MOST_RSS_MIB) return 0;
  console.error(`more than ${MOST_RSS_MIB} MiB`);
  return 1;
}

/** How to run a case again. Those below 0 are the bombs, which come before case 0. */
function repeat(at: string): string {
  const index = Number(/-?\d+/.exec(at)?.[0] ?? 0);
  const which = index < 0 ? "--cases 0" : `--from ${index} --cases 1`;
  return `again: node test/fuzz/record-batch.ts --seed ${seed} ${which}`;
}
