/** Work that goes on beside a test until it is told to stop. Whoever waits for something of it asks whether it failed. */
export class Beside implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #failure: { readonly error: unknown } | undefined;

  constructor(run: (signal: AbortSignal) => Promise<void>) {
    this.#running = run(this.#stop.signal);
    this.#running.catch((error: unknown) => {
      this.#failure = { error };
    });
  }

  /** @throws what it failed with */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Resolves when it has ended in order. @throws what it failed with */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop().catch(() => {});
  }
}
