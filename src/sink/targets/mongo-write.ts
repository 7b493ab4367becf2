import { BSON, MongoAPIError, MongoError } from "mongodb";
import { messageOf, SpillwayError } from "../../errors.ts";
import type { Insert, InsertBson, Latest, Operation } from "../operations.ts";
import { type Standing, UNLIKE_VERSION } from "../standing.ts";
import { ALREADY_WRITTEN, NOT_ATTEMPTED, type Outcome, WRITTEN } from "../target.ts";
import { COMMANDS, type CommandName, statementOf } from "./mongo-commands.ts";
import { hasConflict, uniqueIndexes } from "./mongo-conflicts.ts";
import { classOf, classOfDocumentError, isDuplicateKey, isInternal, refused } from "./mongo-errors.ts";
import { findEach, findSet, standings } from "./mongo-lookups.ts";
import { type Failure, type Place, type Reply, send } from "./mongo-send.ts";

/** A document of this many bytes or more is refused by the driver. */
const MAX_DOCUMENT_BYTES = 16 * 1024 * 1024;
/** How many ids are looked up before it is judged whether to go on. */
const LOOK_AHEAD = 16;

/**
 * Tries a batch once, by as many commands as it has sorts of operations, and finds out what became of each operation.
 *
 * An answer that was lost leaves all in doubt (`transient`): the next attempt finds on `_id` what was written.
 */
export async function write(
  place: Place,
  operations: readonly Operation[],
  ordered: boolean,
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = operations.map(() => NOT_ATTEMPTED);
  for (const { command, indexes } of ordered ? runs(operations) : sorts(operations)) {
    const some = indexes.map((index) => operations[index] as Operation);
    const found = await writeSort({ ...place, command }, some, ordered);
    for (const [i, index] of indexes.entries()) outcomes[index] = found[i] as Outcome;
    if (ordered && !found.every(isInDatabase)) break;
  }
  return outcomes;
}

/** Operations for one command, by their places in the batch. */
interface Sort {
  readonly command: CommandName;
  readonly indexes: number[];
}

/** Neighbours of one sort. */
function runs(operations: readonly Operation[]): readonly Sort[] {
  const all: Sort[] = [];
  for (const [index, { kind }] of operations.entries()) {
    const command = COMMANDS[kind];
    const last = all.at(-1);
    if (last?.command === command) last.indexes.push(index);
    else all.push({ command, indexes: [index] });
  }
  return all;
}

function sorts(operations: readonly Operation[]): readonly Sort[] {
  const all = new Map<CommandName, Sort>();
  for (const [index, { kind }] of operations.entries()) {
    const command = COMMANDS[kind];
    const sort = all.get(command);
    if (sort === undefined) all.set(command, { command, indexes: [index] });
    else sort.indexes.push(index);
  }
  return [...all.values()];
}

interface SortPlace extends Place {
  readonly command: CommandName;
}

async function writeSort(
  place: SortPlace,
  operations: readonly Operation[],
  ordered: boolean,
): Promise<readonly Outcome[]> {
  if (operations.length === 0) return [];
  const attempt: Attempt = (some) => writeSort(place, some, ordered);
  // What the driver takes for one message may be more than a server should.
  const unfit = operations.some(({ bytes }) => bytes > MAX_DOCUMENT_BYTES / 8) ? findUnfit(operations) : NOTHING_UNFIT;
  if (unfit.size > 0) return await withoutUnfit(operations, ordered, unfit, attempt);
  let reply: Reply;
  try {
    reply = await send({ ...place, operations, ordered });
  } catch (error) {
    return await nothingKnown(place, operations, ordered, error, attempt);
  }
  if (leavesOut(operations, ordered, reply)) {
    if (operations.length > 1) return await inHalves(operations, ordered, UNACCOUNTED, attempt);
    return [transient(UNACCOUNTED)];
  }
  if (reply.failures.length === 0 && reply.concern === undefined) return operations.map(() => WRITTEN);
  return await partlyWritten(place, operations, ordered, reply);
}

const NOTHING_UNFIT: ReadonlyMap<number, Outcome> = new Map();
const UNACCOUNTED = new SpillwayError(
  "PROTOCOL",
  "the database's answer doesn't account for all that it was asked to do",
);

/**
 * Whether less is done than the failures explain. FerretDB answers for one update that it can't parse, as if it were the
 * first, gives no number and does none of the others: taken at its word, they would be lost. Only inserts and upserts are
 * sure to count, each as one.
 */
function leavesOut(operations: readonly Operation[], ordered: boolean, { failures, done }: Reply): boolean {
  if (done === undefined || !operations.every((one) => isInsert(one) || one.kind === "latest")) return false;
  if (done === "unsaid") return failures.length > 0 && operations.length > 1;
  const [first] = failures;
  return done < (ordered && first !== undefined ? first.index : operations.length - failures.length);
}

/** The driver or the server has thrown: nothing was written, or it isn't known what. */
async function nothingKnown(
  place: SortPlace,
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
      if (place.command === "update" && isInternal(error)) {
        return await perhapsConflicts(place, operations, ordered, error, attempt);
      }
      return operations.map(() => transient(error));
    case "data":
      return await inHalves(operations, ordered, error, attempt);
    case "refused":
      throw refused(error);
  }
}

/**
 * The server failed and says nothing of why. Where there is a unique index it may be that an operation violates it: halves
 * are tried until one is alone, and then its index is looked up. At the first that stays unexplained it is an outage.
 */
async function perhapsConflicts(
  place: SortPlace,
  operations: readonly Operation[],
  ordered: boolean,
  error: unknown,
  attempt: Attempt,
): Promise<readonly Outcome[]> {
  const outage = () => operations.map(() => transient(error));
  try {
    const indexes = await uniqueIndexes(place);
    if (indexes.length === 0) return outage();
    const [only] = operations;
    if (only !== undefined && operations.length === 1) {
      return (await hasConflict(place, only, indexes)) ? [dataError(DUPLICATE, CONFLICT)] : outage();
    }
  } catch (lookup) {
    if (classOf(lookup) !== "transient") throw refused(lookup);
    return outage();
  }
  return await inHalves(operations, ordered, error, attempt);
}

const DUPLICATE = 11_000;
const CONFLICT = "the server fails without saying why, and another document has its values in a unique index";

async function partlyWritten(
  place: SortPlace,
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
    if (outcome === undefined || isRefusedLatest(operations[failure.index], failure)) unclear.push(failure);
    else outcomes[failure.index] = outcome;
  }
  if (unclear.length > 0) await clearUp(place, operations, unclear, outcomes);

  const [first] = failures;
  if (!ordered || first === undefined) return outcomes;
  outcomes.fill(NOT_ATTEMPTED, first.index + 1);
  if (outcomes[first.index]?.kind === "already-written" && operations.every(isInsert)) {
    await lookAhead(place, operations, first.index + 1, unclear.length === 0, outcomes);
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

/** A duplicate of its `_id`: what stands there is as new, or isn't to be compared with. */
function isRefusedLatest(operation: Operation | undefined, { code, onId }: Failure): boolean {
  return operation?.kind === "latest" && isDuplicateKey(code) && onId !== false;
}

/** Reads back what a duplicate is a duplicate of. */
async function clearUp(
  place: SortPlace,
  operations: readonly Operation[],
  unclear: readonly Failure[],
  outcomes: Outcome[],
): Promise<void> {
  const asked = unclear.map(({ index }) => operations[index] as Operation);
  try {
    const inserted = await findEach(
      place,
      asked.filter(isInsert).map(({ id }) => id),
    );
    const standing = await standings(
      place,
      asked.filter((operation) => operation.kind === "latest"),
    );
    for (const failure of unclear) {
      const operation = operations[failure.index] as Operation;
      outcomes[failure.index] =
        isInsert(operation) && inserted.has(operation.id)
          ? ALREADY_WRITTEN
          : operation.kind === "latest"
            ? (latestOutcome(standing.get(operation.id), failure) ?? (await secondTry(place, operation)))
            : dataError(failure.code, failure.message);
    }
  } catch (error) {
    if (classOf(error) !== "transient") throw refused(error);
    for (const { index } of unclear) outcomes[index] = transient(error);
  }
}

/** Undefined where it may be a duplicate of `_id` or of another index. */
function latestOutcome(standing: Standing | undefined, { message, onId }: Failure): Outcome | undefined {
  switch (standing) {
    case "newer":
      return ALREADY_WRITTEN;
    case "unlike":
      return dataError(UNLIKE_VERSION.code, UNLIKE_VERSION.message);
    // By a server that names indexes it was the _id, so another writer was there a moment ago: the next attempt knows.
    default:
      return onId === true ? { kind: "transient", message } : undefined;
  }
}

/**
 * A server that names no index refused a `latest` that nothing newer stands in the way of. Either another writer, such as
 * an abandoned attempt, was there a moment ago, or it is a duplicate on another index: that one comes again.
 */
async function secondTry(place: SortPlace, operation: Operation & Latest): Promise<Outcome> {
  const { failures, concern } = await send({ ...place, operations: [operation], ordered: true });
  const [failure] = failures;
  if (failure === undefined) return concern === undefined ? WRITTEN : { kind: "transient", message: concern };
  const outcome = outcomeOf(failure);
  if (outcome !== undefined && !isRefusedLatest(operation, failure)) return outcome;
  const standing = await standings(place, [operation]);
  return latestOutcome(standing.get(operation.id), failure) ?? dataError(failure.code, failure.message);
}

/**
 * Where one document of an ordered batch was there already, this is a replay, and more will be. Each would end an attempt
 * of its own, so they are looked up. It only saves attempts: whatever is missed here is found by the next one.
 *
 * @param namesIndexes whether the server names the index of a duplicate; those that don't would scan for a set of ids
 */
async function lookAhead(
  place: Place,
  operations: readonly Operation[],
  from: number,
  namesIndexes: boolean,
  outcomes: Outcome[],
): Promise<void> {
  const ids = operations.map((operation) => (operation as Insert | InsertBson).id);
  try {
    for (let start = from; start < ids.length; ) {
      const some = ids.slice(start, namesIndexes ? ids.length : start + LOOK_AHEAD);
      const found = namesIndexes ? await findSet(place, some) : await findEach(place, some);
      if (found.size === 0) return;
      for (const [i, id] of some.entries()) if (found.has(id)) outcomes[start + i] = ALREADY_WRITTEN;
      start += some.length;
    }
  } catch (error) {
    if (classOf(error) !== "transient") throw refused(error);
  }
}

/** Documents that can't be sent, and why: too large, or with names that BSON can't hold. */
function findUnfit(operations: readonly Operation[]): ReadonlyMap<number, Outcome> {
  const unfit = new Map<number, Outcome>();
  for (const [i, operation] of operations.entries()) {
    if (operation.kind === "insert-bson") continue; // small, and BSON already
    try {
      const statement = statementOf(operation);
      const bytes = BSON.calculateObjectSize("document" in operation ? operation.document : statement);
      if (bytes < MAX_DOCUMENT_BYTES) BSON.serialize(statement);
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
  const isAway = first.some(({ kind }) => kind === "transient");
  if (isAway || (ordered && !first.every(isInDatabase))) return [...first, ...behind.map(() => NOT_ATTEMPTED)];
  return [...first, ...(await attempt(behind))];
}

function isInsert(operation: Operation): operation is Operation & (Insert | InsertBson) {
  return operation.kind === "insert" || operation.kind === "insert-bson";
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
  const isLate = error instanceof SpillwayError && error.code === "TIMEOUT";
  return { kind: "transient", message: messageOf(error), ...(isLate ? { isLate } : {}) };
}
