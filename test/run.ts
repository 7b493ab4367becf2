import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync, globSync, readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, relative, resolve, sep } from "node:path";
import { finished } from "node:stream/promises";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { setTimeout as pause } from "node:timers/promises";
import { prometheusPrograms } from "../services/prometheus/build.ts";
import { Reaper } from "../services/reaper.ts";
import { type Services, startServices } from "../services/services.ts";
import { Durations } from "./durations.ts";

/**
 * Runs the suite: `node test/run.ts [file, folder, glob or part of a path]…`.
 * Real services are started once, their addresses are passed on by environment, and they are stopped whatever happens.
 * The last line is `N passed, N failed`, and the exit code 0 only if tests ran, none failed and none left a process.
 */

const ROOT = resolve(import.meta.dirname, "..");
/** Of a whole file, in milliseconds. Long forms, of many kills for instance, are given more. */
const FILE_TIMEOUT_MS = Number(process.env["SPILLWAY_TEST_FILE_LIMIT_S"] ?? 600) * 1_000;
/**
 * If nothing is said for this long, something hangs: a test, or a file on a handle that was left open. What a test prints
 * counts; its diagnostics come with its end.
 */
const SILENCE_LIMIT_MS = 300_000;
/** Found in the environment of whatever the tests start, so that processes left behind are known as theirs. */
const MARKER = "SPILLWAY_TEST_RUN";
const LEFT_BEHIND_GRACE_MS = 5_000;
/** It needs Prometheus, of which the build says nothing for longer than that. */
const ALERTS = join("test", "integration", "alerts.test.ts");

/** As all of test/chaos, they wait more than they work, and neither measure anything nor break what others use. */
const SOCIABLE = [
  "alerts",
  "cli",
  "codec-interop",
  "compose",
  "dead-letters",
  "dynamo-target",
  "handover",
  "job",
  "kubernetes",
  "lag",
  "latest",
  "library",
  "package",
  "poison-batch",
  "preflight",
  "preflight-cluster",
  "protocol",
  "registry",
  "relay",
  "security",
  "sink-poison",
  "sink-replies",
  "steering",
  "targets",
  "verify",
].map((name) => join("test", "integration", `${name}.test.ts`));

interface Tally {
  readonly passed: number;
  readonly skipped: number;
  /** One line for each. */
  readonly failures: readonly string[];
}

interface Phase {
  readonly files: readonly string[];
  readonly concurrency: number;
}

interface TestEnd {
  readonly name: string;
  readonly file?: string | undefined;
  readonly line?: number | undefined;
  readonly skip?: string | boolean | undefined;
  readonly todo?: string | boolean | undefined;
  readonly details: { readonly type?: "suite" | "test"; readonly duration_ms: number };
}

const durations = new Durations(ROOT);

const interruption = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => interruption.abort(new Error(`stopped by ${signal}`)));
}

process.exitCode = await main(process.argv.slice(2), interruption.signal);

async function main(patterns: readonly string[], signal: AbortSignal): Promise<number> {
  const files = testFiles(patterns);
  const phases = phasesOf(files);
  const needsServices = files.some((file) => !isUnit(file));
  let services: Services | undefined;
  const tallies: Tally[] = [];
  try {
    if (needsServices) services = await startServices({ kafka: true, mongo: true, toxiproxy: true, log, signal });
    if (services !== undefined) await passOn(services);
    if (files.includes(ALERTS)) await buildPrometheus(signal);
    process.env[MARKER] = randomUUID();
    for (const phase of phases) tallies.push(await runPhase(phase, signal));
    tallies.push(await leftBehind(process.env[MARKER]));
  } catch (error) {
    tallies.push({ passed: 0, skipped: 0, failures: [`the runner: ${describe(error)}`] });
  } finally {
    await services?.stop();
  }
  return report(tallies, signal);
}

function log(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Sorted, so that every run has the same order. */
function testFiles(patterns: readonly string[]): string[] {
  const all = globSync("test/**/*.test.ts", { cwd: ROOT }).sort();
  if (patterns.length === 0) return all;
  const wanted = new Set(patterns.flatMap((pattern) => [...matches(pattern, all)]));
  return all.filter((file) => wanted.has(file));
}

function matches(pattern: string, all: readonly string[]): readonly string[] {
  const globbed = globSync(pattern, { cwd: ROOT }).map((file) => relative(ROOT, resolve(ROOT, file)));
  const named = all.filter((file) => globbed.includes(file) || globbed.some((folder) => file.startsWith(folder + sep)));
  return named.length > 0 ? named : all.filter((file) => file.includes(pattern));
}

function isUnit(file: string): boolean {
  return file.startsWith(join("test", "unit") + sep);
}

/** The other integration tests measure: nothing else may run beside them. */
function phasesOf(files: readonly string[]): Phase[] {
  const inPairs = Math.min(2, availableParallelism());
  const isSociable = (file: string) => SOCIABLE.includes(file) || file.startsWith(join("test", "chaos") + sep);
  const phases = [
    { files: files.filter(isUnit), concurrency: inPairs },
    { files: files.filter(isSociable), concurrency: inPairs },
    { files: files.filter((file) => !isUnit(file) && !isSociable(file)), concurrency: 1 },
  ];
  return phases.filter((phase) => phase.files.length > 0);
}

async function passOn(services: Services): Promise<void> {
  Object.assign(process.env, {
    SPILLWAY_BROKERS: services.brokers.join(","),
    SPILLWAY_MONGO_URL: services.mongoUrl,
    SPILLWAY_TEST_TOXIPROXY: services.toxiproxy.url,
    SPILLWAY_TEST_JARS: await services.kafka.jars(),
  });
}

/** If it can't be had, the test that needs it says so, and the others run. */
async function buildPrometheus(signal: AbortSignal): Promise<void> {
  await using reaper = new Reaper();
  await prometheusPrograms({ reaper, log, signal }).catch((error: unknown) => log(describe(error)));
}

async function runPhase({ files, concurrency }: Phase, signal: AbortSignal): Promise<Tally> {
  const silence = new AbortController();
  const watchdog = setTimeout(() => silence.abort(), SILENCE_LIMIT_MS);
  const tally = { passed: 0, skipped: 0, failures: [] as string[] };
  const stopping = AbortSignal.any([signal, silence.signal]);

  const events = run({
    files: files.map((file) => join(ROOT, file)),
    cwd: ROOT,
    concurrency,
    timeout: FILE_TIMEOUT_MS,
    signal: stopping,
  });
  events.on("data", () => watchdog.refresh());
  events.on("test:summary", ({ file, duration_ms: ms }) => durations.file(file, ms));
  events.on("test:pass", (test: TestEnd) => {
    if (test.details.type === "suite" || test.todo !== undefined) return;
    durations.test(test.name, test.file, test.details.duration_ms);
    if (test.skip !== undefined) tally.skipped += 1;
    else if (isWholeFile(test)) tally.failures.push(`${placeOf(test)}: the file holds no test`);
    else tally.passed += 1;
  });
  events.on("test:fail", (test: TestEnd) => {
    if (test.details.type === "suite" || test.todo !== undefined) return;
    tally.failures.push(`${placeOf(test)}: ${isWholeFile(test) ? "the file did not run to its end" : test.name}`);
  });

  const output = events.compose(new spec());
  output.pipe(process.stdout, { end: false });
  try {
    await finished(output, { writable: false });
  } finally {
    clearTimeout(watchdog);
  }
  if (silence.signal.aborted) tally.failures.push(`nothing was heard for ${SILENCE_LIMIT_MS / 1000} s: a file hangs`);
  return tally;
}

/** Node reports a file as a test of its own if it holds none, or could not be run. */
function isWholeFile({ name, file }: TestEnd): boolean {
  return file !== undefined && resolve(ROOT, name) === file;
}

function placeOf({ file, line }: TestEnd): string {
  return `${file === undefined ? "unknown file" : relative(ROOT, file)}${line === undefined ? "" : `:${line}`}`;
}

/** Counts as failures the processes that tests started and did not end, and ends them. */
async function leftBehind(marker: string): Promise<Tally> {
  const giveUpAt = performance.now() + LEFT_BEHIND_GRACE_MS;
  let left = markedProcesses(marker);
  while (left.length > 0 && performance.now() < giveUpAt) {
    await pause(100);
    left = markedProcesses(marker);
  }
  for (const { pid } of left) process.kill(pid, "SIGKILL");
  return { passed: 0, skipped: 0, failures: left.map(({ pid, what }) => `a test left process ${pid} behind: ${what}`) };
}

/** Only where there is a /proc: elsewhere nothing is found. */
function markedProcesses(marker: string): { readonly pid: number; readonly what: string }[] {
  if (!existsSync("/proc/self/environ")) return [];
  const pids = readdirSync("/proc").map(Number);
  return pids
    .filter((pid) => pid > 0 && pid !== process.pid && readProcess(pid, "environ").includes(`${MARKER}=${marker}`))
    .map((pid) => ({ pid, what: readProcess(pid, "cmdline").replaceAll("\0", " ").slice(0, 200) }));
}

/** Empty if the process is gone, or not ours to look at. */
function readProcess(pid: number, what: "environ" | "cmdline"): string {
  try {
    return readFileSync(`/proc/${pid}/${what}`, "latin1");
  } catch {
    return "";
  }
}

async function report(tallies: readonly Tally[], signal: AbortSignal): Promise<number> {
  const passed = sum(tallies.map((tally) => tally.passed));
  const skipped = sum(tallies.map((tally) => tally.skipped));
  const failures = tallies.flatMap((tally) => tally.failures);
  const interrupted = signal.aborted ? [`not finished: ${describe(signal.reason)}`] : [];
  const none = passed + failures.length === 0 ? ["no test ran"] : [];
  for (const line of durations.lines()) log(line);
  for (const line of [...failures, ...interrupted, ...none]) log(`✖ ${line}`);
  const lastLine = `${passed} passed, ${failures.length} failed${skipped > 0 ? `, ${skipped} skipped` : ""}\n`;
  // Whoever reads a pipe must get the last line before the process ends.
  if (!process.stdout.write(lastLine)) await once(process.stdout, "drain");
  return failures.length + interrupted.length + none.length === 0 ? 0 : 1;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
