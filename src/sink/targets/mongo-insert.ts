import { BSON, type Collection, type Db, type Document, type Filter, MongoAPIError, MongoError } from "mongodb";
import { messageOf } from "../../errors.ts";
import type { Operation } from "../operations.ts";
import { ALREADY_WRITTEN, NOT_ATTEMPTED, type Outcome, WRITTEN } from "../target.ts";
import type { InTime } from "./mongo-deadline.ts";
import { classOf, classOfDocumentError, isDuplicateKey, refused } from "./mongo-errors.ts";
import { type Failure, type Reply, send } from "./mongo-send.ts";

/** A document of this many bytes or more is refused by the driver. */
const MAX_DOCUMENT_BYTES = 16 * 1024 * 1024;
/** Look-ups by `_id` of one batch that are under way at a time: many lanes may do them at once. */
const LOOKUPS = 4;
/** How many ids are looked up before it is judged whether to go on. */
const LOOK_AHEAD = 16;

/**
 * Inserts a batch once, and finds out what became of each document.
 *
 * An answer that was lost leaves all in doubt (`transient`): the next attempt finds on `_id` what was written.
 */
export async function insert(
  database: Db,
  collection: string,
  operations: readonly Operation[],
  ordered: boolean,
  inTime: InTime,
): Promise<readonly Outcome[]> {
  if (operations.length === 0) return [];
  let reply: Reply;
  try {
    reply = await send(database, collection, operations, ordered, inTime);
  } catch (error) {
    const attempt = (some: readonly Operation[]) => insert(database, collection, some, ordered, inTime);
    return await nothingKnown(operations, ordered, error, attempt);
  }
  if (reply.failures.length === 0 && reply.concern === undefined) return operations.map(() => WRITTEN);
  return await partlyWritten({ collection: database.collection(collection), inTime }, operations, ordered, reply);
}

/** The driver or the server has thrown: nothing was written, or it isn't known what. */
async function nothingKnown(
  operations: readonly Operation[],
  ordered: boolean,
  error: unknown,
  attempt: Attempt,
): Promise<readonly Outcome[]> {
  if (!(error instanceof MongoError) || error instanceof MongoAPIError) {
    const unfit = findUnfit(operations);
    if (unfit.size > 0) return await withoutUnfit(operations, ordered, unfit, attempt);
  }
  switch (classOf(error)) {
    case "transient":
      return operations.map(() => transient(error));
    case "data":
      return await inHalves(operations, ordered, error, attempt);
    case "refused":
      throw refused(error);
  }
}

/** Where to look up what is there. */
interface Lookups {
  readonly collection: Collection;
  readonly inTime: InTime;
}

async function partlyWritten(
  lookups: Lookups,
  operations: readonly Operation[],
  ordered: boolean,
  { failures, concern }: Reply,
): Promise<readonly Outcome[]> {
  // Written, but not by as many nodes as asked for: tried again, they are found there.
  const rest: Outcome = concern === undefined ? WRITTEN : { kind: "transient", message: concern };
  const outcomes = operations.map(() => rest);
  const unclear: Failure[] = [];
  for (const failure of failures) {
    const outcome = outcomeOf(failure);
    if (outcome === undefined) unclear.push(failure);
    else outcomes[failure.index] = outcome;
  }
  if (unclear.length > 0) await clearUp(lookups, operations, unclear, outcomes);

  const [first] = failures;
  if (!ordered || first === undefined) return outcomes;
  outcomes.fill(NOT_ATTEMPTED, first.index + 1);
  if (outcomes[first.index]?.kind === "already-written") {
    await lookAhead(lookups, operations, first.index + 1, unclear.length === 0, outcomes);
  }
  return outcomes;
}

/** Undefined for a duplicate on an index that the server doesn't name. */
function outcomeOf({ code, message, onId }: Failure): Outcome | undefined {
  if (isDuplicateKey(code)) {
    if (onId === undefined) return undefined;
    return onId ? ALREADY_WRITTEN : dataError(code, message);
  }
  switch (classOfDocumentError(code)) {
    case "transient":
      return { kind: "transient", message };
    case "data":
      return dataError(code, message);
    case "refused":
      throw refused(new Error(message));
  }
}

/** Reads back whether the document is there: if it isn't, the duplicate is on another index than that of `_id`. */
async function clearUp(
  lookups: Lookups,
  operations: readonly Operation[],
  unclear: readonly Failure[],
  outcomes: Outcome[],
): Promise<void> {
  const ids = unclear.map(({ index }) => (operations[index] as Operation).id);
  try {
    const found = await findEach(lookups, ids);
    for (const [i, { index, code, message }] of unclear.entries()) {
      outcomes[index] = found.has(ids[i] as string) ? ALREADY_WRITTEN : dataError(code, message);
    }
  } catch (error) {
    if (classOf(error) !== "transient") throw refused(error);
    for (const { index } of unclear) outcomes[index] = transient(error);
  }
}

/**
 * Where one document of an ordered batch was there already, this is a replay, and more will be. Each would end an attempt
 * of its own, so they are looked up. It only saves attempts: whatever is missed here is found by the next one.
 *
 * @param namesIndexes whether the server names the index of a duplicate; those that don't would scan for a set of ids
 */
async function lookAhead(
  lookups: Lookups,
  operations: readonly Operation[],
  from: number,
  namesIndexes: boolean,
  outcomes: Outcome[],
): Promise<void> {
  const ids = operations.map(({ id }) => id);
  try {
    for (let start = from; start < ids.length; ) {
      const some = ids.slice(start, namesIndexes ? ids.length : start + LOOK_AHEAD);
      const found = namesIndexes ? await findSet(lookups, some) : await findEach(lookups, some);
      if (found.size === 0) return;
      for (const [i, id] of some.entries()) if (found.has(id)) outcomes[start + i] = ALREADY_WRITTEN;
      start += some.length;
    }
  } catch (error) {
    if (classOf(error) !== "transient") throw refused(error);
  }
}

/** One look-up for each: FerretDB answers only a filter that is exactly an `_id` from its index. */
async function findEach({ collection, inTime }: Lookups, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  const waiting = ids.values();
  const lookUp = async () => {
    for (const id of waiting) {
      const document = await inTime((signal) => collection.findOne(byId(id), { ...ID_ONLY, signal }));
      if (document !== null) found.add(id);
    }
  };
  await Promise.all(Array.from({ length: Math.min(LOOKUPS, ids.length) }, lookUp));
  return found;
}

async function findSet({ collection, inTime }: Lookups, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const found = await inTime((signal) => collection.find(byId({ $in: ids }), { ...ID_ONLY, signal }).toArray());
  return new Set(found.map(({ _id }) => String(_id)));
}

const ID_ONLY = { projection: { _id: 1 } };

/** The driver's types expect ObjectIds where a collection's type isn't given. */
function byId(condition: unknown): Filter<Document> {
  return { _id: condition } as Filter<Document>;
}

/** Documents that can't be sent, and why: too large, or with names that BSON can't hold. */
function findUnfit(operations: readonly Operation[]): ReadonlyMap<number, Outcome> {
  const unfit = new Map<number, Outcome>();
  for (const [i, { document }] of operations.entries()) {
    try {
      const bytes = BSON.calculateObjectSize(document);
      if (bytes < MAX_DOCUMENT_BYTES) BSON.serialize(document);
      else
        unfit.set(i, { kind: "data-error", code: "bson-too-large", message: `the document would have ${bytes} bytes` });
    } catch (error) {
      unfit.set(i, { kind: "data-error", code: "bson-invalid", message: messageOf(error) });
    }
  }
  return unfit;
}

async function withoutUnfit(
  operations: readonly Operation[],
  ordered: boolean,
  unfit: ReadonlyMap<number, Outcome>,
  attempt: Attempt,
): Promise<readonly Outcome[]> {
  const end = ordered ? Math.min(...unfit.keys()) : operations.length;
  const fit = await attempt(operations.filter((_, i) => i < end && !unfit.has(i)));
  const reached = !ordered || fit.every(isInDatabase);
  const outcomes = fit.values();
  return operations.map((_, i) => {
    const outcome = unfit.get(i);
    if (i > end || (outcome !== undefined && !reached)) return NOT_ATTEMPTED;
    return outcome ?? (outcomes.next().value as Outcome);
  });
}

/** The server refuses the batch for a document that it doesn't name: halves are tried until it is alone. */
async function inHalves(
  operations: readonly Operation[],
  ordered: boolean,
  error: unknown,
  attempt: Attempt,
): Promise<readonly Outcome[]> {
  if (operations.length === 1) {
    const code = error instanceof MongoError ? error.code : undefined;
    return [dataError(code ?? "", messageOf(error))];
  }
  const middle = operations.length >> 1;
  const first = await attempt(operations.slice(0, middle));
  const behind = operations.slice(middle);
  if (ordered && !first.every(isInDatabase)) return [...first, ...behind.map(() => NOT_ATTEMPTED)];
  return [...first, ...(await attempt(behind))];
}

/** Tries some of a batch, for a start or instead of all. */
type Attempt = (operations: readonly Operation[]) => Promise<readonly Outcome[]>;

function isInDatabase({ kind }: Outcome): boolean {
  return kind === "written" || kind === "already-written";
}

function dataError(code: number | string, message: string): Outcome {
  return { kind: "data-error", code: `mongodb-${code}`, message };
}

function transient(error: unknown): Outcome {
  return { kind: "transient", message: messageOf(error) };
}
