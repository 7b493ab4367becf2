import { type BulkWriteOptions, type Db, type Document, MongoBulkWriteError, WriteConcern } from "mongodb";
import type { Insert, Operation } from "../operations.ts";
import type { InTime } from "./in-time.ts";
import { type CommandName, commandOf } from "./mongo-commands.ts";
import { ID_INDEX, indexOfDuplicate } from "./mongo-errors.ts";

/** What a server answered to a batch. */
export interface Reply {
  /** In the order of the batch. Of an ordered batch there is one at most: nothing behind it was attempted. */
  readonly failures: readonly Failure[];
  /** Set where fewer nodes have acknowledged the rest than the write concern asks for. */
  readonly concern: string | undefined;
  /** Operations that the server says it has done: inserted, or matched and upserted. Undefined where it wasn't looked for. */
  readonly done: number | "unsaid" | undefined;
}

/** One operation that was not done. */
export interface Failure {
  /** Its place in the batch. */
  readonly index: number;
  readonly code: number;
  readonly message: string;
  /** Of a duplicate: whether it is one of `_id`. Undefined where the server doesn't say which index it is on. */
  readonly onId: boolean | undefined;
}

/** Where to write. */
export interface Place {
  readonly database: Db;
  readonly collection: string;
  readonly inTime: InTime;
}

/** A batch for one command. */
export interface Batch extends Place {
  readonly command: CommandName;
  readonly operations: readonly Operation[];
  readonly ordered: boolean;
}

/** Up to here a batch surely fits into one command: BSON is at most six times as large as JSON (`[1,1,…]`). */
const COMMAND_BYTES = 2 * 1024 * 1024;

/**
 * Sends a batch.
 * @throws whatever the driver throws: then it isn't known what was done, if anything
 */
export async function send(batch: Batch): Promise<Reply> {
  const { operations } = batch;
  let bytes = 0;
  for (const operation of operations) bytes += operation.bytes;
  if (bytes <= COMMAND_BYTES) return await sendAsCommand(batch);
  return operations.every(({ kind }) => kind === "insert") ? await insertInParts(batch) : await sendInHalves(batch);
}

/** All in one document, which the driver makes in half the time that it takes for each on its own. */
async function sendAsCommand(batch: Batch): Promise<Reply> {
  const { database, collection, command: name, operations, ordered, inTime } = batch;
  const command = commandOf(name, collection, operations, ordered);
  const { writeConcern } = database;
  if (writeConcern !== undefined) WriteConcern.apply(command, writeConcern);
  const answer = (await inTime((signal) => database.command(command, { signal }))) as Answer;
  return {
    failures: (answer.writeErrors ?? []).map(({ index, code, errmsg = "", keyPattern }) => {
      const onId = keyPattern === undefined ? isOnId(errmsg) : Object.keys(keyPattern).join() === "_id";
      return { index, code, message: errmsg, onId };
    }),
    concern: answer.writeConcernError?.errmsg,
    done: answer.n ?? "unsaid",
  };
}

interface Answer {
  readonly n?: number;
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
async function insertInParts({ database, collection, operations, ordered, inTime }: Batch): Promise<Reply> {
  const documents = operations.map((operation) => (operation as Insert).document as Document);
  try {
    await inTime((signal) => {
      // The driver passes the signal on, though its types don't say so.
      const options = { ordered, signal } as BulkWriteOptions;
      return database.collection(collection).insertMany(documents, options);
    });
    return { failures: [], concern: undefined, done: undefined };
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
      done: undefined,
    };
  }
}

/** One after the other, until each half fits into a command. */
async function sendInHalves(batch: Batch): Promise<Reply> {
  const { operations, ordered } = batch;
  if (operations.length === 1) return await sendAsCommand(batch);
  const middle = operations.length >> 1;
  const first = await send({ ...batch, operations: operations.slice(0, middle) });
  if (ordered && first.failures.length > 0) return first;
  const second = await send({ ...batch, operations: operations.slice(middle) });
  return {
    failures: [...first.failures, ...second.failures.map((failure) => ({ ...failure, index: failure.index + middle }))],
    concern: first.concern ?? second.concern,
    done: typeof first.done === "number" && typeof second.done === "number" ? first.done + second.done : first.done,
  };
}

function isOnId(message: string): boolean | undefined {
  const index = indexOfDuplicate(message);
  return index === undefined ? undefined : index === ID_INDEX;
}
