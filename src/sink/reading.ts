import { bytesDecoder, type Decoder } from "../decode/decoder.ts";
import { collectionByTopic, readsValue } from "./collection-name.ts";
import { insertJsonModel } from "./models/insert-json.ts";
import type { Model } from "./models/model.ts";
import type { SinkRoute } from "./options.ts";
import type { Target } from "./target.ts";

/** What values mean, and what becomes of them. */
export interface Reading {
  readonly decoder: Decoder;
  readonly model: Model;
}

/**
 * For JSON that is inserted as it is: from bytes to BSON. Undefined where the target takes no BSON, or a collection is named
 * by the values.
 */
export function jsonInserts(routes: readonly SinkRoute[], { kinds }: Pick<Target, "kinds">): Reading | undefined {
  if (!kinds.has("insert-bson") || routes.some(({ collection }) => readsValue(collection))) return undefined;
  return { decoder: bytesDecoder, model: insertJsonModel(collectionByTopic(routes)) };
}
