import { type LivePlan, liveKey, runLive } from "../producer/live.ts";
import type { Acknowledgement, RecordOutlet } from "../producer/outlet.ts";
import { LiveWatch, type LiveWatchOptions } from "./live-watch.ts";

export const LIVE_KEYS = 4;
/** The demo's. */
export const LIVE_PLAN: LivePlan = { ratePerSecond: 20, keys: LIVE_KEYS, valueBytes: 180, seed: 1 };

export interface LiveTrafficOptions {
  readonly topic: string;
  readonly outlet: RecordOutlet;
  readonly plan: LivePlan;
  readonly watch: LiveWatchOptions;
  /** How long to wait for the last acknowledgements. */
  readonly settleTimeoutMs: number;
  /** Told of every message that is safe; returns the `_id` of its document. */
  readonly onAcknowledged: (key: string, sequence: number, place: Acknowledgement) => string;
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

  constructor({ topic, outlet, plan, watch, settleTimeoutMs, onAcknowledged, signal, onFailure }: LiveTrafficOptions) {
    this.watch = new LiveWatch(watch);
    this.watch.start().catch(onFailure);
    this.#sending = runLive(plan, {
      topic,
      outlet,
      settleTimeoutMs,
      stop: AbortSignal.any([signal, this.#stop.signal]),
      onSent: ({ key, sequence }, scheduledAt) => {
        const found = this.watch.sent(key, scheduledAt);
        return (place) => {
          this.#acknowledged++;
          found(onAcknowledged(key, sequence, place));
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
