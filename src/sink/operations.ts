import { isUtf8 } from "node:buffer";
import type { DeadLetterReason } from "../dead-letter/reason.ts";
import { decodeJson } from "../decode/json.ts";
import type { Origin } from "../record-batch/origin.ts";
import type { KafkaRecord } from "../record-batch/records.ts";

/** What of a record the document holds; see `SinkOptions.document`. */
export type DocumentShape = "value" | "envelope";

/** Insert this document. Its `_id` is `id`. */
export interface Operation {
  readonly kind: "operation";
  readonly id: string;
  readonly document: Readonly<Record<string, unknown>>;
  /** Of the record's key and value: a measure of the document's size. */
  readonly bytes: number;
}

/** The record can't be a document: a dead letter. */
export interface Rejected {
  readonly kind: "rejected";
  readonly reason: DeadLetterReason;
}

/** The largest distance from the epoch, in milliseconds, that a Date can hold. */
const MAX_DATE_MS = 8_640_000_000_000_000n;

/** Where a record first came from: what its origin header says, or else where it was read. */
export function originOf(record: KafkaRecord, topicId: string): Origin {
  return record.origin ?? { topicId, partition: record.partition, offset: record.offset };
}

/**
 * The `_id` of the record's document. A record that is replayed, by a relay or by the sink itself, gets the same again; a
 * topic that was deleted and made anew has another topic id, so its records can't collide with those of the old one.
 */
export function documentId({ topicId, partition, offset }: Origin): string {
  return `${topicId}-${partition}-${offset}`;
}

/** Plans the one operation of a record. It depends on nothing but the record, so a replay plans the same again. */
export function toOperation(record: KafkaRecord, origin: Origin, shape: DocumentShape): Operation | Rejected {
  if (shape === "envelope") return inEnvelope(record, origin);
  if (record.value === null) {
    return rejected("no-value", "a record without a value can't be a document of shape value; envelope can hold it");
  }
  const decoded = decodeJson(record.value);
  if (decoded.kind === "poison") return rejected(decoded.reason, decoded.message);
  const { value } = decoded;
  if (!isObject(value)) {
    return rejected("not-an-object", "only a JSON object can be a document of shape value; envelope can hold the rest");
  }
  if (Object.hasOwn(value, "_id")) {
    return rejected("has-own-id", "the object has an _id of its own, which shape value needs; envelope can hold it");
  }
  const id = documentId(origin);
  // The object was made by the decoder just now, for this document. Servers put _id first wherever it stands.
  value["_id"] = id;
  return { kind: "operation", id, document: value, bytes: bytesOf(record) };
}

function inEnvelope(record: KafkaRecord, origin: Origin): Operation | Rejected {
  const decoded = record.value === null ? NO_VALUE : decodeJson(record.value);
  if (decoded.kind === "poison") return rejected(decoded.reason, decoded.message);
  const id = documentId(origin);
  const document = {
    _id: id,
    key: keyOf(record.key),
    value: decoded.value,
    timestamp: timeOf(record.timestamp),
    topic: record.topic,
    origin: { topicId: origin.topicId, partition: origin.partition, offset: origin.offset },
  };
  return { kind: "operation", id, document, bytes: bytesOf(record) };
}

const NO_VALUE = { kind: "value", value: null } as const;

/** A key is text in most topics; what isn't stays binary. */
function keyOf(key: Buffer | null): string | Buffer | null {
  if (key === null) return null;
  return isUtf8(key) ? key.toString("utf8") : key;
}

/** Null where the producer set none; a number where it is beyond all dates. */
function timeOf(timestamp: bigint): Date | bigint | null {
  if (timestamp === -1n) return null;
  return timestamp > MAX_DATE_MS || timestamp < -MAX_DATE_MS ? timestamp : new Date(Number(timestamp));
}

function bytesOf({ key, value }: KafkaRecord): number {
  return (key?.length ?? 0) + (value?.length ?? 0);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function rejected(code: string, message: string): Rejected {
  return { kind: "rejected", reason: { code, message } };
}
