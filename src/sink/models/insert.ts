import type { Origin } from "../../record-batch/origin.ts";
import type { CollectionName } from "../collection-name.ts";
import { type DocumentShape, documentOf } from "./document.ts";
import { bytesOf, defineModel, type Model } from "./model.ts";

/** One document for each record, whose `_id` tells where the record came from. */
export function insertModel(collectionOf: CollectionName, shape: DocumentShape): Model {
  return defineModel(["insert"], (decoded) => {
    const collection = collectionOf(decoded);
    if (typeof collection !== "string") return collection;
    const id = documentId(decoded.origin);
    const made = documentOf(decoded, id, shape);
    if (made.kind === "rejected") return made;
    const { document } = made;
    return [{ collection, operation: { kind: "insert", id, document, bytes: bytesOf(decoded.record) } }];
  });
}

/**
 * The `_id` of the record's document. A record that is replayed, by a relay or by the sink itself, gets the same again; a
 * topic that was deleted and made anew has another topic id, so its records can't collide with those of the old one.
 */
export function documentId({ topicId, partition, offset }: Origin): string {
  return `${topicId}-${partition}-${offset}`;
}
