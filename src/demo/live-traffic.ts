import { type LivePlan, liveKey, runLive } from "../producer/live.ts";
import type { RecordOutlet } from "../producer/outlet.ts";
import { documentId } from "./acknowledged.ts";
import type { Ledger } from "./ledger.ts";
import { LiveWatch } from "./live-watch.ts";

export const LIVE_KEYS = 4;
const PLAN: LivePlan = { ratePerSecond: 20, keys: LIVE_KEYS, valueBytes: 180, seed: 1 };
const POLL_MS = 10;
const SETTLE_TIMEOUT_MS = 30_000;

export interface LiveTrafficOptions {
  readonly topic: string;
  readonly outlet: RecordOutlet;
  readonly ledger: Ledger;
  readonly lookup: (id: string) => Promise<boolean>;
  /** Ends everything at once. */
  readonly signal: AbortSignal;
  /** Told if sending or looking fails. */
  readonly onFailure: (error: unknown) => void;
}

/** The messages that the flood must not hold up, on their way and watched. Stopped by its owner. */
export class LiveTraffic implements AsyncDisposable {
  readonly watch: LiveWatch;
  readonly #stop = new AbortController();
  readonly #sending: Promise<number>;
  #acknowledged = 0;

  constructor({ topic, outlet, ledger, lookup, signal, onFailure }: LiveTrafficOptions) {
    this.watch = new LiveWatch({ lookup, pollMs: POLL_MS });
    this.watch.start().catch(onFailure);
    this.#sending = runLive(PLAN, {
      topic,
      outlet,
      settleTimeoutMs: SETTLE_TIMEOUT_MS,
      stop: AbortSignal.any([signal, this.#stop.signal]),
      onSent: ({ key, sequence }, scheduledAt) => {
        const found = this.watch.sent(key, scheduledAt);
        return (place) => {
          this.#acknowledged++;
          ledger.acknowledged(key, sequence, place);
          found(documentId(place.topicId, place.partition, place.offset));
        };
      },
    });
    this.#sending.catch(onFailure);
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Sends no more, and resolves when all is acknowledged. */
  async stopSending(): Promise<void> {
    this.#stop.abort();
    await this.#sending;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled([this.#sending, this.watch.stop()]);
  }
}

export function liveKeys(): string[] {
  return Array.from({ length: LIVE_KEYS }, (_, index) => liveKey(index));
}
