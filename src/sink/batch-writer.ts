import { messageOf } from "../errors.ts";
import { backoffMs, pause, retry } from "../runtime/backoff.ts";
import type { Breaker } from "./breaker.ts";
import { type BurialParts, bury } from "./bury.ts";
import type { SinkObserver } from "./observer.ts";
import type { Outage } from "./outage.ts";
import { type Pending, type Planning, planBatch, type Settled, settle } from "./plan.ts";
import type { InFlightRecord } from "./progress.ts";
import type { Target } from "./target.ts";

export interface BatchWriterParts extends BurialParts, Planning {
  readonly target: Target;
  readonly observer?: SinkObserver;
  /** All batches share it. */
  readonly breaker: Breaker;
  readonly outages: { readonly deadLetters: Outage; readonly schemas: Outage };
}

/**
 * Writes a batch until every record of it is in the database or in the dead-letter topic, and only then calls it done.
 * Outages are waited for without a limit; `abandoned` ends the wait.
 *
 * @throws SpillwayError DATABASE_REFUSED, and what the dead-letter topic refuses for good; the reason of `abandoned`
 */
export async function writeBatch(batch: readonly InFlightRecord[], parts: BatchWriterParts): Promise<void> {
  parts.abandoned.throwIfAborted();
  await prepareDecoding(batch, parts);
  const { pending, nothing, dead } = planBatch(batch, parts);
  for (const record of nothing) parts.progress.done(record);
  parts.stats.recordsWritten += nothing.length;
  await bury(dead, parts);
  for (const [collection, ofCollection] of pending) await writeTo(collection, ofCollection, parts);
}

/** What decoding takes may be away too: an outage like any other. */
async function prepareDecoding(batch: readonly InFlightRecord[], parts: BatchWriterParts): Promise<void> {
  const { decoder, abandoned, retryBackoff, outages } = parts;
  if (decoder.prepare === undefined) return;
  const values = batch.flatMap(({ record: { value } }) => (value === null ? [] : [value]));
  let startedAt = performance.now();
  const isAsked = await retry(
    async () => {
      startedAt = performance.now();
      return await decoder.prepare?.(values, abandoned);
    },
    {
      signal: abandoned,
      backoff: retryBackoff,
      deadlineMs: Number.POSITIVE_INFINITY,
      onRetry: (error) => outages.schemas.failed(startedAt, messageOf(error)),
    },
  );
  // A batch that needs nothing says nothing of the outage of another.
  if (isAsked) outages.schemas.succeeded(startedAt);
}

async function writeTo(collection: string, planned: Pending, parts: BatchWriterParts): Promise<void> {
  const { breaker, abandoned } = parts;
  let pending = planned;
  for (let failures = 0; pending.tasks.length > 0; ) {
    let settled: Settled | undefined;
    const attempt = async () => {
      settled = await writeOnce(collection, pending, parts);
      return isAway(settled) ? settled.outage : undefined;
    };
    await breaker.through(attempt, abandoned);
    if (settled === undefined) continue;
    await bury(settled.dead, parts);
    pending = settled.pending;
    failures = settled.outage === undefined ? 0 : failures + 1;
    if (settled.outage === undefined) continue;
    parts.stats.retries++;
    // An open breaker makes its own pauses.
    if (!breaker.isOpen) await pause(backoffMs(failures, parts.retryBackoff), abandoned);
  }
}

async function writeOnce(collection: string, pending: Pending, parts: BatchWriterParts): Promise<Settled> {
  const { target, progress, stats, abandoned } = parts;
  const operations = pending.tasks.map(({ operation }) => operation);
  const startedAt = performance.now();
  const outcomes = await target.write(collection, operations, pending.ordered);
  parts.observer?.wrote(operations.length, performance.now() - startedAt);
  abandoned.throwIfAborted(); // it came too late: these records are somebody else's now
  const settled = settle(pending, outcomes);
  const { written, alreadyWritten, replaced } = settled;
  stats.batches++;
  stats.recordsWritten += written.length;
  stats.recordsAlreadyWritten += alreadyWritten.length;
  stats.recordsReplaced += replaced.length;
  for (const records of [written, alreadyWritten, replaced]) for (const record of records) progress.done(record);
  return settled;
}

/** An error that passes, and nothing else: single documents may meet one where the database is well. */
function isAway({ outage, written, alreadyWritten, dead }: Settled): boolean {
  return outage !== undefined && written.length + alreadyWritten.length + dead.length === 0;
}
