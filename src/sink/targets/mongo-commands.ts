import { BSON, type Document } from "mongodb";
import { DocumentSequence } from "mongodb/lib/cmap/commands.js";
import { VERSION_FIELD } from "../models/latest.ts";
import type { InsertBson, Latest, Operation } from "../operations.ts";

/** A command of MongoDB's that does several operations of one sort, and where its list of them is. */
export type CommandName = "insert" | "update" | "delete";

export const COMMANDS: Readonly<Record<Operation["kind"], CommandName>> = {
  insert: "insert",
  "insert-bson": "insert",
  latest: "update",
  update: "update",
  delete: "delete",
};

/** @see https://www.mongodb.com/docs/manual/reference/command/nav-crud/ */
export function commandOf(
  name: CommandName,
  collection: string,
  operations: readonly Operation[],
  ordered: boolean,
): Document {
  switch (name) {
    case "insert":
      return { insert: collection, documents: documentsOf(operations), ordered };
    case "update":
      return { update: collection, updates: operations.map(statementOf), ordered };
    case "delete":
      return { delete: collection, deletes: operations.map(statementOf), ordered };
  }
}

/** As values, for the driver to serialize with the command; or as BSON behind it, where some are that already. */
function documentsOf(operations: readonly Operation[]): Document[] | DocumentSequence {
  if (!operations.some(isBson)) return operations.map(statementOf);
  const sequence = new DocumentSequence("documents");
  for (const bytes of joined(operations.map(bsonOf))) sequence.push({}, bytes);
  return sequence;
}

function isBson(operation: Operation): operation is Operation & InsertBson {
  return operation.kind === "insert-bson";
}

/** @throws what the driver's serializer throws */
function bsonOf(operation: Operation): Uint8Array {
  return isBson(operation) ? operation.bson : BSON.serialize(statementOf(operation));
}

/** Documents that are neighbours in memory, as one piece: a thousand small copies cost more than one large. */
function* joined(documents: Iterable<Uint8Array>): Generator<Uint8Array, void, undefined> {
  let run: Uint8Array | undefined;
  for (const document of documents) {
    if (run !== undefined && run.buffer === document.buffer && run.byteOffset + run.length === document.byteOffset) {
      run = new Uint8Array(run.buffer, run.byteOffset, run.length + document.length);
    } else {
      if (run !== undefined) yield run;
      run = document;
    }
  }
  if (run !== undefined) yield run;
}

/** What stands for one operation in the command's list. */
export function statementOf(operation: Operation): Document {
  switch (operation.kind) {
    case "insert":
      return operation.document;
    case "insert-bson":
      return BSON.deserialize(operation.bson);
    case "latest":
      return { q: onlyOlder(operation), u: operation.document, multi: false, upsert: true };
    case "update":
      return { q: operation.filter, u: operation.update, multi: false, upsert: operation.upsert };
    case "delete":
      return { q: operation.filter, limit: 1 };
  }
}

/**
 * The document of this `_id`, if it is older and of the same source. Where there is another, the filter finds nothing, and
 * the upsert ends in a duplicate of `_id`: that is the guard, and it is atomic.
 */
function onlyOlder({ id, version }: Latest): Document {
  return {
    _id: id,
    [`${VERSION_FIELD}.source`]: version.source,
    [`${VERSION_FIELD}.order`]: { $lt: version.order },
  };
}
