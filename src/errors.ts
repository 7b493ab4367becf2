/** The stable codes of Spillway's errors; `src/cli/exit-codes.ts` maps each to an exit code. */
export type ErrorCode =
  | "CONFIG_INVALID"
  | "PREREQUISITE_MISSING"
  | "BROKER_UNREACHABLE"
  | "AUTHENTICATION_FAILED"
  | "NOT_AUTHORIZED"
  | "DATABASE_UNREACHABLE"
  | "DATABASE_REFUSED"
  | "REGISTRY_UNREACHABLE"
  | "REGISTRY_REFUSED"
  | "TOPIC_MISSING"
  | "TOPIC_RECREATED"
  | "TOPIC_MISMATCH"
  | "OFFSET_OUT_OF_RANGE"
  | "BATCH_CORRUPT"
  | "RECORD_TOO_LARGE"
  | "DATA_ERROR"
  | "TOO_MANY_PARKED_KEYS"
  | "DELIVERY_FAILED"
  | "TRANSACTION_FAILED"
  | "FENCED"
  | "GROUP_ACTIVE"
  | "GROUP_MISMATCH"
  | "NOT_DRAINED"
  | "PROTOCOL"
  | "TIMEOUT"
  | "RECORDS_UNACCOUNTED"
  | "PREFLIGHT_FAILED";

/** Where it happened and what to do next: whatever of it is known. */
export interface ErrorContext {
  readonly topic?: string;
  readonly partition?: number;
  readonly offset?: bigint;
  readonly group?: string;
  readonly transactionalId?: string;
  readonly broker?: string;
  /** Kafka's error code, see https://kafka.apache.org/protocol#protocol_error_codes */
  readonly kafkaCode?: number;
  /** One sentence in the imperative: what the reader of the message should do. */
  readonly hint?: string;
}

/**
 * The one error class. Surprises are thrown as this; outcomes that are expected are discriminated unions instead.
 * `retryable` says whether the same call may succeed later without anybody changing anything.
 */
export class SpillwayError extends Error {
  override readonly name = "SpillwayError";
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly context: ErrorContext;

  constructor(
    code: ErrorCode,
    message: string,
    options: { readonly retryable?: boolean; readonly cause?: unknown; readonly context?: ErrorContext } = {},
  ) {
    const context = options.context ?? {};
    super(describe(message, context), options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.context = context;
  }
}

function describe(message: string, { topic, partition, offset, hint }: ErrorContext): string {
  const place =
    topic === undefined
      ? ""
      : ` (topic ${topic}${partition === undefined ? "" : `, partition ${partition}`}${offset === undefined ? "" : `, offset ${offset}`})`;
  return `${message}${place}${hint === undefined ? "" : `. ${hint}`}`;
}

/** True for an error that may pass by itself. */
export function isRetryable(error: unknown): boolean {
  return error instanceof SpillwayError && error.retryable;
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
