import { type Db, MongoClient } from "mongodb";
import type { DocumentStore } from "./ledger.ts";
import type { StoredDocument } from "./stock.ts";

const TIMEOUT_MS = 30_000;
const SCAN_BATCH = 2_000;

interface StoredFields {
  readonly _id: unknown;
  readonly key?: unknown;
  readonly seq?: unknown;
}

interface FindAnswer {
  readonly cursor: { readonly firstBatch: readonly unknown[] };
}

/** The sink's collection, read with a client of the ledger's own. Documents are in the `value` shape: fields at top. */
export class MongoStore implements DocumentStore, AsyncDisposable {
  readonly #client: MongoClient;
  readonly #database: Db;
  readonly #collection: string;

  /** @param database the name of the database; the URL's own where it is left out */
  constructor(url: string, collection: string, database?: string) {
    this.#client = new MongoClient(url, {
      // Look-ups of the order watch, of the live watch (one per key) and of the end.
      maxPoolSize: 8,
      serverSelectionTimeoutMS: TIMEOUT_MS,
      socketTimeoutMS: TIMEOUT_MS,
    });
    this.#database = this.#client.db(database);
    this.#collection = collection;
  }

  /** Looks by a filter of nothing but `_id`, the one that FerretDB answers from an index. */
  async has(id: string): Promise<boolean> {
    const answer = (await this.#database.command({
      find: this.#collection,
      filter: { _id: id },
      projection: { _id: 1 },
      limit: 1,
      singleBatch: true,
    })) as FindAnswer;
    return answer.cursor.firstBatch.length === 1;
  }

  async *documents(): AsyncGenerator<StoredDocument, void, undefined> {
    const cursor = this.#database
      .collection<{ _id: unknown } & StoredFields>(this.#collection)
      .find({}, { projection: { _id: 1, key: 1, seq: 1 }, batchSize: SCAN_BATCH });
    try {
      for await (const { _id, key, seq } of cursor) yield { id: _id, key, sequence: seq };
    } finally {
      await cursor.close();
    }
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
