import { SpillwayError } from "../errors.ts";
import { backoffMs, pause } from "../runtime/backoff.ts";
import type { AttemptSize } from "./attempt-size.ts";
import type { Breaker } from "./breaker.ts";
import { type BurialParts, bury } from "./bury.ts";
import type { SinkObserver } from "./observer.ts";
import type { OnDataError } from "./options.ts";
import type { Outage } from "./outage.ts";
import { Poisoned, parkBehind } from "./parking.ts";
import {
  type BatchPlan,
  type DeadRecord,
  operationsOf,
  type Pending,
  type Planning,
  parted,
  planBatch,
  type Settled,
  settle,
} from "./plan.ts";
import type { InFlightRecord } from "./progress.ts";
import type { Target } from "./target.ts";

export interface BatchWriterParts extends BurialParts, Planning {
  readonly target: Target;
  readonly observer?: SinkObserver;
  readonly parked?: BurialParts["parked"];
  readonly onDataError: OnDataError;
  /** All batches share these. */
  readonly breaker: Breaker;
  readonly attemptSize: AttemptSize;
  readonly outages: { readonly deadLetters: Outage; readonly schemas: Outage };
}

/**
 * Writes a batch until every record of it is in the database or in the dead-letter topic, and only then calls it done.
 * Outages are waited for without a limit; `abandoned` ends the wait.
 *
 * @throws SpillwayError DATABASE_REFUSED, DATA_ERROR (told to stop there), TOO_MANY_PARKED_KEYS, and what the dead-letter
 *   topic refuses for good; the reason of `abandoned`
 */
export async function writeBatch(batch: readonly InFlightRecord[], parts: BatchWriterParts): Promise<void> {
  parts.abandoned.throwIfAborted();
  // What is written of a key is written before its dead letters are, so that these hold all that is left of it.
  await bury(await writeRecords(batch, parts), parts);
}

/**
 * Writes what can be written of a batch and yields the rest, which isn't done. Where data errors park their keys, the
 * rest holds all records of a key from the first one that can't be written on.
 * @throws as `writeBatch`
 */
export async function writeRecords(
  batch: readonly InFlightRecord[],
  parts: BatchWriterParts,
): Promise<readonly DeadRecord[]> {
  await prepareDecoding(batch, parts);
  return await tryBatch(batch, parts, parts.onDataError === "park-key" ? new Poisoned() : undefined);
}

async function tryBatch(
  batch: readonly InFlightRecord[],
  parts: BatchWriterParts,
  poisoned: Poisoned | undefined,
): Promise<readonly DeadRecord[]> {
  const plan = planBatch(batch, parts, poisoned);
  if (poisoned !== undefined && batch.length > 1 && isKeySpread(plan)) {
    // Collections are written one after the other: an error in the second would come too late for the first.
    const half = batch.length >> 1;
    const before = await tryBatch(batch.slice(0, half), parts, poisoned);
    return [...before, ...(await tryBatch(batch.slice(half), parts, poisoned))];
  }
  stopAt(plan.dead, parts);
  finishUnwritten(plan, parts);
  const dead = [...plan.dead];
  for (const [collection, pending] of plan.pending) {
    dead.push(...(await writeTo(collection, pending, parts, poisoned)));
  }
  return dead;
}

/** True if records of one key are for different collections. */
function isKeySpread({ pending }: BatchPlan): boolean {
  if (pending.size < 2) return false;
  const collectionOf = new Map<number, string>();
  for (const [collection, { tasks }] of pending) {
    for (const { work } of tasks) {
      const { keyHash } = work.record;
      if (keyHash === undefined) continue;
      if ((collectionOf.get(keyHash) ?? collection) !== collection) return true;
      collectionOf.set(keyHash, collection);
    }
  }
  return false;
}

function finishUnwritten({ nothing, settled, parts: pieces }: BatchPlan, { progress, stats, log }: BatchWriterParts) {
  for (const records of [nothing, settled, pieces]) for (const record of records) progress.done(record);
  stats.recordsWritten += nothing.length;
  stats.recordsAlreadyWritten += settled.length;
  stats.batchPartsSkipped += pieces.length;
  const [first] = pieces;
  if (first === undefined) return;
  const { topic, partition, offset } = first.record;
  log.warn(
    { topic, partition, offset: String(offset), records: pieces.length },
    "pieces of batches that could not be read are no records: they were skipped; this is the first of them",
  );
}

/** @throws SpillwayError DATA_ERROR if the sink is told to stop at one, and there is one */
function stopAt(dead: readonly DeadRecord[], { onDataError }: BatchWriterParts): void {
  const [first] = dead;
  if (first === undefined || onDataError !== "stop") return;
  const { topic, partition, offset } = first.record.record;
  throw new SpillwayError("DATA_ERROR", `A record can't be written: ${first.reason.code}`, {
    context: {
      ...{ topic, partition, offset },
      hint:
        "Mend what refuses it, and start again: it is tried again; " +
        "or let --on-data-error skip or park-key put it into the dead-letter topic, with the whole reason",
    },
  });
}

/** What decoding takes may be away too: an outage like any other. */
export async function prepareDecoding(
  batch: readonly InFlightRecord[],
  parts: Pick<BatchWriterParts, "decoder" | "abandoned" | "retryBackoff" | "outages">,
): Promise<void> {
  const { decoder, abandoned, retryBackoff, outages } = parts;
  if (decoder.prepare === undefined) return;
  const values = batch.flatMap(({ record: { value } }) => (value === null ? [] : [value]));
  await outages.schemas.outlast(async () => (await decoder.prepare?.(values, abandoned)) ?? false, {
    backoff: retryBackoff,
    signal: abandoned,
    // A batch that needs nothing says nothing of the outage of another.
    shows: (isAsked) => isAsked,
  });
}

/** Yields the records that can't be written, and with `poisoned` those that follow them. */
async function writeTo(
  collection: string,
  planned: Pending,
  parts: BatchWriterParts,
  poisoned: Poisoned | undefined,
): Promise<readonly DeadRecord[]> {
  const { breaker, abandoned } = parts;
  const dead: DeadRecord[] = [];
  const withoutParked = (pending: Pending): Pending => {
    if (poisoned === undefined) return pending;
    const parked = parkBehind(pending, poisoned);
    dead.push(...parked.dead);
    return parked.pending;
  };
  let pending = withoutParked(planned);
  for (let failures = 0; pending.tasks.length > 0; ) {
    let settled: Settled | undefined;
    const attempt = async () => {
      settled = await writeOnce(collection, pending, parts);
      return isAway(settled) ? settled.outage : undefined;
    };
    await breaker.through(attempt, abandoned);
    if (settled === undefined) continue;
    stopAt(settled.dead, parts);
    dead.push(...settled.dead);
    for (const { record } of settled.dead) poisoned?.add(record);
    pending = settled.dead.length === 0 ? settled.pending : withoutParked(settled.pending);
    failures = settled.outage === undefined ? 0 : failures + 1;
    if (settled.outage === undefined) continue;
    parts.stats.retries++;
    if (isAway(settled)) parts.stats.retriesWhileAway++;
    // An open breaker makes its own pauses.
    if (!breaker.isOpen) await pause(backoffMs(failures, parts.retryBackoff), abandoned);
  }
  return dead;
}

/** Tries as much of it as should be tried at once. */
async function writeOnce(collection: string, pending: Pending, parts: BatchWriterParts): Promise<Settled> {
  const { target, progress, stats, attemptSize, abandoned } = parts;
  const { now, later } = parted(pending, attemptSize.most);
  const operations = operationsOf(now);
  const startedAt = performance.now();
  const outcomes = await target.write(collection, operations, now.ordered);
  parts.observer?.wrote(operations.length, performance.now() - startedAt);
  abandoned.throwIfAborted(); // it came too late: these records are somebody else's now
  const settled = settle(now, outcomes, later);
  if (settled.isLate) attemptSize.late(operations.length);
  else if (settled.outage === undefined) attemptSize.succeeded(operations.length);
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
