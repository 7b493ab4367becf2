/**
 * What MongoDB's error codes mean for a sink, as tables: the decision for each code stands here and nowhere else. Numbers
 * and names: https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml
 */

import {
  MongoAPIError,
  MongoError,
  MongoServerError,
  MongoServerSelectionError,
  MongoTopologyClosedError,
} from "mongodb";
import { isRetryable, messageOf, SpillwayError } from "../../errors.ts";
import { type TlsRefusal, tlsRefusalOf } from "../../runtime/tls-refusal.ts";

/**
 * - `data`: the document is at fault; it goes to the dead-letter topic.
 * - `transient`: the server is at fault, or away; the same write may succeed later.
 * - `refused`: with these settings nothing can be written; the sink ends and says why.
 */
export type ErrorClass = "data" | "transient" | "refused";

/** As an error of one document. Not in the table, a code means `data`: the server singled the document out. */
const DOCUMENT_ERRORS: ReadonlyMap<number, ErrorClass> = new Map([
  [2, "data"], // BadValue
  [14, "data"], // TypeMismatch
  [15, "data"], // Overflow: nested too deep
  [16, "data"], // InvalidLength
  [22, "data"], // InvalidBSON
  [28, "data"], // PathNotViable
  [52, "data"], // DollarPrefixedFieldName
  [53, "data"], // InvalidIdField
  [55, "data"], // InvalidDBRef
  [56, "data"], // EmptyFieldName
  [57, "data"], // DottedFieldName
  [61, "data"], // ShardKeyNotFound
  [116, "data"], // DocTooLargeForCapped
  [121, "data"], // DocumentValidationFailure
  [171, "data"], // CannotIndexParallelArrays
  [378, "data"], // NonConformantBSON
  [10334, "data"], // BSONObjectTooLarge
  [11000, "data"], // DuplicateKey, unless it is that of _id
  [11001, "data"], // the same, of old servers
  [12582, "data"], // the same, by mongos
  [17280, "data"], // KeyTooLong
]);

/** As an error of a whole command. Not in the table, a code means `transient`: nothing is lost by trying again. */
const COMMAND_ERRORS: ReadonlyMap<number, ErrorClass> = new Map([
  [15, "data"], // Overflow: a document of the batch is nested too deep
  [22, "data"], // InvalidBSON
  [378, "data"], // NonConformantBSON
  [10334, "data"], // BSONObjectTooLarge

  [2, "refused"], // BadValue
  [9, "refused"], // FailedToParse
  [11, "refused"], // UserNotFound
  [13, "refused"], // Unauthorized
  [14, "refused"], // TypeMismatch
  [18, "refused"], // AuthenticationFailed
  [20, "refused"], // IllegalOperation
  [31, "refused"], // RoleNotFound
  [33, "refused"], // PrivilegeNotFound
  [59, "refused"], // CommandNotFound
  [67, "refused"], // CannotCreateIndex
  [72, "refused"], // InvalidOptions
  [73, "refused"], // InvalidNamespace
  [79, "refused"], // UnknownReplWriteConcern
  [85, "refused"], // IndexOptionsConflict
  [86, "refused"], // IndexKeySpecsConflict
  [115, "refused"], // CommandNotSupported
  [166, "refused"], // CommandNotSupportedOnView
  [214, "refused"], // AuthenticationRestrictionUnmet
  [322, "refused"], // APIVersionError
  [323, "refused"], // APIStrictError
  [334, "refused"], // MechanismUnavailable
  [11000, "refused"], // DuplicateKey, of documents that are in the way of a unique index to be made
  [8000, "refused"], // AtlasError: credentials or a quota
]);

/** Whatever they are an error of. */
const TRANSIENT: ReadonlySet<number> = new Set([
  6, // HostUnreachable
  7, // HostNotFound
  24, // LockTimeout
  46, // LockBusy
  50, // MaxTimeMSExpired
  63, // StaleShardVersion
  64, // WriteConcernTimeout
  89, // NetworkTimeout
  91, // ShutdownInProgress
  100, // UnsatisfiableWriteConcern: as many nodes as that are not up
  112, // WriteConflict
  117, // ConflictingOperationInProgress
  133, // FailedToSatisfyReadPreference
  134, // ReadConcernMajorityNotAvailableYet
  146, // ExceededMemoryLimit
  150, // StaleEpoch
  189, // PrimarySteppedDown
  202, // NetworkInterfaceExceededTimeLimit
  215, // DatabaseDropPending
  216, // ElectionInProgress
  249, // StaleDbVersion
  262, // ExceededTimeLimit
  317, // ConnectionPoolExpired
  355, // InterruptedDueToStorageChange
  365, // TemporarilyUnavailable
  371, // UserWritesBlocked
  384, // ConnectionError
  391, // ReauthenticationRequired
  402, // ResourceExhausted
  407, // PooledConnectionAcquisitionExceededTimeLimit
  433, // AdmissionQueueOverflow
  449, // RateLimitExceeded
  462, // IngressRequestRateLimitExceeded
  9001, // SocketException
  10058, // LegacyNotPrimary
  10107, // NotWritablePrimary
  11600, // InterruptedAtShutdown
  11601, // Interrupted
  11602, // InterruptedDueToReplStateChange
  13388, // StaleConfig
  13435, // NotPrimaryNoSecondaryOk
  13436, // NotPrimaryOrSecondary
  14031, // OutOfDiskSpace
  16500, // TooManyRequests, by Azure Cosmos DB
  91331, // RetriableRemoteCommandFailure
]);

/** The class of an error that the server gave for one document of a batch. */
export function classOfDocumentError(code: number): ErrorClass {
  return TRANSIENT.has(code) ? "transient" : (DOCUMENT_ERRORS.get(code) ?? "data");
}

/** The class of an error of a whole command. Without a code it came not from the server but on the way there. */
export function classOfCommandError(code: number | undefined): ErrorClass {
  return (code === undefined ? undefined : COMMAND_ERRORS.get(code)) ?? "transient";
}

/** The class of whatever the driver threw for a whole command. What it can't judge it throws again: that is a surprise. */
export function classOf(error: unknown): ErrorClass {
  if (isRetryable(error)) return "transient";
  if (error instanceof MongoServerError) {
    return classOfCommandError(typeof error.code === "number" ? error.code : undefined);
  }
  // What waits while a first connection fails ends like this.
  if (error instanceof MongoTopologyClosedError) return "transient";
  if (error instanceof MongoAPIError) return "refused";
  // Networks, pools, time-outs, the choice of a server. Some the driver passes on as they come from the system.
  if (error instanceof MongoError || isSystemError(error)) return "transient";
  throw error;
}

/** Such as EPIPE of a socket, or ENOTFOUND of the names behind mongodb+srv; Node's own mistakes are called ERR_…. */
function isSystemError(error: unknown): boolean {
  return error instanceof Error && "code" in error && /^E(?!RR_)/.test(String(error.code));
}

/** An InternalError: it passes, as a rule, but says nothing of its cause. */
export function isInternal(error: unknown): boolean {
  return error instanceof MongoServerError && error.code === 1;
}

/**
 * Why no server of the database could be connected to, where TLS is the reason with each: then nobody is let in before
 * something is changed. A sink that was let in before waits all the same, as for any outage: certificates are renewed.
 */
export function tlsRefusal(error: unknown): TlsRefusal | undefined {
  const servers = error instanceof MongoServerSelectionError ? [...(error.reason?.servers.values() ?? [])] : [];
  const refusals = servers.length === 0 ? [tlsRefusalIn(error)] : servers.map(({ error: one }) => tlsRefusalIn(one));
  return refusals.every((one) => one !== undefined) ? refusals[0] : undefined;
}

/** From the error that is at the bottom of the driver's. */
function tlsRefusalIn(error: unknown): TlsRefusal | undefined {
  let cause = error;
  for (let depth = 0; depth < MAX_CAUSES && cause instanceof Error; depth++) {
    const refusal = "code" in cause ? tlsRefusalOf(cause.code) : undefined;
    if (refusal !== undefined) return refusal;
    cause = cause.cause;
  }
  return undefined;
}

/** Of the choice of a server, of its connection, of the socket. */
const MAX_CAUSES = 3;

const TLS_HINTS: Readonly<Record<TlsRefusal, string>> = {
  untrusted: "Its certificate is not trusted: name the authority that issued it by tlsCAFile in the database's URL",
  "other-name": "Its certificate is for another name: put one that stands in it into the database's URL",
  client: "It doesn't trust our certificate: name one by tlsCertificateKeyFile in the database's URL",
  "no-tls": "It does not speak TLS: check the port, or leave tls out of the database's URL",
};

/** What to throw for an error of class `refused`. */
export function refused(cause: unknown): SpillwayError {
  const refusal = tlsRefusal(cause);
  const hint =
    refusal === undefined
      ? "Check its URL, credentials, permissions and the names of database and collections"
      : TLS_HINTS[refusal];
  return new SpillwayError("DATABASE_REFUSED", `The database refuses to write: ${messageOf(cause)}`, {
    cause,
    context: { hint },
  });
}

const DUPLICATE_KEY: ReadonlySet<number> = new Set([11000, 11001, 12582]);

export function isDuplicateKey(code: number): boolean {
  return DUPLICATE_KEY.has(code);
}

export const ID_INDEX = "_id_";

/**
 * The index that a duplicate-key message names, if it names one. FerretDB names none, nor does MongoDB for the `_id` of a
 * clustered collection.
 */
export function indexOfDuplicate(message: string): string | undefined {
  return /\bindex: (?:\S+\.\$)?(\S+)/.exec(message)?.[1];
}
