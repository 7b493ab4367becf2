import { jsonDecoder } from "../../decode/decoder.ts";
import { JsonToBson } from "../../decode/json-to-bson.ts";
import type { CollectionName } from "../collection-name.ts";
import { rejected } from "../operations.ts";
import { documentId, insertModel } from "./insert.ts";
import { bytesOf, defineModel, type Model } from "./model.ts";

/**
 * What `insertModel` plans for JSON values in shape `value`, with most of them turned into BSON right from their bytes.
 *
 * @param collectionOf must not look at the value: it isn't decoded. The sink's decoder has to leave the bytes as they are
 */
export function insertJsonModel(collectionOf: CollectionName): Model {
  const byValue = insertModel(collectionOf, "value");
  const transcoder = new JsonToBson();
  return defineModel(["insert", "insert-bson"], (raw) => {
    const { record, origin } = raw;
    if (record.value === null) return byValue(raw);
    const id = documentId(origin);
    const bson = transcoder.document(record.value, id);
    if (bson !== undefined) {
      const collection = collectionOf(raw);
      if (typeof collection !== "string") return collection;
      return [{ collection, operation: { kind: "insert-bson", id, bson, bytes: bytesOf(record) } }];
    }
    const decoded = jsonDecoder.decode(record.value);
    if (decoded.kind === "poison") return rejected(decoded.reason, decoded.message);
    return byValue({ ...raw, value: decoded.value });
  });
}
