import { until } from "../../src/demo/until.ts";
import { pause } from "../../src/runtime/backoff.ts";
import { LIVE_PER_SECOND } from "../catalog.ts";
import { Flood } from "../flood.ts";
import { delayWrites } from "../places.ts";
import { type OperationName, type OperationPace, SINKS, SLOW_WRITE_MS } from "./catalog.ts";
import type { CrashFigures, OutageFigures, OwnFigures, ScaleFigures, SteadyFigures } from "./figures.ts";
import type { OperationParts, Pipeline } from "./pipeline.ts";

const CAUGHT_UP_MS = 300_000;
const JOINED_MS = 120_000;
const FLUSH_MS = 60_000;
/** What was under way when the database was cut off may have been written, and is counted a little later. */
const CUT_SETTLES_MS = 500;

type Script<F> = (pipeline: Pipeline, pace: OperationPace, parts: OperationParts) => Promise<F>;

/** What happens in each scenario, once messages flow. Each ends when nothing but the newest messages is waiting. */
export const SCRIPTS: Readonly<Record<OperationName, Script<OwnFigures>>> = {
  "steady-state": steadyState,
  "database-outage": databaseOutage,
  "relay-crash": relayCrash,
  "scale-out": scaleOut,
};

async function steadyState({ live }: Pipeline, { steady }: OperationPace, { signal }: OperationParts) {
  await pause(steady.ms, signal);
  const end = performance.now();
  await until(() => live.watch.isDelivered(end), { timeoutMs: CAUGHT_UP_MS, what: "all came through", signal });
  return { scenario: "steady-state" } satisfies SteadyFigures;
}

async function databaseOutage(pipeline: Pipeline, { outage }: OperationPace, parts: OperationParts) {
  const { backlog, sinks } = pipeline;
  const { places, say, signal } = parts;
  const { perSecond, beforeMs, awayMs } = outage;
  // Messages go on until it is caught up with, for as long as they came before at most.
  const load = loading(pipeline, { perSecond, ms: 2 * beforeMs + awayMs }, parts);
  await pause(beforeMs, signal);
  const generations = (): number => sinks.reduce((sum, sink) => sum + sink.generations, 0);
  const generationsBefore = generations();
  say(`  the database is cut off, with ${backlog.waiting} messages waiting`);
  const cutAt = backlog.now;
  await places.proxy.cut();
  await pause(CUT_SETTLES_MS, signal);
  const writtenWhenCut = backlog.written;
  await pause(awayMs - CUT_SETTLES_MS, signal);
  const [waiting, writtenWhileAway] = [backlog.waiting, backlog.written - writtenWhenCut];
  await places.proxy.restore();
  const backAt = backlog.now;
  say(`  it is back, with ${waiting} messages waiting`);
  await caughtUp(pipeline, perSecond, signal);
  const caughtUpSeconds = tenths(backlog.now - backAt);
  await load.stop();
  return {
    scenario: "database-outage",
    awaySeconds: tenths(backAt - cutAt),
    waiting,
    writtenWhileAway,
    rebalances: generations() - generationsBefore,
    caughtUpSeconds,
  } satisfies OutageFigures;
}

async function relayCrash(pipeline: Pipeline, { crash }: OperationPace, parts: OperationParts) {
  const { backlog, relay } = pipeline;
  const { say, signal } = parts;
  const { perSecond, kills, aliveMs, downMs } = crash;
  // Until the last kill, however long it takes the relay to join its group each time.
  const load = loading(pipeline, { perSecond, ms: kills * (aliveMs + downMs + JOINED_MS) }, parts);
  let [waiting, backAt] = [0, 0];
  for (let kill = 1; kill <= kills; kill++) {
    await pause(aliveMs, signal);
    await relay.kill();
    await pause(downMs, signal);
    waiting = Math.max(waiting, backlog.waiting);
    say(`  the relay was killed, ${kill} of ${kills}: ${backlog.waiting} messages are waiting`);
    const { generations } = relay;
    relay.start();
    backAt = backlog.now;
    const joined = (): boolean => relay.generations > generations;
    await until(joined, { timeoutMs: JOINED_MS, what: "the relay was in its group again", signal });
  }
  await load.stop();
  await caughtUp(pipeline, perSecond, signal);
  const caughtUpSeconds = tenths(backlog.now - backAt);
  return { scenario: "relay-crash", kills, waiting, caughtUpSeconds } satisfies CrashFigures;
}

async function scaleOut(pipeline: Pipeline, { scale }: OperationPace, parts: OperationParts) {
  const { backlog, sinks, addSink } = pipeline;
  const { places, say, signal } = parts;
  const { perSecond, beforeMs, afterMs } = scale;
  const delay = await delayWrites(places.proxy, SLOW_WRITE_MS);
  const load = loading(pipeline, { perSecond, ms: beforeMs + afterMs }, parts);
  const rate = async (work: () => Promise<void>): Promise<number> => {
    const [from, before] = [backlog.now, backlog.written];
    await work();
    return Math.round((backlog.written - before) / (backlog.now - from));
  };
  const writtenBefore = await rate(() => pause(beforeMs, signal));
  const waiting = backlog.waiting;
  say(`  one sink writes ${writtenBefore} messages/s, ${waiting} are waiting; two more are started`);
  const scaledAt = backlog.now;
  while (sinks.length < SINKS.after) addSink();
  const isShared = (): boolean => sinks.every(({ partitions }) => partitions > 0);
  await until(isShared, { timeoutMs: JOINED_MS, what: "all sinks had partitions", signal });
  const sharedSeconds = tenths(backlog.now - scaledAt);
  const writtenAfter = await rate(() => caughtUp(pipeline, perSecond, signal));
  const caughtUpSeconds = tenths(backlog.now - scaledAt);
  const fellWhileLoaded = !load.isOver();
  await load.stop();
  await places.proxy.remove(delay);
  return {
    scenario: "scale-out",
    waiting,
    writtenBefore,
    writtenAfter,
    sharedSeconds,
    caughtUpSeconds,
    fellWhileLoaded,
    partitions: sinks.map(({ partitions }) => partitions),
  } satisfies ScaleFigures;
}

interface Load {
  isOver(): boolean;
  /** Ends it, if it hasn't ended. Resolves when the ledger knows all of it. @throws what failed */
  stop(): Promise<void>;
}

/** So many messages a second beside the live ones, of a backfill, for so long at most; known to the ledger. */
function loading(
  { hot, outlet, ledger }: Pipeline,
  { perSecond, ms }: { readonly perSecond: number; readonly ms: number },
  { seed, signal }: OperationParts,
): Load {
  const stopped = new AbortController();
  const until = AbortSignal.any([signal, stopped.signal]);
  let isOver = false;
  const running = new Flood({ ms, perSecond, seed }).run(hot, outlet, ledger, until).then(() => {
    isOver = true;
  });
  // It may fail before it is waited for.
  running.catch(() => undefined);
  return {
    isOver: () => isOver,
    async stop() {
      stopped.abort(new Error("enough"));
      await running.catch((error: unknown) => {
        if (error !== stopped.signal.reason) throw error;
      });
      await outlet.flush(FLUSH_MS);
    },
  };
}

/** When fewer messages are waiting than come in a second. */
async function caughtUp({ backlog }: Pipeline, perSecond: number, signal: AbortSignal): Promise<void> {
  const bound = perSecond + LIVE_PER_SECOND;
  const what = `fewer than ${bound} messages were waiting`;
  await until(() => backlog.waiting < bound, { timeoutMs: CAUGHT_UP_MS, what, signal });
}

function tenths(seconds: number): number {
  return Math.round(seconds * 10) / 10;
}
