import { machineCpuSeconds } from "../bench/proc.ts";
import { format } from "../src/demo/progress.ts";
import { until } from "../src/demo/until.ts";
import { pause } from "../src/runtime/backoff.ts";
import { type Pace, type Scenario, warmupPerSecond } from "./catalog.ts";
import type { CurvePoint, Figures } from "./figures.ts";
import { Flood } from "./flood.ts";
import { openStage, type Parts, type Stage } from "./stage.ts";

/** Between the warm-up and the quiet. */
const SETTLE_MS = 5_000;
const DELIVERY_TIMEOUT_MS = 60_000;
/** How long the service may write nothing before the records that aren't there count as missing. */
const PATIENCE_MS = 30_000;
const LINE_EVERY_MS = 10_000;
const LOOK_MS = 100;

/**
 * One scenario from its beginning to its check: live messages in quiet, then the same with a flood beside them.
 * @throws what failed in the background, the signal's reason
 */
export async function playScenario(scenario: Scenario, pace: Pace, seed: number, parts: Parts): Promise<Figures> {
  const failure = new AbortController();
  const signal = AbortSignal.any([parts.signal, failure.signal]);
  parts.say(`\n${scenario.name}: ${scenario.title}.`);
  await using stage = await openStage(scenario, { ...parts, signal }, (error) => failure.abort(error));
  return await perform(stage, scenario, { pace, seed }, { ...parts, signal });
}

interface Plan {
  readonly pace: Pace;
  readonly seed: number;
}

async function perform(stage: Stage, scenario: Scenario, { pace, seed }: Plan, parts: Parts): Promise<Figures> {
  const { live, ledger, store, names } = stage;
  const { say, signal } = parts;
  const isDelivered = (before: number, what: string): Promise<void> =>
    until(() => live.watch.isDelivered(before), { timeoutMs: DELIVERY_TIMEOUT_MS, what, signal });

  const perSecond = warmupPerSecond(scenario);
  const warmup = new Flood({ ms: pace.warmupMs, perSecond, seed: seed + 1, keyPrefix: "warm-" });
  const flood = new Flood({ ms: pace.floodMs, seed });
  // Live messages that are written and not seen yet are few: this is close, and settled by the verdict.
  const worked = (): number => stage.written() - live.watch.delivered;
  say(`  warming up for ${pace.warmupMs / 1_000} s: ${perSecond} messages/s`);
  await warmup.run(names.hot, stage.floodOutlet, ledger, signal);
  await workedOff(worked, warmup.records, signal);
  await pause(SETTLE_MS, signal);
  await isDelivered(performance.now(), "the first live messages came through");
  const quietCores = new BusyCores();
  const quietFrom = performance.now();
  say(`  quiet for ${pace.quietMs / 1_000} s`);
  await pause(pace.quietMs, signal);
  const quietTo = performance.now();
  const quietBusy = quietCores.read();
  await isDelivered(quietTo, "the live messages came through");

  const floodCores = new BusyCores();
  const floodFrom = performance.now();
  const flooded = (): number => worked() - warmup.records;
  let [producedAt, workedOffAt] = [0, undefined as number | undefined];
  {
    using _telling = telling(() => `  flood ${seconds(performance.now() - floodFrom)} s: ${progress()}`, say);
    await flood.run(names.hot, stage.floodOutlet, ledger, signal);
    producedAt = performance.now();
    if (scenario.isCutOff !== true) workedOffAt = await workedOff(flooded, flood.records, signal);
  }
  const floodTo = workedOffAt ?? performance.now();
  const floodBusy = floodCores.read();
  if (scenario.isCutOff !== true && workedOffAt === undefined)
    say(`  nothing was written for ${PATIENCE_MS / 1_000} s`);

  const cutOff = scenario.isCutOff === true ? measure() : undefined;
  await live.stopSending();
  if (workedOffAt !== undefined) await isDelivered(performance.now(), "the last live messages came through");
  const measured = cutOff ?? measure();
  await live.watch.stop();
  const writes = await stage.stop();
  const committed = scenario.isCutOff === true ? await stage.committed() : undefined;
  const verdict = await ledger.verdict(
    store.documents(),
    ({ partition, offset }) => committed === undefined || offset < (committed.get(partition) ?? 0n),
  );
  return {
    scenario: scenario.name,
    ...measured,
    floodRecords: flood.acknowledged,
    producedSeconds: seconds(producedAt - floodFrom),
    workedOffSeconds: workedOffAt === undefined ? undefined : seconds(workedOffAt - floodFrom),
    verdict,
    repeated: stage.repeated(),
    writes,
    busyCores: quietBusy === undefined || floodBusy === undefined ? undefined : { quiet: quietBusy, flood: floodBusy },
  };

  function progress(): string {
    return `${format(flood.acknowledged)} of ${format(flood.records)} produced, ${format(Math.max(0, flooded()))} written`;
  }

  /** Messages that wait count with the age that they have now. */
  function measure(): Pick<Figures, "quiet" | "flood" | "curve"> {
    const curve = live.watch
      .samples(quietFrom, floodTo)
      .map(({ scheduledAt, latencyMs, isDelivered }): CurvePoint => {
        return [seconds(scheduledAt - floodFrom), Math.round(latencyMs), isDelivered ? 1 : 0];
      })
      .sort(([a], [b]) => a - b);
    return {
      quiet: live.watch.summary(quietFrom, quietTo),
      flood: live.watch.summary(floodFrom, floodTo),
      curve,
    };
  }
}

/** When the service had written all of the flood; undefined if it stops coming closer. */
async function workedOff(written: () => number, records: number, signal: AbortSignal): Promise<number | undefined> {
  let [most, movedAt] = [written(), performance.now()];
  while (most < records) {
    await pause(LOOK_MS, signal);
    const now = written();
    if (now > most) [most, movedAt] = [now, performance.now()];
    if (performance.now() - movedAt > PATIENCE_MS) return undefined;
  }
  return movedAt;
}

/** Says something every now and then until disposed of. */
function telling(line: () => string, say: (line: string) => void): Disposable {
  const timer = setInterval(() => say(line()), LINE_EVERY_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

class BusyCores {
  readonly #startedAt = performance.now();
  readonly #cpuSeconds = machineSeconds();

  /** Since its making. */
  read(): number | undefined {
    const now = machineSeconds();
    if (now === undefined || this.#cpuSeconds === undefined) return undefined;
    return Math.round(((now - this.#cpuSeconds) * 100_000) / (performance.now() - this.#startedAt)) / 100;
  }
}

/** Only where there is a /proc. */
function machineSeconds(): number | undefined {
  try {
    return machineCpuSeconds();
  } catch {
    return undefined;
  }
}

function seconds(ms: number): number {
  return Math.round(ms / 10) / 100;
}
