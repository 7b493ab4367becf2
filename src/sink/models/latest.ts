import { isUtf8 } from "node:buffer";
import type { CollectionName } from "../collection-name.ts";
import { type FieldPath, fieldAt } from "../field-path.ts";
import { type Rejected, rejected, type Version, type VersionOrder } from "../operations.ts";
import { type DocumentShape, documentOf } from "./document.ts";
import { bytesOf, type DecodedRecord, defineModel, type Model } from "./model.ts";

/** The field that holds what tells newer from older: `{ source, order }`, and `deleted: true` in a tombstone's marker. */
export const VERSION_FIELD = "_spillway";

/**
 * One document for each key, replaced by newer versions only.
 *
 * Newer is the later offset of the same origin (topic id and partition), or the greater value at `versionField`. A record
 * of another origin can't be judged by offsets: a target makes that a data error. A tombstone leaves a document of nothing
 * but its version, so that an older record which is replayed later finds something newer there.
 */
export function latestModel(collectionOf: CollectionName, shape: DocumentShape, versionField?: FieldPath): Model {
  return defineModel(["latest"], (decoded) => {
    const { key, value } = decoded.record;
    if (key === null) return rejected("no-key", "model latest keeps one document for each key: the record has none");
    if (!isUtf8(key)) return rejected("key-not-text", "model latest makes an _id of the key: it isn't UTF-8");
    const collection = collectionOf(decoded);
    if (typeof collection !== "string") return collection;
    const id = key.toString("utf8");
    const version = versionOf(decoded, versionField);
    if ("kind" in version) return version;
    const isTombstone = value === null;
    const made = isTombstone ? TOMBSTONE(id) : documentOf(decoded, id, shape);
    if (made.kind === "rejected") return made;
    const { document } = made;
    if (Object.hasOwn(document, VERSION_FIELD)) {
      return rejected("reserved-field", `the object has a field ${VERSION_FIELD}, which model latest needs for itself`);
    }
    document[VERSION_FIELD] = isTombstone ? { ...version, deleted: true } : version;
    const operation = { kind: "latest", id, document, version, bytes: bytesOf(decoded.record) } as const;
    return [{ collection, operation }];
  });
}

const TOMBSTONE = (id: string) => ({ kind: "document", document: { _id: id } as Record<string, unknown> }) as const;

function versionOf({ record, origin, value }: DecodedRecord, field: FieldPath | undefined): Version | Rejected {
  if (field === undefined) return { source: `${origin.topicId}-${origin.partition}`, order: origin.offset };
  if (record.value === null) {
    return rejected("no-version", "a tombstone has no version field: versions by offset can do with them");
  }
  const order = fieldAt(value, field);
  if (!isOrder(order)) return rejected("no-version", `the value has no number or text at ${field.join(".")}`);
  return { source: `field:${field.join(".")}`, order };
}

function isOrder(value: unknown): value is VersionOrder {
  return typeof value === "number" || typeof value === "bigint" || typeof value === "string";
}
