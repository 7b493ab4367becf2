import { LiveWatch } from "../src/demo/live-watch.ts";
import { runLive } from "../src/producer/live.ts";
import type { RecordOutlet } from "../src/producer/outlet.ts";
import { LIVE_KEYS, LIVE_PER_SECOND, VALUE_BYTES, WRITE_MS } from "./catalog.ts";
import { documentId, type Ledger } from "./ledger.ts";

const PLAN = { ratePerSecond: LIVE_PER_SECOND, keys: LIVE_KEYS, valueBytes: VALUE_BYTES, seed: 1 };
/** A latency is exact within this, or within half a percent of itself. */
const POLL_MS = 10;
const POLL_SHARE = 0.005;

export interface LiveOptions {
  readonly topic: string;
  readonly outlet: RecordOutlet;
  readonly ledger: Ledger;
  /** Straight at the database. */
  readonly lookup: (id: string) => Promise<boolean>;
  readonly signal: AbortSignal;
  /** Told if sending or looking fails. */
  readonly onFailure: (error: unknown) => void;
}

/** The messages that the flood must not hold up, on their way and watched. Stopped by its owner. */
export class Live implements AsyncDisposable {
  readonly watch: LiveWatch;
  readonly #stop = new AbortController();
  readonly #sending: Promise<number>;

  constructor({ topic, outlet, ledger, lookup, signal, onFailure }: LiveOptions) {
    this.watch = new LiveWatch({ lookup, pollMs: POLL_MS, pollShare: POLL_SHARE, soonestMs: WRITE_MS });
    this.watch.start().catch(onFailure);
    this.#sending = runLive(PLAN, {
      topic,
      outlet,
      stop: AbortSignal.any([signal, this.#stop.signal]),
      onSent: ({ key, sequence }, scheduledAt) => {
        const acknowledged = this.watch.sent(key, scheduledAt);
        return (place) => {
          ledger.acknowledged(key, sequence, place);
          acknowledged(documentId(key, sequence));
        };
      },
    });
    this.#sending.catch(onFailure);
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
