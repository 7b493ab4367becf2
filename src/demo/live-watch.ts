import { setTimeout as sleep } from "node:timers/promises";
import { type AcknowledgedPlace, documentId } from "./acknowledged.ts";
import { BackgroundLoop } from "./background-loop.ts";
import type { Lookup } from "./order-watch.ts";

export interface LiveWatchOptions {
  readonly lookup: Lookup;
  /** How often a message that isn't there yet is looked for. */
  readonly pollMs: number;
}

/** A live message on its way. Times are those of `performance.now()`. */
interface Expected {
  readonly scheduledAt: number;
  id: string | undefined;
}

interface Delivered {
  readonly scheduledAt: number;
  readonly latencyMs: number;
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
  readonly #delivered: Delivered[] = [];

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

  /** A message was handed to the producer. Returns what to call with its acknowledgement. */
  sent(key: string, scheduledAt: number): (place: AcknowledgedPlace) => void {
    const expected: Expected = { scheduledAt, id: undefined };
    const queue = this.#waiting.get(key);
    if (queue === undefined) this.#waiting.set(key, [expected]);
    else queue.push(expected);
    return ({ topicId, partition, offset }) => {
      expected.id = documentId(topicId, partition, offset);
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
    const isMeant = ({ scheduledAt }: { scheduledAt: number }): boolean => scheduledAt >= from && scheduledAt < to;
    const now = performance.now();
    const ages = [...this.#waiting.values()].flatMap((queue) =>
      queue.filter(isMeant).map(({ scheduledAt }) => now - scheduledAt),
    );
    const delivered = this.#delivered.filter(isMeant).map(({ latencyMs }) => latencyMs);
    const latencies = [...delivered, ...ages].sort((a, b) => a - b);
    return {
      messages: latencies.length,
      undelivered: ages.length,
      p50Ms: percentile(latencies, 0.5),
      p99Ms: percentile(latencies, 0.99),
      maxMs: latencies.at(-1) ?? Number.NaN,
    };
  }

  async #run(stopped: AbortSignal): Promise<void> {
    const underWay = new Map<string, Promise<void>>();
    let failure: { readonly error: unknown } | undefined;
    for (let tick = performance.now(); !stopped.aborted && failure === undefined; ) {
      for (const [key, queue] of this.#waiting) {
        if (queue[0]?.id === undefined || underWay.has(key)) continue;
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
      if (!(await this.#options.lookup(first.id))) return;
      queue.shift();
      const { scheduledAt } = first;
      this.#delivered.push({ scheduledAt, latencyMs: performance.now() - scheduledAt });
    }
  }
}

/** The nearest-rank percentile of sorted numbers: the smallest that `share` of them don't exceed. NaN of none. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}
