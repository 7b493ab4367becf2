import type { Origin } from "../../record-batch/origin.ts";
import type { KafkaRecord } from "../../record-batch/records.ts";
import type { OperationKind, PlannedOperation, Rejected } from "../operations.ts";

/** A record as a model sees it. */
export interface DecodedRecord {
  readonly record: KafkaRecord;
  /** Where it first came from. */
  readonly origin: Origin;
  /** Its value, decoded for this record alone; null for a tombstone too. */
  readonly value: unknown;
}

/**
 * Plans what is written for a record. It depends on nothing but the record, so a replay plans the same again. Nothing to
 * do is an answer too: the record counts as written.
 */
export type PlanRecord = (decoded: DecodedRecord) => readonly PlannedOperation[] | Rejected;

export interface Model extends PlanRecord {
  /** All it may plan: a sink begins only if its target can do these. */
  readonly kinds: ReadonlySet<OperationKind>;
}

/** A model of what plans nothing but these. */
export function defineModel(kinds: Iterable<OperationKind>, plan: PlanRecord): Model {
  return Object.assign((decoded: DecodedRecord) => plan(decoded), { kinds: new Set(kinds) });
}

/** Where a record first came from: what its origin header says, or else where it was read. */
export function originOf(record: KafkaRecord, topicId: string): Origin {
  return record.origin ?? { topicId, partition: record.partition, offset: record.offset };
}

/** Of key and value. */
export function bytesOf({ key, value }: KafkaRecord): number {
  return (key?.length ?? 0) + (value?.length ?? 0);
}
