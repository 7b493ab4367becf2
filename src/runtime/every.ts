/** Work that is done at intervals. */
export interface Repeated {
  /** Stops it; resolves when a run under way has ended. */
  stop(): Promise<void>;
}

/**
 * Runs `work` every `intervalMs`, one run at a time: a tick during a run is left out. What a run throws goes to
 * `failed`, and the next run comes all the same.
 */
export function every(intervalMs: number, work: () => Promise<void>, failed: (error: unknown) => void): Repeated {
  let running: Promise<void> | undefined;
  const timer = setInterval(() => {
    running ??= work()
      .catch(failed)
      .finally(() => {
        running = undefined;
      });
  }, intervalMs);
  return {
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}
