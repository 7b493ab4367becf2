/**
 * The mission's figure: how much a flood slows live messages down, with the same service behind it in several ways.
 * `npm run scenarios -- --json FILE`; see options.ts for the rest. Ends with 0 only if every check passed.
 */
import { constants } from "node:fs";
import { access, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { pino } from "pino";
import { describeMachine } from "../bench/machine.ts";
import { packageVersion } from "../bench/versions.ts";
import { Reaper } from "../services/reaper.ts";
import { scenarioOf } from "./catalog.ts";
import { type Figures, faultsOf, resultOf } from "./figures.ts";
import { parseOptions, type ScenarioOptions, USAGE } from "./options.ts";
import { openPlaces } from "./places.ts";
import { playScenario } from "./play.ts";
import { Relays } from "./relays.ts";
import { type Report, reportPage } from "./report/html.ts";
import { consoleTable } from "./report/table.ts";

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

async function runAll({ names, seed, pace, compose }: ScenarioOptions, signal: AbortSignal): Promise<Report> {
  await using guard = new Reaper();
  await using places = await openPlaces({ compose, log: print, signal });
  const log = pino({ level: "warn" }, pino.destination(2));
  const parts = { places, relays: new Relays(guard, print), guard, log, say: print, signal };
  const figures: Figures[] = [];
  for (const name of names) {
    const played = await playScenario(scenarioOf(name), pace, seed, parts);
    figures.push(played);
    print(`  ${JSON.stringify(resultOf(played, pace))}`);
    for (const fault of faultsOf(played, pace)) print(`  ✖ ${fault}`);
  }
  const { database, kafka } = places;
  const versions = {
    spillway: packageVersion(new URL("../package.json", import.meta.url)),
    node: process.versions.node,
    kafka,
    kafkajs: packageVersion(import.meta.resolve("kafkajs/package.json")),
    database,
  };
  return { takenAt: new Date().toISOString(), machine: describeMachine(), versions, seed, pace, figures };
}

async function conclude(report: Report, { json, report: page, pace }: ScenarioOptions): Promise<number> {
  const results = report.figures.map((one) => resultOf(one, pace));
  print(`\n${consoleTable(report.figures, pace)}`);
  await writeFile(page, reportPage(report));
  print(`\nThe curves: ${page}`);
  if (json !== undefined) await writeFile(json, `${JSON.stringify(results, undefined, 2)}\n`);
  return results.every(({ ok }) => ok) ? EXIT.ok : EXIT.failed;
}
