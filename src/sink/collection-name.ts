import { isUtf8 } from "node:buffer";
import { SpillwayError } from "../errors.ts";
import { type FieldPath, fieldAt, parseFieldPath } from "./field-path.ts";
import type { DecodedRecord } from "./models/model.ts";
import { type Rejected, rejected } from "./operations.ts";

/** Chooses the collection for a record. */
export type CollectionName = (decoded: DecodedRecord) => string | Rejected;

type Piece = string | { readonly kind: "topic" | "key" } | { readonly kind: "field"; readonly path: FieldPath };

/** What MongoDB allows for a name with its database, with room for the latter. */
const MAX_BYTES = 190;

/**
 * Reads a name such as `prices`, `{topic}`, `prices-{key}` or `{value.symbol}`.
 * @throws SpillwayError CONFIG_INVALID
 */
export function parseCollectionName(template: string): CollectionName {
  const pieces = template.split(/(\{[^{}]*\})/).filter((piece) => piece !== "");
  const parsed = pieces.map((piece) => parsePiece(piece, template));
  const [only] = parsed;
  if (parsed.length === 1 && typeof only === "string") return () => only;
  return (decoded) => {
    let name = "";
    for (const piece of parsed) {
      const text = typeof piece === "string" ? piece : textOf(piece, decoded);
      if (typeof text !== "string") return text;
      name += text;
    }
    return isAllowed(name) ? name : rejected("collection-name", `${template} makes a name no collection can have`);
  };
}

/** True if the template says one name for all records. */
export function isConstantName(template: string): boolean {
  return !template.includes("{");
}

/** True if the template takes a field of the value for the name. */
export function readsValue(template: string): boolean {
  return template.includes("{value.");
}

/** By topic, as the routes say. */
export function collectionByTopic(
  routes: readonly { readonly topic: string; readonly collection: string }[],
): CollectionName {
  const byTopic = new Map(routes.map(({ topic, collection }) => [topic, parseCollectionName(collection)]));
  return (decoded) => {
    const name = byTopic.get(decoded.record.topic);
    if (name === undefined) {
      throw new SpillwayError("CONFIG_INVALID", `No route is given for topic ${decoded.record.topic}`);
    }
    return name(decoded);
  };
}

function parsePiece(piece: string, template: string): Piece {
  if (!piece.startsWith("{")) return piece;
  const name = piece.slice(1, -1);
  if (name === "topic" || name === "key") return { kind: name };
  if (name.startsWith("value.")) return { kind: "field", path: parseFieldPath(name.slice("value.".length)) };
  throw new SpillwayError("CONFIG_INVALID", `${piece} in collection ${template} means nothing`, {
    context: { hint: "There are {topic}, {key} and {value.FIELD}" },
  });
}

function textOf(piece: Exclude<Piece, string>, { record, value }: DecodedRecord): string | Rejected {
  switch (piece.kind) {
    case "topic":
      return record.topic;
    case "key":
      if (record.key === null || !isUtf8(record.key)) {
        return rejected("collection-name", "the collection is named by the key: the record has none that is text");
      }
      return record.key.toString("utf8");
    case "field": {
      const found = fieldAt(value, piece.path);
      if (typeof found === "string" || typeof found === "number" || typeof found === "bigint") return String(found);
      return rejected("collection-name", `the collection is named by ${piece.path.join(".")}: the value has none`);
    }
  }
}

function isAllowed(name: string): boolean {
  return (
    name !== "" &&
    Buffer.byteLength(name) <= MAX_BYTES &&
    !/[$\0]/.test(name) &&
    !name.startsWith("system.") &&
    !name.startsWith(".") &&
    !name.endsWith(".")
  );
}
