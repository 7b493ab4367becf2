import { BackgroundLoop } from "../../src/demo/background-loop.ts";
import { pause } from "../../src/runtime/backoff.ts";

const LOOK_MS = 200;

/** When it was, in seconds since the beginning, and how many messages were waiting. */
export type BacklogPoint = readonly [atSeconds: number, waiting: number];

export interface BacklogOptions {
  /** Messages that are acknowledged. */
  readonly acknowledged: () => number;
  /** Documents in the database. */
  readonly written: () => Promise<number>;
}

/** How many acknowledged messages are not in the database yet, looked at all the time. */
export class Backlog implements AsyncDisposable {
  readonly #options: BacklogOptions;
  readonly #startedAt = performance.now();
  readonly #points: BacklogPoint[] = [];
  readonly #loop = new BackgroundLoop((stopped) => this.#run(stopped));
  #written = 0;

  constructor(options: BacklogOptions) {
    this.#options = options;
  }

  /** At the last look. */
  get waiting(): number {
    return this.#points.at(-1)?.[1] ?? 0;
  }

  /** Documents at the last look. */
  get written(): number {
    return this.#written;
  }

  get points(): readonly BacklogPoint[] {
    return this.#points;
  }

  /** Seconds since the beginning. */
  get now(): number {
    return (performance.now() - this.#startedAt) / 1_000;
  }

  /** Resolves once it is stopped. @throws what a look threw */
  start(): Promise<void> {
    return this.#loop.start();
  }

  /** @throws what a look threw */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#loop.stop();
  }

  async #run(stopped: AbortSignal): Promise<void> {
    while (!stopped.aborted) {
      // Those acknowledged are counted first: what is written meanwhile makes the backlog smaller, never larger.
      const acknowledged = this.#options.acknowledged();
      const at = this.now;
      this.#written = await this.#options.written();
      this.#points.push([Math.round(at * 10) / 10, Math.max(0, acknowledged - this.#written)]);
      await pause(LOOK_MS, stopped).catch(() => undefined);
    }
  }
}
