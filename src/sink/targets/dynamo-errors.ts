/**
 * What DynamoDB's errors mean for a sink, as a table: the decision for each code stands here and nowhere else. Codes:
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html and
 * https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/CommonErrors.html
 */
import { isRetryable, messageOf, SpillwayError } from "../../errors.ts";

/**
 * - `data`: an item is at fault; it goes to the dead-letter topic.
 * - `transient`: the service is at fault, or away, or asks for less at a time; the same request may succeed later.
 * - `refused`: with these settings nothing can be written; the sink ends and says why.
 */
export type ErrorClass = "data" | "transient" | "refused";

/** Not in the table, a code means `transient`: nothing is lost by trying again. */
const CODES: ReadonlyMap<string, ErrorClass> = new Map([
  ["ValidationException", "data"], // unless its message says otherwise: see below
  ["ItemCollectionSizeLimitExceededException", "data"],
  ["SerializationException", "data"],

  ["ThrottlingException", "transient"],
  ["ProvisionedThroughputExceededException", "transient"],
  ["RequestLimitExceeded", "transient"],
  ["LimitExceededException", "transient"], // too many tables are being made at a time
  ["InternalServerError", "transient"],
  ["InternalFailure", "transient"],
  ["ServiceUnavailable", "transient"],
  ["ServiceUnavailableException", "transient"],
  ["TransactionConflictException", "transient"],
  ["TransactionInProgressException", "transient"],
  ["ReplicatedWriteConflictException", "transient"],
  ["ResourceInUseException", "transient"], // the table is being made or changed
  ["TableInUseException", "transient"],
  ["RequestTimeoutException", "transient"],
  ["RequestExpired", "transient"], // by a clock that is wrong: the SDK learns from the answer by how much

  ["ResourceNotFoundException", "refused"],
  ["TableNotFoundException", "refused"],
  ["AccessDeniedException", "refused"],
  ["AccessDenied", "refused"],
  ["UnrecognizedClientException", "refused"],
  ["InvalidClientTokenId", "refused"],
  ["InvalidSignatureException", "refused"], // unless it is only the clock: see below
  ["IncompleteSignature", "refused"],
  ["IncompleteSignatureException", "refused"],
  ["MissingAuthenticationToken", "refused"],
  ["MissingAuthenticationTokenException", "refused"],
  ["ExpiredToken", "refused"], // credentials that can be renewed are renewed by the SDK before that
  ["ExpiredTokenException", "refused"],
  ["OptInRequired", "refused"],
  ["UnknownOperationException", "refused"],
]);

/** Where the message tells more than the code. */
const MESSAGES: readonly (readonly [code: string, message: RegExp, meaning: ErrorClass])[] = [
  // Every item has the key it must have, so the table is another than it was.
  ["ValidationException", /key element does not match the schema|Missing the key|Type mismatch for key/i, "refused"],
  ["InvalidSignatureException", /signature (?:expired|not yet current)/i, "transient"],
];

/** The class of whatever the SDK threw. What it can't judge it throws again: that is a surprise. */
export function classOf(error: unknown): ErrorClass {
  if (isRetryable(error)) return "transient";
  if (!(error instanceof Error)) throw error;
  // An answer: from the service, or from something before it that doesn't speak its language.
  if ("$response" in error || "$fault" in error) {
    const { name, message } = error;
    const special = MESSAGES.find(([code, pattern]) => code === name && pattern.test(message));
    return special?.[2] ?? CODES.get(name) ?? "transient";
  }
  if (isCredentialsError(error)) return "refused";
  if (isAborted(error) || isSystemError(error)) return "transient";
  throw error;
}

/** No credentials could be had; where there were some before, whoever hands them out is away. */
export function isCredentialsError(error: unknown): boolean {
  return error instanceof Error && /^(?:Credentials|Token)?ProviderError$/.test(error.name);
}

/** By a deadline, or because the client was closed. */
function isAborted({ name }: Error): boolean {
  return name === "AbortError" || name === "TimeoutError";
}

/** Such as ECONNREFUSED, or an AggregateError of several; TLS and HTTP have their own names. */
function isSystemError(error: Error): boolean {
  const code = "code" in error ? String(error.code) : "";
  return /^E(?!RR_)/.test(code) || /CERT|^(?:ERR_TLS|ERR_SSL|UNABLE_TO|HPE)/.test(code);
}

const HINTS: ReadonlyMap<string, string> = new Map([
  ["ResourceNotFoundException", "Make the table, or let the sink make it by --dynamo-create-table"],
  ["AccessDeniedException", "Allow dynamodb:DescribeTable, BatchWriteItem, PutItem and GetItem on the table"],
]);

/** What to throw for an error of class `refused`. */
export function refused(error: unknown, table?: string): SpillwayError {
  const name = error instanceof Error ? error.name : "";
  const what = table === undefined ? "DynamoDB refuses" : `DynamoDB refuses to write to ${table}`;
  // No cause and the first line only: behind it, AWS repeats the request that was signed, session token and all.
  return new SpillwayError("DATABASE_REFUSED", `${what}: ${name}: ${firstLine(messageOf(error))}`, {
    context: { hint: HINTS.get(name) ?? "Check credentials, region, endpoint and the table" },
  });
}

/** For an answer without what DynamoDB always says: a proxy's, perhaps. It proves nothing. */
export function notDynamodb(): SpillwayError {
  return new SpillwayError("PROTOCOL", "what answers isn't DynamoDB", { retryable: true });
}

export function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}
