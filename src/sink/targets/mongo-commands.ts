import type { Document } from "mongodb";
import { VERSION_FIELD } from "../models/latest.ts";
import type { Latest, Operation } from "../operations.ts";

/** A command of MongoDB's that does several operations of one sort, and where its list of them is. */
export type CommandName = "insert" | "update" | "delete";

export const COMMANDS: Readonly<Record<Operation["kind"], CommandName>> = {
  insert: "insert",
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
  const statements = operations.map(statementOf);
  switch (name) {
    case "insert":
      return { insert: collection, documents: statements, ordered };
    case "update":
      return { update: collection, updates: statements, ordered };
    case "delete":
      return { delete: collection, deletes: statements, ordered };
  }
}

/** What stands for one operation in the command's list. */
export function statementOf(operation: Operation): Document {
  switch (operation.kind) {
    case "insert":
      return operation.document;
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
