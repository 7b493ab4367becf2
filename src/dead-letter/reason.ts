import type { RecordHeader } from "../record-batch/records.ts";

/** Headers of a dead letter, behind the record's own. Of one that is there twice the last counts. */
export const ERROR_CODE_HEADER = "spillway-error-code";
export const ERROR_MESSAGE_HEADER = "spillway-error-message";
/** When it was given up, as an ISO 8601 time. */
export const FAILED_AT_HEADER = "spillway-failed-at";

/** A message may quote the record; a header needs no more than its beginning. */
const MAX_MESSAGE_CHARACTERS = 1_000;

/** Why a record can't be handled. */
export interface DeadLetterReason {
  /** Stable, for programs: such as `invalid-json` or `mongodb-11000`. */
  readonly code: string;
  /** For people. It may quote the record, so it belongs into the dead letter and not into a log. */
  readonly message: string;
}

/** What a dead letter says of why it is one. */
export function reasonHeaders(reason: DeadLetterReason, failedAt: Date): readonly RecordHeader[] {
  const text = (key: string, value: string) => ({ key, value: Buffer.from(value.slice(0, MAX_MESSAGE_CHARACTERS)) });
  return [
    text(ERROR_CODE_HEADER, reason.code),
    text(ERROR_MESSAGE_HEADER, reason.message),
    text(FAILED_AT_HEADER, failedAt.toISOString()),
  ];
}
