import { constants } from "node:fs";
import { access, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { messageOf, SpillwayError } from "../errors.ts";
import { pause } from "../runtime/backoff.ts";
import { Flood } from "./flood.ts";
import type { Verdict } from "./ledger.ts";
import { DEMO_PACE, type DemoOptions, type DemoParts, type DemoServices } from "./parts.ts";
import { format, type Output, Progress } from "./progress.ts";
import { openStage, type Stage } from "./stage.ts";
import { type DemoFigures, type DemoResult, isAccountedFor, resultOf, summaryTable } from "./summary.ts";
import { until } from "./until.ts";

const FIRST_MESSAGE_TIMEOUT_MS = 60_000;
const DELIVERY_TIMEOUT_MS = 60_000;
/** How long the sinks may write nothing before the records that aren't there count as missing. */
const PATIENCE_MS = 60_000;

/**
 * The main job from end to end on real services: flood → relay → sink → database, with live messages beside it, judged
 * by a ledger of its own.
 * @throws SpillwayError RECORDS_UNACCOUNTED unless every record became one document in the order of its key, and if
 * the demo is stopped before that is known
 */
export async function runDemo(options: DemoOptions, parts: DemoParts): Promise<DemoResult> {
  const say = (line: string): void => void parts.output.write(`${line}\n`);
  if (options.json !== undefined) await assertWritable(options.json);
  const { quietMs, floodMs } = { ...DEMO_PACE, ...options.pace };
  const flood = new Flood(options.records, floodMs);

  // Anything that fails in the background ends the run with its error.
  const failure = new AbortController();
  const signal = AbortSignal.any([parts.signal, failure.signal]);
  let services: DemoServices | undefined;
  let kept = false;
  try {
    services = await parts.startServices({ kafka: true, mongo: true, log: say, signal });
    const figures = await perform(services);
    say(`\n${summaryTable(figures)}`);
    const result = resultOf(figures);
    if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(result, undefined, 2)}\n`);
    kept = options.keep;
    if (!isAccountedFor(figures.verdict)) throw unaccounted(figures.verdict);
    return result;
  } catch (error) {
    // Stopping is what the user wanted, but it isn't success.
    if (parts.signal.aborted && error === parts.signal.reason) throw interrupted(error);
    throw error;
  } finally {
    if (services !== undefined) {
      if (kept) await keep(services, parts, say);
      if (!kept || services.stopHint === undefined) await services.stop();
    }
  }

  async function perform(services: DemoServices): Promise<DemoFigures> {
    const onFailure = (error: unknown): void => failure.abort(error);
    await using stage = await openStage({ services, flood, parts, signal, onFailure });
    return await play(stage, { flood, quietMs, services, parts, signal, say });
  }
}

interface Play {
  readonly flood: Flood;
  readonly quietMs: number;
  readonly services: DemoServices;
  readonly parts: DemoParts;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** The story itself. */
async function play(stage: Stage, { flood, quietMs, services, parts, signal, say }: Play): Promise<DemoFigures> {
  const { live, ledger, meter, names } = stage;
  say(`Relay: ${names.hot} → ${names.wide}. Sink: ${names.wide} → ${names.collection} in ${services.database}.`);
  const opened = performance.now();
  const settled = (): boolean => live.watch.delivered > 0 && live.watch.isDelivered(opened);
  await until(settled, { timeoutMs: FIRST_MESSAGE_TIMEOUT_MS, what: "a live message came through", signal });

  say(`Quiet: 20 live messages a second for ${quietMs / 1000} s.`);
  const quietFrom = performance.now();
  await pause(quietMs, signal);
  const quietTo = performance.now();
  const isQuietOver = (): boolean => live.watch.isDelivered(quietTo);
  await until(isQuietOver, { timeoutMs: DELIVERY_TIMEOUT_MS, what: "the live messages came through", signal });

  const { records, burst } = flood;
  say(
    `Flood: ${format(records)} records, ${format(burst)} of them at once and the rest over ${flood.seconds} s, so that live messages meet a flood however short.`,
  );
  let drainedAt: number | undefined;
  {
    using _progress = new Progress(
      [
        { name: "produced", total: records, value: () => flood.acknowledged },
        { name: "relayed", total: records, value: () => meter.count - live.watch.delivered },
        {
          name: "written ≈",
          total: records,
          value: () => (drainedAt === undefined ? ledger.written.value - live.watch.delivered : records),
        },
      ],
      parts.output,
    );
    await meter.begin(burst);
    await flood.run(names.hot, stage.floodOutlet, ledger, signal);
    drainedAt = await ledger.drained(signal, PATIENCE_MS);
    await meter.ask();
  }
  if (drainedAt === undefined) say(`Nothing more has been written for ${PATIENCE_MS / 1000} s.`);
  const floodTo = drainedAt ?? performance.now();

  await live.stopSending();
  const isAllDelivered = (): boolean => live.watch.undelivered === 0;
  if (drainedAt !== undefined) {
    await until(isAllDelivered, {
      timeoutMs: DELIVERY_TIMEOUT_MS,
      what: "the last live messages came through",
      signal,
    });
  }
  const relayed = (await meter.ask()) - live.acknowledged;
  const [quiet, atFlood] = [live.watch.summary(quietFrom, quietTo), live.watch.summary(flood.startedAt, floodTo)];

  say("Stopping the relay and the sink, then looking at every document.");
  await live.watch.stop();
  await stage.stopCommands();
  const verdict = await judge(stage, parts.output, signal);
  return {
    database: services.database,
    produced: flood.acknowledged,
    burst,
    burstProducedPerSecond: flood.burstRate,
    relayed,
    relayRecordsPerSecond: meter.burstRate ?? 0,
    written: verdict.countWritten((key) => !stage.isLiveKey(key)),
    seconds: (floodTo - flood.startedAt) / 1000,
    producedForSeconds: flood.seconds,
    live: live.acknowledged,
    quiet,
    flood: atFlood,
    verdict,
    orderLookups: ledger.order.lookups,
    sampledKeys: stage.sampledKeys,
  };
}

async function judge({ ledger }: Stage, output: Output, signal: AbortSignal): Promise<Verdict> {
  let checked = 0;
  using _progress = new Progress([{ name: "checked", total: ledger.records.count, value: () => checked }], output);
  return await ledger.verdict((count) => {
    checked = count;
    signal.throwIfAborted();
  });
}

async function keep(services: DemoServices, { signal }: DemoParts, say: (line: string) => void): Promise<void> {
  const { brokers, mongoUrl, stopHint } = services;
  say(`\nKafka: ${brokers.join(", ")}`);
  say(`Database: ${withoutPassword(mongoUrl)} (${services.database})`);
  if (stopHint !== undefined) return say(`They stay up. ${stopHint}`);
  say("They stay up until Ctrl-C.");
  const { promise, resolve } = Promise.withResolvers<void>();
  // Neither the services nor a signal keep this process alive.
  const alive = setInterval(() => undefined, 2 ** 30);
  signal.addEventListener("abort", () => resolve(), { once: true });
  if (!signal.aborted) await promise;
  clearInterval(alive);
}

function withoutPassword(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/[^:/@]*):.*@/is, "$1:***@");
}

async function assertWritable(file: string): Promise<void> {
  try {
    await access(dirname(file), constants.W_OK);
  } catch (cause) {
    throw new SpillwayError("CONFIG_INVALID", `${file} can't be written: ${messageOf(cause)}`, { cause });
  }
}

function interrupted(cause: unknown): SpillwayError {
  return new SpillwayError("RECORDS_UNACCOUNTED", "The demo was stopped before its records were accounted for", {
    cause,
  });
}

function unaccounted({ missing, duplicates, orderViolations, strangers, misnamed }: Verdict): SpillwayError {
  return new SpillwayError(
    "RECORDS_UNACCOUNTED",
    `Records are unaccounted for: ${missing} missing, ${duplicates} duplicates, ${orderViolations} order violations, ${strangers} documents of no record, ${misnamed} misnamed`,
  );
}
