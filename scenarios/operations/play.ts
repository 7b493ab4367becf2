import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { offsetsBetween } from "../../bench/topics.ts";
import { runCommand } from "../../services/command.ts";
import { DEAD_LETTER_SUFFIX } from "../../src/dead-letter/dead-letter.ts";
import { pause } from "../../src/runtime/backoff.ts";
import { isProven, type VerifyReport } from "../../src/verify/report.ts";
import { originId } from "../ledger.ts";
import { SPILLWAY } from "../worker.ts";
import { type OperationName, type OperationPace, SLOW_SINK, TITLES } from "./catalog.ts";
import type { OperationFigures, Relayed } from "./figures.ts";
import { type OperationParts, openPipeline, type Pipeline } from "./pipeline.ts";
import { SCRIPTS } from "./scripts.ts";

/** How long nothing may be written before what isn't there counts as missing. */
const PATIENCE_MS = 30_000;
const LOOK_MS = 100;
const VERIFY_MS = 300_000;

/** One scenario from its beginning to its check. @throws what failed in the background, the signal's reason */
export async function playOperation(
  name: OperationName,
  pace: OperationPace,
  parts: OperationParts,
): Promise<OperationFigures> {
  const failure = new AbortController();
  const signal = AbortSignal.any([parts.signal, failure.signal]);
  parts.say(`\n${name}: ${TITLES[name]}.`);
  const sinkArgs = name === "scale-out" ? SLOW_SINK : [];
  const inside = { ...parts, signal };
  await using pipeline = await openPipeline(inside, sinkArgs, (error) => failure.abort(error));
  const { live, backlog, relay, sinks, topics, wide, destination, collection, ledger } = pipeline;
  const from = performance.now();
  const own = await SCRIPTS[name](pipeline, pace, inside);
  await live.stopSending();
  await settled(pipeline, signal);
  const measured = live.watch.summary(from, Number.POSITIVE_INFINITY);
  await live.watch.stop();
  await Promise.all([relay, ...sinks].map((worker) => worker.stop()));
  const letters = wide + DEAD_LETTER_SUFFIX;
  return {
    own,
    database: parts.places.database,
    live: measured,
    backlog: backlog.points,
    relayed: await verified(pipeline, inside),
    deadLetters: offsetsBetween(await topics.start(letters), await topics.end(letters)),
    verdict: await ledger.verdict(destination.documents(collection), () => true, originId),
    isFull: pace.isFull,
  };
}

/** When everything is in the database, or nothing has come for a while. */
async function settled({ backlog, live, ledger }: Pipeline, signal: AbortSignal): Promise<void> {
  const isThere = (): boolean => backlog.written >= ledger.count && live.watch.undelivered === 0;
  let [most, movedAt] = [backlog.written, performance.now()];
  while (!isThere() && performance.now() - movedAt < PATIENCE_MS) {
    await pause(LOOK_MS, signal);
    if (backlog.written > most) [most, movedAt] = [backlog.written, performance.now()];
  }
}

/** By the command itself, as its users would. */
async function verified({ hot, wide }: Pipeline, { places, guard, signal }: OperationParts): Promise<Relayed> {
  const file = join(guard.directory, `${wide}.json`);
  const args = ["verify", hot, "--in", wide, "--brokers", places.brokers.join(), "--json", file];
  const { code, stderr } = await runCommand(process.execPath, [SPILLWAY, ...args], {
    ...{ timeoutMs: VERIFY_MS, reaper: guard, signal },
  });
  const text = await readFile(file, "utf8").catch(() => undefined);
  if (text === undefined) throw new Error(`spillway verify ended with ${code} and no report: ${stderr}`);
  const report: VerifyReport = JSON.parse(text);
  const { targetRecords: records, missing, duplicated, outOfOrder, wrongPartition } = report;
  return { records, missing, duplicated, outOfOrder, wrongPartition, isProven: code === 0 && isProven(report) };
}
