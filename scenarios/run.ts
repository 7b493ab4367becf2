/**
 * The mission's figure: how much a flood slows live messages down, with the same service behind it in several ways. The
 * accounts' ladders, with a row of Spillway's beneath them. And relay and sinks in operation: quiet, crashes, outages.
 * `npm run scenarios -- --json FILE`; see options.ts for the rest. Ends with 0 only if every check passed.
 */
import { constants } from "node:fs";
import { access, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { pino } from "pino";
import { describeMachine } from "../bench/machine.ts";
import { packageVersion } from "../bench/versions.ts";
import { Reaper } from "../services/reaper.ts";
import { scenarioOf, WRITE_MS } from "./catalog.ts";
import { type Figures, faultsOf, resultOf } from "./figures.ts";
import { ladderPace } from "./ladder/catalog.ts";
import { ladderResult } from "./ladder/figures.ts";
import { operationResult } from "./operations/figures.ts";
import { runOperations } from "./operations/run.ts";
import { parseOptions, type ScenarioOptions, USAGE } from "./options.ts";
import { perTopicResult } from "./per-topic/figures.ts";
import { delayWrites, openPlaces } from "./places.ts";
import { playScenario } from "./play.ts";
import { Relays } from "./relays.ts";
import { type Report, reportPage } from "./report/html.ts";
import { consoleTable } from "./report/table.ts";
import { runSinks } from "./sinks.ts";

const EXIT = { ok: 0, failed: 9, usage: 2, interrupted: 130 } as const;

const print = (line: string): void => void process.stdout.write(`${line}\n`);
process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  let options: ScenarioOptions;
  try {
    options = parseOptions(args);
    // A run takes half an hour: not to be lost for that.
    for (const file of [options.report, options.json ?? options.report]) await access(dirname(file), constants.W_OK);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return EXIT.usage;
  }
  const interruption = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => {
      print(`\n${name}: stopping everything.`);
      interruption.abort(new Error(name));
    });
  }
  const { signal } = interruption;
  try {
    const report = await runAll(options, signal);
    return await conclude(report, options);
  } catch (error) {
    if (signal.aborted) return EXIT.interrupted;
    throw error;
  }
}

async function runAll(options: ScenarioOptions, signal: AbortSignal): Promise<Report> {
  await using guard = new Reaper();
  const { seed, pace } = options;
  const { figures, versions: places } = await floods(options, guard, signal);
  const sinks = await runSinks({ ...options, isFull: pace.isFull }, { guard, print, signal });
  const operations = await runOperations({ ...options, isFull: pace.isFull }, { guard, print, signal });
  const versions = {
    spillway: packageVersion(new URL("../package.json", import.meta.url)),
    node: process.versions.node,
    kafkajs: packageVersion(import.meta.resolve("kafkajs/package.json")),
    ...places,
  };
  return {
    takenAt: new Date().toISOString(),
    machine: describeMachine(),
    versions,
    seed,
    pace,
    figures,
    ...sinks,
    operations,
  };
}

async function floods({ names, seed, pace, compose }: ScenarioOptions, guard: Reaper, signal: AbortSignal) {
  const figures: Figures[] = [];
  if (names.length === 0) return { figures, versions: {} };
  await using places = await openPlaces({ compose, log: print, signal });
  await delayWrites(places.proxy, WRITE_MS);
  const log = pino({ level: "warn" }, pino.destination(2));
  const parts = { places, relays: new Relays(guard, print), guard, log, say: print, signal };
  for (const name of names) {
    const played = await playScenario(scenarioOf(name), pace, seed, parts);
    figures.push(played);
    print(`  ${JSON.stringify(resultOf(played, pace))}`);
    for (const fault of faultsOf(played, pace)) print(`  ✖ ${fault}`);
  }
  const { database, kafka } = places;
  return { figures, versions: { kafka, database } };
}

async function conclude(report: Report, { json, report: page, pace }: ScenarioOptions): Promise<number> {
  const { figures, ladders, perTopic, operations } = report;
  const results = [
    ...figures.map((one) => resultOf(one, pace)),
    ...ladders.map((one) => ladderResult(one, ladderPace(pace.isFull))),
    ...(perTopic === undefined ? [] : [perTopicResult(perTopic)]),
    ...operations.map(operationResult),
  ];
  if (figures.length > 0) print(`\n${consoleTable(figures, pace)}`);
  await writeFile(page, reportPage(report));
  print(`\nThe page: ${page}`);
  if (json !== undefined) await writeFile(json, `${JSON.stringify(results, undefined, 2)}\n`);
  return results.every(({ ok }) => ok) ? EXIT.ok : EXIT.failed;
}
