import { setTimeout as sleep } from "node:timers/promises";

/** Writes messages; resolves when they are acknowledged. */
export type Write<T> = (messages: readonly T[]) => Promise<void>;

export interface BatchOptions {
  readonly batch: number;
  readonly batchMs: number;
}

/** What a consumer hands its messages to. */
export interface Intake<T> {
  /** Resolves when the consumer may go on. @throws what a write threw */
  put(message: T): Promise<void>;
  /** Resolves when all is written. @throws what a write threw */
  end(): Promise<void>;
}

/** A buffer whose writes the consumer waits for. */
export function blockingBatches<T>(write: Write<T>, { batch, batchMs }: BatchOptions): Intake<T> {
  let buffer: T[] = [];
  let writing: Promise<void> = Promise.resolve();
  const flush = (): Promise<void> => {
    const full = buffer;
    buffer = [];
    if (full.length > 0) writing = writing.then(() => write(full));
    return writing;
  };
  // Its failure is the next `put`'s, which waits for the same promise.
  const timer = setInterval(() => flush().catch(() => undefined), batchMs);
  return {
    async put(message) {
      buffer.push(message);
      if (buffer.length >= batch) await flush();
    },
    async end() {
      clearInterval(timer);
      await flush();
    },
  };
}

/** A bounded queue between the consumer and writers that empty it side by side. */
export function queuedBatches<T>(
  write: Write<T>,
  { batch, batchMs, queue: bound, writers }: BatchOptions & { readonly queue: number; readonly writers: number },
): Intake<T> {
  const queue: T[] = [];
  let isEnding = false;
  let failure: { readonly error: unknown } | undefined;
  const throwIfFailed = (): void => {
    if (failure !== undefined) throw failure.error;
  };
  const work = async (): Promise<void> => {
    let since = performance.now();
    while (failure === undefined) {
      const isDue = performance.now() - since >= batchMs;
      if (queue.length >= batch || (queue.length > 0 && (isDue || isEnding))) await write(queue.splice(0, batch));
      else if (isEnding && queue.length === 0) return;
      else {
        await sleep(TURN_MS);
        if (queue.length > 0) continue;
      }
      since = performance.now();
    }
  };
  const working = Array.from({ length: writers }, () =>
    work().catch((error: unknown) => {
      failure ??= { error };
    }),
  );
  return {
    async put(message) {
      while (queue.length >= bound && failure === undefined) await sleep(TURN_MS);
      throwIfFailed();
      queue.push(message);
    },
    async end() {
      isEnding = true;
      await Promise.all(working);
      throwIfFailed();
    },
  };
}

/** How often a full queue, or an empty one, is looked at. */
const TURN_MS = 2;

/** One message at a time. */
export function oneByOne<T>(write: Write<T>): Intake<T> {
  return { put: (message) => write([message]), end: async () => undefined };
}
