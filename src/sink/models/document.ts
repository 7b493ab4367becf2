import { isUtf8 } from "node:buffer";
import { type Rejected, rejected } from "../operations.ts";
import type { DecodedRecord } from "./model.ts";

/** What of a record the document holds; see `SinkOptions.document`. */
export type DocumentShape = "value" | "envelope";

/** A document of its own: `_id` and more may be set in it. */
export interface NewDocument {
  readonly kind: "document";
  readonly document: Record<string, unknown>;
}

/** The largest distance from the epoch, in milliseconds, that a Date can hold. */
const MAX_DATE_MS = 8_640_000_000_000_000n;

/** Makes the document of a record, with this `_id`. */
export function documentOf(decoded: DecodedRecord, id: string, shape: DocumentShape): NewDocument | Rejected {
  return shape === "envelope" ? envelope(decoded, id) : valueItself(decoded, id);
}

function valueItself({ record, value }: DecodedRecord, id: string): NewDocument | Rejected {
  if (record.value === null) {
    return rejected("no-value", "a record without a value can't be a document of shape value; envelope can hold it");
  }
  if (!isObject(value)) {
    return rejected("not-an-object", "only an object can be a document of shape value; envelope can hold the rest");
  }
  if (Object.hasOwn(value, "_id")) {
    return rejected("has-own-id", "the object has an _id of its own, which shape value needs; envelope can hold it");
  }
  // The object was made by the decoder just now, for this document. Servers put _id first wherever it stands.
  value["_id"] = id;
  return { kind: "document", document: value };
}

function envelope({ record, origin, value }: DecodedRecord, id: string): NewDocument {
  const document = {
    _id: id,
    key: keyOf(record.key),
    value,
    timestamp: timeOf(record.timestamp),
    topic: record.topic,
    origin: { topicId: origin.topicId, partition: origin.partition, offset: origin.offset },
  };
  return { kind: "document", document };
}

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

/** What JSON calls an object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !Buffer.isBuffer(value);
}
