/**
 * MongoDB, or what speaks its protocol, as a target.
 *
 * Guarantee: `written` and `already-written` mean that the server has acknowledged the document under the write concern of
 * the URL, or else the server's default (majority, on replica sets).
 * - `insert`, `insert-bson`: its `_id` is the record's origin, so one that is repeated finds its `_id` taken and changes
 *   nothing. Only a duplicate on `_id` counts as already written: one on any other index is a data error. A document that
 *   the database has deleted, or an application changed its `_id`, would be written again by a replay.
 * - `latest`: one upsert whose filter lets only an older version be replaced, so it is atomic, and a repeat or a late
 *   replay changes nothing. What stands under the key without a version of the same source is left alone: a data error.
 * - `update`, `delete`: at least once, and as good as their filters: a repeat is not noticed.
 */
import { type Db, MongoClient } from "mongodb";
import { messageOf, SpillwayError } from "../../errors.ts";
import { withDeadline } from "../../runtime/deadline.ts";
import type { Operation, OperationKind } from "../operations.ts";
import type { Availability, Outcome, Target } from "../target.ts";
import { type InTime, inTime } from "./in-time.ts";
import { classOf, refused, tlsRefusal } from "./mongo-errors.ts";
import { type CollectionIndex, ensureIndexes } from "./mongo-indexes.ts";
import { write } from "./mongo-write.ts";

export interface MongoTargetOptions {
  /** May hold a password: it is never logged and stands in no error. */
  readonly url: string;
  /** The URL's own where it is left out. */
  readonly database?: string | undefined;
  /** Made when the sink begins, if they aren't there. */
  readonly indexes?: readonly CollectionIndex[];
  /** Connections at most. No fewer than writers, or writers wait for each other. */
  readonly maxPoolSize?: number;
  /** Milliseconds to find a server that takes writes. */
  readonly serverSelectionTimeoutMs?: number;
  /** Milliseconds that one command may take, from the choice of a server to the answer. */
  readonly writeTimeoutMs?: number;
}

export const MONGO_DEFAULTS = {
  maxPoolSize: 50,
  serverSelectionTimeoutMs: 5_000,
  writeTimeoutMs: 10_000,
} as const satisfies Partial<MongoTargetOptions>;

const CLOSE_DEADLINE_MS = 5_000;

/**
 * Makes the client; it connects when it is first used.
 * @throws SpillwayError CONFIG_INVALID if the URL or an option can't be used
 */
export function openMongoTarget(options: MongoTargetOptions): MongoTarget {
  const { url, database, indexes = [], ...given } = options;
  const { maxPoolSize, serverSelectionTimeoutMs, writeTimeoutMs } = { ...MONGO_DEFAULTS, ...given };
  let client: MongoClient;
  try {
    client = new MongoClient(url, {
      appName: "spillway",
      maxPoolSize,
      serverSelectionTimeoutMS: serverSelectionTimeoutMs,
      connectTimeoutMS: writeTimeoutMs,
      socketTimeoutMS: writeTimeoutMs,
      waitQueueTimeoutMS: writeTimeoutMs,
      // The sink tries again itself, visibly and with jitter.
      retryWrites: false,
    });
  } catch (error) {
    // The driver's error is no cause here: it might quote the URL, and with it the password.
    throw new SpillwayError(
      "CONFIG_INVALID",
      `The database's URL can't be used: ${withoutSecrets(messageOf(error), url)}`,
    );
  }
  if (client.options.writeConcern?.w === 0) {
    throw new SpillwayError("CONFIG_INVALID", "The database's URL asks for unacknowledged writes (w=0)", {
      context: { hint: "Leave w out, or say w=majority" },
    });
  }
  return new MongoTarget(client, client.db(database), inTime(writeTimeoutMs), indexes);
}

const KINDS: ReadonlySet<OperationKind> = new Set(["insert", "insert-bson", "latest", "update", "delete"]);

export class MongoTarget implements Target {
  readonly kinds = KINDS;
  readonly #client: MongoClient;
  readonly #database: Db;
  readonly #inTime: InTime;
  readonly #indexes: readonly CollectionIndex[];

  constructor(client: MongoClient, database: Db, inTime: InTime, indexes: readonly CollectionIndex[]) {
    this.#indexes = indexes;
    this.#client = client;
    this.#database = database;
    this.#inTime = inTime;
  }

  async prepare(): Promise<Availability> {
    return await this.#ask(async () => {
      await this.#ping().catch((error: unknown) => {
        throw tlsRefusal(error) === undefined ? error : refused(error);
      });
      await ensureIndexes(this.#database, this.#indexes, this.#inTime);
    });
  }

  async check(): Promise<Availability> {
    return await this.#ask(() => this.#ping());
  }

  async write(collection: string, operations: readonly Operation[], ordered: boolean): Promise<readonly Outcome[]> {
    return await write({ database: this.#database, collection, inTime: this.#inTime }, operations, ordered);
  }

  async #ping(): Promise<void> {
    await this.#inTime((signal) => this.#database.command({ ping: 1 }, { signal }));
  }

  async #ask(question: () => Promise<void>): Promise<Availability> {
    try {
      await question();
      return { kind: "available" };
    } catch (error) {
      if (classOf(error) === "transient") return { kind: "away", message: messageOf(error) };
      throw refused(error);
    }
  }

  /** Ends what is under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    // A server that is away can't be said goodbye to; the process may go all the same.
    await withDeadline(this.#client.close(), CLOSE_DEADLINE_MS, "Closing the database's connections").catch(() => {});
  }
}

/** A message that may quote a URL, without the password in it. */
function withoutSecrets(message: string, url: string): string {
  const credentials = /\/\/([^/?#]*)@/.exec(url)?.[1];
  const password = credentials?.slice(credentials.indexOf(":") + 1);
  return password ? message.replaceAll(password, "***") : message;
}
