import { every, type Repeated } from "../runtime/every.ts";

const INTERVAL_MS = 5_000;
const KEPT = 12;

/** How far away the database is: the quickest of the answers lately to a question that costs it nothing. */
export class Ping {
  readonly #ask: () => Promise<unknown>;
  readonly #recent: number[] = [];

  /** @param ask it ends in time, whatever happens */
  constructor(ask: () => Promise<unknown>) {
    this.#ask = ask;
  }

  /** Milliseconds; undefined before the first answer. */
  get ms(): number | undefined {
    return this.#recent.length === 0 ? undefined : Math.min(...this.#recent);
  }

  /** Asks now and then, until it is disposed of. Who writes notices by itself that the database is away. */
  start(): AsyncDisposable {
    const asking: Repeated = every(
      INTERVAL_MS,
      () => this.#once(),
      () => {},
    );
    return { [Symbol.asyncDispose]: () => asking.stop() };
  }

  async #once(): Promise<void> {
    const startedAt = performance.now();
    await this.#ask();
    this.#recent.push(performance.now() - startedAt);
    if (this.#recent.length > KEPT) this.#recent.shift();
  }
}
