/**
 * What an error that names no cause may hide: FerretDB answers a change that would violate a unique index as it answers a
 * fault of its own, and to the whole command. Taken for an outage it would be tried for ever, so the index is looked at.
 */
import type { Document, Filter } from "mongodb";
import { fieldAt, parseFieldPath } from "../field-path.ts";
import type { Operation } from "../operations.ts";
import type { Place } from "./mongo-send.ts";

/** The names of an index's fields. */
export type UniqueIndex = readonly string[];

/** All but that of `_id`. @throws what the driver throws */
export async function uniqueIndexes({ database, collection, inTime }: Place): Promise<readonly UniqueIndex[]> {
  const indexes: Document[] = await inTime((signal) => database.collection(collection).indexes({ signal } as object));
  return indexes.filter(({ unique }) => unique === true).map(({ key }) => Object.keys(key));
}

/**
 * Whether another document has what the operation would set in a unique index. Only looked for where all the fields are
 * known: those of a `latest`, and those that an update sets or its document has.
 * @throws what the driver throws
 */
export async function hasConflict(
  place: Place,
  operation: Operation,
  indexes: readonly UniqueIndex[],
): Promise<boolean> {
  const { database, collection, inTime } = place;
  const find = (filter: Document): Promise<Document | null> =>
    inTime((signal) => database.collection(collection).findOne(filter as Filter<Document>, { signal }));
  const changed = await changedBy(operation, find);
  if (changed === undefined) return false;
  for (const fields of indexes) {
    const values = fields.map((field) => [field, changed.valueAt(field)] as const);
    if (values.some(([, value]) => value === undefined)) continue;
    const same = values.map(([field, value]) => ({ [field]: { $eq: value } }));
    if ((await find({ $and: [{ _id: { $ne: changed.id } }, ...same] })) !== null) return true;
  }
  return false;
}

interface Changed {
  readonly id: unknown;
  readonly valueAt: (field: string) => unknown;
}

async function changedBy(
  operation: Operation,
  find: (filter: Document) => Promise<Document | null>,
): Promise<Changed | undefined> {
  switch (operation.kind) {
    case "latest":
      return { id: operation.id, valueAt: (field) => fieldAt(operation.document, parseFieldPath(field)) };
    case "update": {
      const there = await find(operation.filter);
      const set = operation.update["$set"] as Document | undefined;
      const valueAt = (field: string) => set?.[field] ?? fieldAt(there, parseFieldPath(field));
      return there === null ? undefined : { id: there["_id"], valueAt };
    }
    default:
      return undefined;
  }
}
