import type { Logger } from "pino";
import { isRetryable, type SpillwayError } from "../errors.ts";
import { pause } from "../runtime/backoff.ts";
import { LagReader } from "./lag-reader.ts";
import type { LagOptions } from "./options.ts";
import type { LagReport } from "./report.ts";

export interface LagContext {
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/**
 * Looks at consumer groups until it can say how each does, `judge.stalledAfterMs` at most: once where all have caught
 * up, a few times where some are behind. Nothing is changed, and no group is joined.
 *
 * Records are counted by reading them, within `read`, as a reader of committed records sees them: transaction markers,
 * aborted records and what compaction has taken are none. Beyond that they are estimated, and marked so.
 *
 * @throws SpillwayError BROKER_UNREACHABLE, AUTHENTICATION_FAILED, NOT_AUTHORIZED, TIMEOUT; the signal's reason once that
 *   is aborted
 */
export async function readLag(options: LagOptions, { log, signal }: LagContext): Promise<LagReport> {
  await using reader = new LagReader(options, { log, signal });
  for (let firstAt: number | undefined; ; ) {
    const startedAt = performance.now();
    const report = await cut(reader.look(), reader, signal);
    const isClear = report.groups.every(({ partitions }) => partitions.every(({ status }) => status !== "unclear"));
    if (isClear || (firstAt !== undefined && startedAt >= firstAt + options.judge.stalledAfterMs)) return report;
    if (firstAt === undefined) {
      log.info({ atMostMs: options.judge.stalledAfterMs }, "looking on: it is too early to tell how some groups do");
    }
    firstAt ??= performance.now();
    await pause(options.intervalMs, signal);
  }
}

/**
 * Looks again and again, until the signal is aborted. A look that fails for a reason that may pass is given to `failed`,
 * and the next one comes all the same.
 * @throws SpillwayError as `readLag`, where no further look can help
 */
export async function* watchLag(
  options: LagOptions,
  { log, signal }: LagContext,
  failed: (error: SpillwayError) => void,
): AsyncGenerator<LagReport, void, undefined> {
  await using reader = new LagReader(options, { log, signal });
  while (!signal.aborted) {
    const startedAt = performance.now();
    try {
      yield await cut(reader.look(), reader, signal);
    } catch (error) {
      if (signal.aborted) return;
      if (!isRetryable(error)) throw error;
      failed(error as SpillwayError);
    }
    await pause(Math.max(0, options.intervalMs - (performance.now() - startedAt)), signal).catch(() => {});
  }
}

/** A look under way ends with the signal: nobody wants to hear of it any more. */
async function cut<T>(look: Promise<T>, reader: LagReader, signal: AbortSignal): Promise<T> {
  const end = () => void reader[Symbol.asyncDispose]();
  signal.addEventListener("abort", end, { once: true });
  try {
    return await look;
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", end);
  }
}
