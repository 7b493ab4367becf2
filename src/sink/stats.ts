import type { Logger } from "pino";

/** What a sink has done since it began. The sink counts, others read. */
export interface SinkStats {
  recordsRead: number;
  recordsWritten: number;
  /** Replays: their documents were there already. */
  recordsAlreadyWritten: number;
  /** Not written, since a newer state of their key was. */
  recordsReplaced: number;
  recordsDeadLettered: number;
  /** Of these, those without a fault of their own, which follow one of their key. */
  recordsParked: number;
  /** Written from the dead-letter topic, once their parked key was redriven. */
  recordsRedriven: number;
  /** Keys of this instance's partitions that are parked now. */
  keysParked: number;
  /** Pieces of batches that could not be read, met in a dead-letter topic: they are no records. */
  batchPartsSkipped: number;
  /** Record batches that could not be read, now in the dead-letter topic. */
  batchesDeadLettered: number;
  /** Offsets that retention took before they were read, or that `offset-reset` passed over. */
  offsetsLost: number;
  /** Bulk writes tried, and those of them that met an error which passes, so that they were tried again. */
  batches: number;
  retries: number;
  /** Of these, those of which nothing came through: the database was away. */
  retriesWhileAway: number;
  /** Generations of the group that were joined. */
  rebalances: number;
  /** Read and neither written nor in the dead-letter topic yet. */
  recordsInFlight: number;
  bytesInFlight: number;
  /** When the outage of the database that goes on began, in milliseconds since the epoch. */
  awaySince: number | undefined;
  readonly startedAt: number;
}

export function newSinkStats(): SinkStats {
  return {
    recordsRead: 0,
    recordsWritten: 0,
    recordsAlreadyWritten: 0,
    recordsReplaced: 0,
    recordsDeadLettered: 0,
    recordsParked: 0,
    recordsRedriven: 0,
    keysParked: 0,
    batchPartsSkipped: 0,
    batchesDeadLettered: 0,
    offsetsLost: 0,
    batches: 0,
    retries: 0,
    retriesWhileAway: 0,
    rebalances: 0,
    recordsInFlight: 0,
    bytesInFlight: 0,
    awaySince: undefined,
    startedAt: Date.now(),
  };
}

/** Logs the progress every `intervalMs` in which there was any, until it is disposed. */
export function reportProgress(stats: SinkStats, intervalMs: number, log: Logger): Disposable {
  let lastRead = stats.recordsRead;
  let lastDone = recordsDone(stats);
  const timer = setInterval(() => {
    const { recordsRead } = stats;
    const nowDone = recordsDone(stats);
    if (recordsRead === lastRead && nowDone === lastDone) return;
    log.info({ ...stats, recordsPerSecond: Math.round(((nowDone - lastDone) * 1_000) / intervalMs) }, "sink progress");
    lastRead = recordsRead;
    lastDone = nowDone;
  }, intervalMs);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** Records that have come to their outcome. */
export function recordsDone({
  recordsWritten,
  recordsAlreadyWritten,
  recordsReplaced,
  recordsDeadLettered,
}: Pick<SinkStats, "recordsWritten" | "recordsAlreadyWritten" | "recordsReplaced" | "recordsDeadLettered">): number {
  return recordsWritten + recordsAlreadyWritten + recordsReplaced + recordsDeadLettered;
}
