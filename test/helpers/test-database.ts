import { type Collection, type Document, MongoClient } from "mongodb";
import { uniqueName } from "./services.ts";

/** A database of a test's own, seen by a client of its own, past whatever a target is behind. Dropped when it is closed. */
export class TestDatabase implements AsyncDisposable {
  readonly name: string;
  readonly #client: MongoClient;

  constructor(url: string, name: string) {
    this.name = uniqueName(name);
    this.#client = new MongoClient(url);
  }

  collection(name: string): Collection<Document & { _id: string }> {
    return this.#client.db(this.name).collection(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.db(this.name).dropDatabase();
    await this.#client.close();
  }
}
