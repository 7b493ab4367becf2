import type { Document, Filter } from "mongodb";
import { VERSION_FIELD } from "../models/latest.ts";
import type { Latest } from "../operations.ts";
import { type FoundDocument, type Standing, standingOf } from "../standing.ts";
import type { Place } from "./mongo-send.ts";

/** Look-ups by `_id` of one batch that are under way at a time: many writers may do them at once. */
const LOOKUPS = 4;

const ID_ONLY = { _id: 1 };
const VERSION_ONLY = { [VERSION_FIELD]: 1 };

/** Which of these documents are there. One look-up for each: FerretDB answers no set of ids from its index. */
export async function findEach(place: Place, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const found = await lookUpEach(place, ids, ID_ONLY);
  return new Set(found.keys());
}

/** The same in one look-up, for servers that have an index for it. */
export async function findSet(place: Place, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const { database, collection, inTime } = place;
  const filter = byId({ $in: ids });
  const found = await inTime((signal) =>
    database.collection(collection).find(filter, { projection: ID_ONLY, signal }).toArray(),
  );
  return new Set(found.map(({ _id }) => String(_id)));
}

/** How each `latest` that was refused as a duplicate stands to what is there. */
export async function standings(place: Place, operations: readonly Latest[]): Promise<ReadonlyMap<string, Standing>> {
  const ids = operations.map(({ id }) => id);
  const found = await lookUpEach(place, ids, VERSION_ONLY);
  return new Map(operations.map(({ id, version }) => [id, standingOf(versionIn(found.get(id)), version)]));
}

function versionIn(document: Document | undefined): FoundDocument | undefined {
  return document && { version: document[VERSION_FIELD] ?? undefined };
}

async function lookUpEach(
  { database, collection, inTime }: Place,
  ids: readonly string[],
  projection: Document,
): Promise<ReadonlyMap<string, Document>> {
  const found = new Map<string, Document>();
  const waiting = ids.values();
  // Exact, as versions are compared: a double can't hold every offset.
  const options = { projection, useBigInt64: true };
  const lookUp = async () => {
    for (const id of waiting) {
      const document = await inTime((signal) =>
        database.collection(collection).findOne(byId(id), { ...options, signal }),
      );
      if (document !== null) found.set(id, document);
    }
  };
  await Promise.all(Array.from({ length: Math.min(LOOKUPS, ids.length) }, lookUp));
  return found;
}

/** The driver's types expect ObjectIds where a collection's type isn't given. */
function byId(condition: unknown): Filter<Document> {
  return { _id: condition } as Filter<Document>;
}
