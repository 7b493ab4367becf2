import { type BulkWriteOptions, type Db, type Document, MongoBulkWriteError, WriteConcern } from "mongodb";
import type { Operation } from "../operations.ts";
import type { InTime } from "./mongo-deadline.ts";
import { ID_INDEX, indexOfDuplicate } from "./mongo-errors.ts";

/** What a server answered to a batch of inserts. */
export interface Reply {
  /** In the order of the batch. Of an ordered batch there is one at most: nothing behind it was attempted. */
  readonly failures: readonly Failure[];
  /** Set where fewer nodes have acknowledged the rest than the write concern asks for. */
  readonly concern: string | undefined;
}

/** One document that was not inserted. */
export interface Failure {
  /** Its place in the batch. */
  readonly index: number;
  readonly code: number;
  readonly message: string;
  /** Of a duplicate: whether it is one of `_id`. Undefined where the server doesn't say which index it is on. */
  readonly onId: boolean | undefined;
}

/** Up to here a batch surely fits into one command: BSON is at most six times as large as JSON (`[1,1,…]`). */
const COMMAND_BYTES = 2 * 1024 * 1024;

/**
 * Sends a batch of inserts.
 * @throws whatever the driver throws: then it isn't known what was written, if anything
 */
export async function send(
  database: Db,
  collection: string,
  operations: readonly Operation[],
  ordered: boolean,
  inTime: InTime,
): Promise<Reply> {
  let bytes = 0;
  for (const operation of operations) bytes += operation.bytes;
  return bytes <= COMMAND_BYTES
    ? await sendAsCommand(database, collection, operations, ordered, inTime)
    : await sendInParts(database, collection, operations, ordered, inTime);
}

/** All in one document, which the driver makes in half the time that it takes for each on its own. */
async function sendAsCommand(
  database: Db,
  collection: string,
  operations: readonly Operation[],
  ordered: boolean,
  inTime: InTime,
): Promise<Reply> {
  const command: Document = { insert: collection, documents: operations.map(({ document }) => document), ordered };
  const { writeConcern } = database;
  if (writeConcern !== undefined) WriteConcern.apply(command, writeConcern);
  const answer = (await inTime((signal) => database.command(command, { signal }))) as InsertAnswer;
  return {
    failures: (answer.writeErrors ?? []).map(({ index, code, errmsg = "", keyPattern }) => {
      const onId = keyPattern === undefined ? isOnId(errmsg) : Object.keys(keyPattern).join() === "_id";
      return { index, code, message: errmsg, onId };
    }),
    concern: answer.writeConcernError?.errmsg,
  };
}

interface InsertAnswer {
  readonly writeErrors?: readonly {
    readonly index: number;
    readonly code: number;
    readonly errmsg?: string;
    /** The index of a duplicate, as MongoDB says since 4.2. */
    readonly keyPattern?: Readonly<Record<string, unknown>>;
  }[];
  readonly writeConcernError?: { readonly errmsg?: string };
}

/** In as many messages as it takes: the driver sizes each document. */
async function sendInParts(
  database: Db,
  collection: string,
  operations: readonly Operation[],
  ordered: boolean,
  inTime: InTime,
): Promise<Reply> {
  const documents = operations.map(({ document }) => document);
  try {
    await inTime((signal) => {
      // The driver passes the signal on, though its types don't say so.
      const options = { ordered, signal } as BulkWriteOptions;
      return database.collection(collection).insertMany(documents, options);
    });
    return { failures: [], concern: undefined };
  } catch (error) {
    if (!(error instanceof MongoBulkWriteError)) throw error;
    const failures = [error.writeErrors].flat();
    // Thrown for anything else, the error names no document, and says nothing of parts that were written before.
    if (failures.length === 0) throw error;
    return {
      failures: failures
        .map(({ index, code, errmsg = "" }) => ({ index, code, message: errmsg, onId: isOnId(errmsg) }))
        .toSorted((a, b) => a.index - b.index),
      concern: error.result.getWriteConcernError()?.errmsg,
    };
  }
}

function isOnId(message: string): boolean | undefined {
  const index = indexOfDuplicate(message);
  return index === undefined ? undefined : index === ID_INDEX;
}
