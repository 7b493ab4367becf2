import type { Db } from "mongodb";
import type { InTime } from "./in-time.ts";

/** An index that a collection has to have. */
export interface CollectionIndex {
  readonly collection: string;
  /** Its fields in their order; 1 ascending, -1 descending. */
  readonly fields: readonly (readonly [name: string, direction: 1 | -1])[];
  readonly unique: boolean;
}

/** Makes those that aren't there; a server leaves alone what is there as it should be. @throws what the driver throws */
export async function ensureIndexes(database: Db, indexes: readonly CollectionIndex[], inTime: InTime): Promise<void> {
  for (const [collection, ofCollection] of Map.groupBy(indexes, (index) => index.collection)) {
    const descriptions = ofCollection.map(({ fields, unique }) => {
      return { key: Object.fromEntries(fields), name: nameOf(fields), ...(unique ? { unique } : {}) };
    });
    await inTime((signal) => database.command({ createIndexes: collection, indexes: descriptions }, { signal }));
  }
}

/** As the driver would name it: `symbol_1_time_-1`. */
function nameOf(fields: CollectionIndex["fields"]): string {
  return fields.map(([name, direction]) => `${name}_${direction}`).join("_");
}
