import type { DeadLetterReason } from "../dead-letter/reason.ts";
import { type DocumentShape, type Operation, originOf, toOperation } from "./operations.ts";
import type { InFlightRecord } from "./progress.ts";
import type { Outcome } from "./target.ts";

/** Operations to be tried, and the records they are of, in the same places. */
export interface Pending {
  readonly operations: readonly Operation[];
  readonly records: readonly InFlightRecord[];
  /** A key repeats, so operations depend on each other. */
  readonly ordered: boolean;
}

/** A record that goes to the dead-letter topic. */
export interface DeadRecord {
  readonly record: InFlightRecord;
  readonly reason: DeadLetterReason;
}

export interface BatchPlan {
  readonly pending: Pending;
  readonly dead: readonly DeadRecord[];
}

/** Plans a batch for one collection: an operation for each record that can be one. */
export function planBatch(batch: readonly InFlightRecord[], shape: DocumentShape): BatchPlan {
  const operations: Operation[] = [];
  const records: InFlightRecord[] = [];
  const dead: DeadRecord[] = [];
  for (const item of batch) {
    const planned = toOperation(item.record, originOf(item.record, item.topicId), shape);
    if (planned.kind === "rejected") dead.push({ record: item, reason: planned.reason });
    else {
      operations.push(planned);
      records.push(item);
    }
  }
  return { pending: { operations, records, ordered: hasRepeatedKey(records) }, dead };
}

/** By hash: two keys that share one are taken for the same, which costs nothing but the order. */
function hasRepeatedKey(records: readonly InFlightRecord[]): boolean {
  const seen = new Set<number>();
  for (const { keyHash } of records) {
    if (keyHash === undefined) continue;
    if (seen.has(keyHash)) return true;
    seen.add(keyHash);
  }
  return false;
}

/** What an attempt has brought. */
export interface Settled {
  readonly written: readonly InFlightRecord[];
  readonly alreadyWritten: readonly InFlightRecord[];
  readonly dead: readonly DeadRecord[];
  /** What is to be tried again, in its old order. */
  readonly pending: Pending;
  /** Set if an operation met an outage: the next attempt has to wait. */
  readonly outage: string | undefined;
}

/** Sorts the operations of an attempt by their outcomes. */
export function settle({ operations, records, ordered }: Pending, outcomes: readonly Outcome[]): Settled {
  if (outcomes.length !== operations.length) {
    throw new RangeError(`a target gave ${outcomes.length} outcomes for ${operations.length} operations`);
  }
  const written: InFlightRecord[] = [];
  const alreadyWritten: InFlightRecord[] = [];
  const dead: DeadRecord[] = [];
  const again: { operations: Operation[]; records: InFlightRecord[] } = { operations: [], records: [] };
  let outage: string | undefined;
  for (const [i, outcome] of outcomes.entries()) {
    const record = records[i] as InFlightRecord;
    switch (outcome.kind) {
      case "written":
        written.push(record);
        break;
      case "already-written":
        alreadyWritten.push(record);
        break;
      case "data-error":
        dead.push({ record, reason: { code: outcome.code, message: outcome.message } });
        break;
      case "transient":
      case "not-attempted":
        again.operations.push(operations[i] as Operation);
        again.records.push(record);
        if (outcome.kind === "transient") outage ??= outcome.message;
    }
  }
  if (outage === undefined && again.records.length === records.length) {
    throw new RangeError("a target attempted nothing and gave no reason: that would go on for ever");
  }
  return { written, alreadyWritten, dead, pending: { ...again, ordered }, outage };
}
