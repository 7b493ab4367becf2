import { messageOf } from "../../errors.ts";
import type { CollectionName } from "../collection-name.ts";
import { type Fields, type PlannedOperation, rejected } from "../operations.ts";
import { documentId } from "./insert.ts";
import { bytesOf, type DecodedRecord, defineModel, type Model } from "./model.ts";

/** What a mapping function makes of a record. `collection` is the route's where it is left out. */
export type MappedOperation = { readonly collection?: string } & (
  | {
      readonly kind: "insert";
      readonly document: Fields;
      /** For several documents of one record: appended to the `_id`, which comes of the record's origin. */
      readonly part?: string;
    }
  | { readonly kind: "update"; readonly filter: Fields; readonly update: Fields; readonly upsert?: boolean }
  | { readonly kind: "delete"; readonly filter: Fields }
);

/**
 * An application's own model. Operations of one record are tried in their order, and again after a crash: inserts find
 * themselves there; updates and deletes must do no harm when they are repeated. What it throws is the record's fault.
 *
 * @param kinds what it makes, for targets that can't do all; a record for which it makes another is a dead letter
 */
export function mapModel(
  collectionOf: CollectionName,
  map: (decoded: DecodedRecord) => readonly MappedOperation[],
  kinds: readonly MappedOperation["kind"][] = ["insert", "update", "delete"],
): Model {
  return defineModel(kinds, (decoded) => {
    const bytes = bytesOf(decoded.record);
    let mapped: readonly MappedOperation[];
    try {
      mapped = map(decoded);
    } catch (error) {
      return rejected("map-failed", messageOf(error));
    }
    const planned: PlannedOperation[] = [];
    for (const one of mapped) {
      if (!kinds.includes(one.kind))
        return rejected("map-failed", `it made ${one.kind}, but was said to make ${kinds}`);
      const collection = one.collection ?? collectionOf(decoded);
      if (typeof collection !== "string") return collection;
      planned.push({ collection, operation: { ...withDefaults(one, decoded), bytes } });
    }
    return planned;
  });
}

function withDefaults(mapped: MappedOperation, { origin }: DecodedRecord) {
  switch (mapped.kind) {
    case "insert": {
      const id = mapped.part === undefined ? documentId(origin) : `${documentId(origin)}-${mapped.part}`;
      return { kind: "insert", id, document: { ...mapped.document, _id: id } } as const;
    }
    case "update":
      return { kind: "update", filter: mapped.filter, update: mapped.update, upsert: mapped.upsert ?? false } as const;
    case "delete":
      return { kind: "delete", filter: mapped.filter } as const;
  }
}
