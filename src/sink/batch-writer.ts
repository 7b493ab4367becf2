import { SpillwayError } from "../errors.ts";
import { backoffMs, pause } from "../runtime/backoff.ts";
import { type BurialParts, bury } from "./bury.ts";
import type { DocumentShape } from "./operations.ts";
import type { Outage } from "./outage.ts";
import { planBatch, settle } from "./plan.ts";
import type { InFlightRecord } from "./progress.ts";
import type { Target } from "./target.ts";

export interface BatchWriterParts extends BurialParts {
  readonly target: Target;
  /** All batches share them. */
  readonly outages: { readonly target: Outage; readonly deadLetters: Outage };
  /** By topic. */
  readonly collections: ReadonlyMap<string, string>;
  readonly document: DocumentShape;
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
