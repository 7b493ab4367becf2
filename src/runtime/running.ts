/**
 * Work that is started once, and goes on until it ends by itself, fails, or is stopped in order.
 *
 * Nothing of it is left once it has ended: it listens to nothing but its signals, and these forget it.
 */
export class Running<T> implements AsyncDisposable {
  readonly #work: (signal: AbortSignal) => Promise<T>;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  #ended: Promise<T | undefined> | undefined;

  /** @param signal stops it too */
  constructor(work: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal | undefined) {
    this.#work = work;
    this.#signal = signal === undefined ? this.#stop.signal : AbortSignal.any([this.#stop.signal, signal]);
  }

  /** For what is done beside it, and is to end with it. */
  get signal(): AbortSignal {
    return this.#signal;
  }

  /** Starts it, unless it runs or has run; resolves or rejects as the work does. Undefined if it was stopped too soon. */
  run(): Promise<T | undefined> {
    this.#ended ??= this.#untilStopped();
    return this.#ended;
  }

  /** Tells it to stop, and resolves once it has ended. How it ended is told by `run` alone. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended?.catch(() => {});
  }

  async #untilStopped(): Promise<T | undefined> {
    try {
      return await this.#work(this.#signal);
    } catch (error) {
      // Work that ends by the signal's own reason has stopped as it was told to.
      if (this.#signal.aborted && error === this.#signal.reason) return undefined;
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
