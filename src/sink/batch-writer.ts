import type { Logger } from "pino";
import type { DeadLetterReason, DeadLetters } from "../dead-letter/dead-letter.ts";
import { messageOf, SpillwayError } from "../errors.ts";
import { type Backoff, backoffMs, pause, retry } from "../runtime/backoff.ts";
import { type DocumentShape, originOf } from "./operations.ts";
import type { Outage } from "./outage.ts";
import { type DeadRecord, planBatch, settle } from "./plan.ts";
import type { InFlightRecord, Progress } from "./progress.ts";
import type { SinkStats } from "./stats.ts";
import type { Target } from "./target.ts";

export interface BatchWriterParts {
  readonly target: Target;
  readonly deadLetters: Pick<DeadLetters, "send" | "topicFor">;
  /** All batches share them. */
  readonly outages: { readonly target: Outage; readonly deadLetters: Outage };
  /** By topic. */
  readonly collections: ReadonlyMap<string, string>;
  readonly document: DocumentShape;
  readonly retryBackoff: Backoff;
  readonly progress: Progress;
  readonly stats: SinkStats;
  readonly log: Logger;
  /** Aborted when what isn't written by now is to be left. */
  readonly abandoned: AbortSignal;
}

/**
 * Writes a batch until every record of it is in the database or in the dead-letter topic, and only then calls it done.
 * Outages are waited for without a limit; `abandoned` ends the wait.
 *
 * @throws SpillwayError DATABASE_REFUSED, and what the dead-letter topic refuses for good; the reason of `abandoned`
 */
export async function writeBatch(batch: readonly InFlightRecord[], parts: BatchWriterParts): Promise<void> {
  parts.abandoned.throwIfAborted();
  const byCollection = Map.groupBy(batch, ({ record }) => collectionFor(record.topic, parts));
  for (const [collection, records] of byCollection) await writeTo(collection, records, parts);
}

function collectionFor(topic: string, { collections }: BatchWriterParts): string {
  const collection = collections.get(topic);
  if (collection === undefined) throw new SpillwayError("CONFIG_INVALID", `No route is given for topic ${topic}`);
  return collection;
}

async function writeTo(collection: string, batch: readonly InFlightRecord[], parts: BatchWriterParts): Promise<void> {
  const { target, outages, progress, stats, abandoned } = parts;
  let { pending, dead } = planBatch(batch, parts.document);
  await bury(dead, parts);

  for (let failures = 0; pending.operations.length > 0; ) {
    const startedAt = performance.now();
    const outcomes = await target.write(collection, pending.operations, pending.ordered);
    abandoned.throwIfAborted(); // it came too late: these records are somebody else's now
    const settled = settle(pending, outcomes);
    stats.batches++;
    stats.recordsWritten += settled.written.length;
    stats.recordsAlreadyWritten += settled.alreadyWritten.length;
    for (const record of settled.written) progress.done(record);
    for (const record of settled.alreadyWritten) progress.done(record);
    await bury(settled.dead, parts);
    pending = settled.pending;

    if (settled.outage === undefined) {
      outages.target.succeeded(startedAt);
      failures = 0;
    } else {
      outages.target.failed(startedAt, settled.outage);
      stats.retries++;
      failures++;
      await pause(backoffMs(failures, parts.retryBackoff), abandoned);
    }
  }
}

/** Puts records into the dead-letter topic. */
async function bury(dead: readonly DeadRecord[], parts: BatchWriterParts): Promise<void> {
  const [first] = dead;
  if (first === undefined) return;
  await Promise.all(dead.map(({ record, reason }) => buryOne(record, reason, parts)));
  const { topic, partition, offset } = first.record.record;
  parts.log.warn(
    { topic, partition, offset: String(offset), reason: first.reason.code, records: dead.length },
    `records went to ${parts.deadLetters.topicFor(topic)}; this is the first of them`,
  );
}

async function buryOne(item: InFlightRecord, reason: DeadLetterReason, parts: BatchWriterParts): Promise<void> {
  const outage = parts.outages.deadLetters;
  let startedAt = 0;
  await retry(
    () => {
      startedAt = performance.now();
      return parts.deadLetters.send(item.record, originOf(item.record, item.topicId), reason);
    },
    {
      signal: parts.abandoned,
      backoff: parts.retryBackoff,
      deadlineMs: Number.POSITIVE_INFINITY,
      onRetry: (error) => outage.failed(startedAt, messageOf(error)),
    },
  );
  parts.abandoned.throwIfAborted();
  outage.succeeded(startedAt);
  parts.stats.recordsDeadLettered++;
  parts.progress.done(item);
}
