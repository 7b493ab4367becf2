/** A loop that runs in the background until it is stopped. */
export class BackgroundLoop {
  readonly #run: (stopped: AbortSignal) => Promise<void>;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  /** @param run ends soon after the signal is aborted */
  constructor(run: (stopped: AbortSignal) => Promise<void>) {
    this.#run = run;
  }

  /** Resolves once it is stopped. @throws what the loop threw */
  start(): Promise<void> {
    if (this.#running === undefined) {
      this.#running = this.#run(this.#stop.signal);
      // Whoever doesn't wait for it here is told by `stop`.
      this.#running.catch(() => undefined);
    }
    return this.#running;
  }

  /** Resolves when nothing is under way any more. @throws what the loop threw */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}
