import { setTimeout as sleep } from "node:timers/promises";
import { BackgroundLoop } from "./background-loop.ts";
import type { Lookup } from "./order-watch.ts";

export interface LiveWatchOptions {
  readonly lookup: Lookup;
  /** How often a message that isn't there yet is looked for. */
  readonly pollMs: number;
  /**
   * One that has waited for long is looked for less often: once in this share of its age, 0 unless told. So the error
   * is bounded in proportion, and messages that wait for minutes cost the database next to nothing.
   */
  readonly pollShare?: number;
  /** No message can be there sooner than this after it was due, so none is looked for: 0 unless told. */
  readonly soonestMs?: number;
}

/** A live message on its way. Times are those of `performance.now()`. */
interface Expected {
  readonly scheduledAt: number;
  id: string | undefined;
  /** Not looked for before. */
  lookAt: number;
}

/** One message: how long it took, or how old it is if it isn't there. */
export interface LiveSample {
  readonly scheduledAt: number;
  readonly latencyMs: number;
  readonly isDelivered: boolean;
}

export interface LatencySummary {
  readonly messages: number;
  readonly undelivered: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/**
 * Measures how long live messages take from the time they were due to be sent until they are readable in the database.
 *
 * Of each key only the oldest message that isn't there yet is looked for, so that the load on the database is bounded
 * by the number of keys, however many messages wait. Were a later message of the key there before it, that one's
 * latency would come out too long, never too short.
 */
export class LiveWatch {
  readonly #options: LiveWatchOptions;
  readonly #loop = new BackgroundLoop((stopped) => this.#run(stopped));
  readonly #waiting = new Map<string, Expected[]>();
  readonly #delivered: LiveSample[] = [];

  constructor(options: LiveWatchOptions) {
    this.#options = options;
  }

  get delivered(): number {
    return this.#delivered.length;
  }

  get undelivered(): number {
    let sum = 0;
    for (const queue of this.#waiting.values()) sum += queue.length;
    return sum;
  }

  /** True once every message that was due before this time is there. */
  isDelivered(before: number): boolean {
    for (const [first] of this.#waiting.values()) if (first !== undefined && first.scheduledAt < before) return false;
    return true;
  }

  /** A message was handed to the producer. Returns what to call with its document's `_id` once it is acknowledged. */
  sent(key: string, scheduledAt: number): (id: string) => void {
    const expected: Expected = { scheduledAt, id: undefined, lookAt: scheduledAt + (this.#options.soonestMs ?? 0) };
    const queue = this.#waiting.get(key);
    if (queue === undefined) this.#waiting.set(key, [expected]);
    else queue.push(expected);
    return (id) => {
      expected.id = id;
    };
  }

  /** Resolves once it is stopped. @throws what a look-up threw */
  start(): Promise<void> {
    return this.#loop.start();
  }

  /** Resolves when no look-up is under way any more. @throws what a look-up threw */
  async stop(): Promise<void> {
    await this.#loop.stop();
  }

  /** The latencies of the messages that were due from `from` to before `to`. Those not there yet count with their age. */
  summary(from: number, to: number): LatencySummary {
    const samples = this.samples(from, to);
    const latencies = samples.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b);
    return {
      messages: samples.length,
      undelivered: samples.filter(({ isDelivered }) => !isDelivered).length,
      p50Ms: percentile(latencies, 0.5),
      p99Ms: percentile(latencies, 0.99),
      maxMs: latencies.at(-1) ?? Number.NaN,
    };
  }

  /** The messages that were due from `from` to before `to`, those that aren't there yet behind the others. */
  samples(from: number, to: number): LiveSample[] {
    const isMeant = ({ scheduledAt }: { scheduledAt: number }): boolean => scheduledAt >= from && scheduledAt < to;
    const now = performance.now();
    const waiting = [...this.#waiting.values()].flatMap((queue) => queue.filter(isMeant));
    const aged = waiting.map(({ scheduledAt }) => ({ scheduledAt, latencyMs: now - scheduledAt, isDelivered: false }));
    return [...this.#delivered.filter(isMeant), ...aged];
  }

  async #run(stopped: AbortSignal): Promise<void> {
    const underWay = new Map<string, Promise<void>>();
    let failure: { readonly error: unknown } | undefined;
    for (let tick = performance.now(); !stopped.aborted && failure === undefined; ) {
      for (const [key, queue] of this.#waiting) {
        const [first] = queue;
        if (first?.id === undefined || first.lookAt > performance.now() || underWay.has(key)) continue;
        const looking = this.#lookFor(queue)
          .catch((error: unknown) => {
            failure ??= { error };
          })
          .finally(() => underWay.delete(key));
        underWay.set(key, looking);
      }
      tick = Math.max(tick + this.#options.pollMs, performance.now());
      await sleep(Math.max(0, tick - performance.now()), undefined, { signal: stopped }).catch(() => undefined);
    }
    await Promise.all(underWay.values());
    if (failure !== undefined) throw failure.error;
  }

  /** Takes from the head of the queue what is there. */
  async #lookFor(queue: Expected[]): Promise<void> {
    for (let first = queue[0]; first?.id !== undefined; first = queue[0]) {
      const isDelivered = await this.#options.lookup(first.id);
      const { scheduledAt } = first;
      const latencyMs = performance.now() - scheduledAt;
      if (!isDelivered) {
        first.lookAt = performance.now() + latencyMs * (this.#options.pollShare ?? 0);
        return;
      }
      queue.shift();
      this.#delivered.push({ scheduledAt, latencyMs, isDelivered });
    }
  }
}

/** The nearest-rank percentile of sorted numbers: the smallest that `share` of them don't exceed. NaN of none. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}
