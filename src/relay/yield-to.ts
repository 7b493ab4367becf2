import type { Logger } from "pino";
import { messageOf } from "../errors.ts";
import type { KafkaOptions } from "../kafka/options.ts";
import { GroupLag, type PartitionLag } from "../lag/group-lag.ts";
import { every } from "../runtime/every.ts";
import type { Pace } from "./pace.ts";

/**
 * A group that goes before the relay, which slows down while the group's lag is over the bound: in messages over all of
 * its partitions, in seconds in any of them.
 */
export interface YieldTo {
  readonly group: string;
  readonly bound:
    | { readonly kind: "messages"; readonly messages: number }
    | { readonly kind: "seconds"; readonly seconds: number };
}

/** How far it goes down: to a hundredth of what it did when it was free. */
const LEAST_SHARE = 0.01;
const LEAST_PER_SECOND = 1;
const EVERY_MS = 1_000;

/** What is allowed now, and the most that was ever done without being held. */
export interface Yielding {
  /** Records per second; undefined while there is nothing to give way to. */
  readonly ceiling: number | undefined;
  readonly free: number;
}

/**
 * The next ceiling, after a second in which so many records were relayed: half of it for every second in which the
 * other group is too far behind, a quarter more for every other, until it is no ceiling any more. So the flow goes down
 * fast and comes back slowly, as TCP's congestion avoidance does (RFC 5681).
 */
export function nextYielding({ ceiling, free }: Yielding, isOver: boolean, perSecond: number): Yielding {
  const most = ceiling === undefined ? Math.max(free, perSecond) : free;
  // Nothing was ever relayed, so nothing is known of a pace that could be lowered.
  if (most === 0) return { ceiling: undefined, free: 0 };
  const least = Math.max(LEAST_PER_SECOND, most * LEAST_SHARE);
  if (isOver) return { ceiling: Math.max(least, Math.min(ceiling ?? perSecond, perSecond) / 2), free: most };
  if (ceiling === undefined) return { ceiling, free: most };
  const raised = ceiling * 1.25;
  return raised > most ? { ceiling: undefined, free: most } : { ceiling: raised, free: most };
}

export function isOver(lags: readonly PartitionLag[], bound: YieldTo["bound"]): boolean {
  return bound.kind === "messages"
    ? lags.reduce((sum, { messages }) => sum + Number(messages), 0) > bound.messages
    : lags.some(({ seconds }) => seconds !== undefined && seconds > bound.seconds);
}

interface Context {
  readonly kafka: KafkaOptions;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Looks at the other group's lag again and again, and lowers or raises the pace. What it can't see changes nothing. */
export function giveWay(
  { group, bound }: YieldTo,
  pace: Pace,
  { kafka, log, signal: ended }: Context,
): AsyncDisposable {
  const stop = new AbortController();
  const signal = AbortSignal.any([ended, stop.signal]);
  const lag = new GroupLag({ kafka, log, signal, group, withAge: bound.kind === "seconds" });
  let state: Yielding = { ceiling: undefined, free: 0 };
  let [records, at] = [pace.records, performance.now()];
  let isBlind = false;
  const look = async (): Promise<void> => {
    const lags = await lag.look();
    const [recordsNow, now] = [pace.records, performance.now()];
    const perSecond = ((recordsNow - records) * 1_000) / (now - at);
    [records, at] = [recordsNow, now];
    if (isBlind) log.info({ yieldTo: group }, "its lag is known again");
    isBlind = false;
    const before = state.ceiling;
    state = nextYielding(state, isOver(lags, bound), perSecond);
    pace.giveWay(state.ceiling);
    if (before === undefined && state.ceiling !== undefined)
      log.info({ yieldTo: group }, "giving way: it is too far behind");
    if (before !== undefined && state.ceiling === undefined) log.info({ yieldTo: group }, "no longer giving way");
  };
  const repeated = every(EVERY_MS, look, (error) => {
    if (!isBlind && !signal.aborted)
      log.warn({ yieldTo: group, error: messageOf(error) }, "its lag is not known: the pace stays");
    isBlind = true;
  });
  return {
    async [Symbol.asyncDispose]() {
      // A look under way is cut: nobody wants to hear of it any more.
      stop.abort();
      await lag[Symbol.asyncDispose]();
      await repeated.stop();
    },
  };
}
