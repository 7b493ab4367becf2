/**
 * MongoDB, or what speaks its protocol, as a target: inserts with an `_id` of the record's origin.
 *
 * Guarantee: `written` and `already-written` mean that the server has acknowledged the document under the write concern of
 * the URL, or else the server's default (majority, on replica sets). An insert that is repeated finds its `_id` taken and
 * changes nothing. Only a duplicate on `_id` counts as already written: one on any other index is a data error. A document
 * that the database has deleted, or an application changed its `_id`, would be written again by a replay.
 */
import { type Db, MongoClient } from "mongodb";
import { messageOf, SpillwayError } from "../../errors.ts";
import { withDeadline } from "../../runtime/deadline.ts";
import type { Operation } from "../operations.ts";
import type { Availability, Outcome, Target } from "../target.ts";
import { type InTime, inTime } from "./mongo-deadline.ts";
import { classOf, refused } from "./mongo-errors.ts";
import { insert } from "./mongo-insert.ts";

export interface MongoTargetOptions {
  /** May hold a password: it is never logged and stands in no error. */
  readonly url: string;
  /** The URL's own where it is left out. */
  readonly database?: string | undefined;
  /** Connections at most. No fewer than lanes, or lanes wait for each other. */
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
  const { url, database, ...given } = options;
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
  return new MongoTarget(client, client.db(database), inTime(writeTimeoutMs));
}

export class MongoTarget implements Target {
  readonly #client: MongoClient;
  readonly #database: Db;
  readonly #inTime: InTime;

  constructor(client: MongoClient, database: Db, inTime: InTime) {
    this.#client = client;
    this.#database = database;
    this.#inTime = inTime;
  }

  async check(): Promise<Availability> {
    try {
      await this.#inTime((signal) => this.#database.command({ ping: 1 }, { signal }));
      return { kind: "available" };
    } catch (error) {
      if (classOf(error) === "transient") return { kind: "away", message: messageOf(error) };
      throw refused(error);
    }
  }

  async write(collection: string, operations: readonly Operation[], ordered: boolean): Promise<readonly Outcome[]> {
    return await insert(this.#database, collection, operations, ordered, this.#inTime);
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
