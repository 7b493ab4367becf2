import type { RecordHeader } from "../record-batch/records.ts";

/** Headers of a dead letter, behind the record's own. Of one that is there twice the last counts. */
export const ERROR_CODE_HEADER = "spillway-error-code";
export const ERROR_MESSAGE_HEADER = "spillway-error-message";
/** When it was given up, as an ISO 8601 time. */
export const FAILED_AT_HEADER = "spillway-failed-at";
/** When it was given up for the first time: kept when it is redriven and fails again. */
export const FIRST_FAILED_AT_HEADER = "spillway-first-failed-at";
/** How often it was tried, those times included that came before it was redriven. */
export const ATTEMPTS_HEADER = "spillway-attempts";
/** Where it was read by whoever gave it up, such as `prices.wide:3:1200`: topic, partition, offset. */
export const SOURCE_HEADER = "spillway-source";
/** How often it was redriven into a topic. */
export const REDRIVES_HEADER = "spillway-redrives";

/** The code of a letter whose record is fine by itself, and follows an earlier one of its key. */
export const PARKED = "parked";

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
  return [
    textHeader(ERROR_CODE_HEADER, reason.code),
    textHeader(ERROR_MESSAGE_HEADER, reason.message),
    textHeader(FAILED_AT_HEADER, failedAt.toISOString()),
  ];
}

export function textHeader(key: string, value: string): RecordHeader {
  return { key, value: Buffer.from(value.slice(0, MAX_MESSAGE_CHARACTERS)) };
}

/** The last header of that name, as text. */
export function headerText(headers: readonly RecordHeader[], name: string): string | undefined {
  return headers.findLast(({ key }) => key === name)?.value?.toString("utf8");
}

/** Undefined where it is missing, or no number from 0 up. */
export function headerNumber(headers: readonly RecordHeader[], name: string): number | undefined {
  const text = headerText(headers, name) ?? "";
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}
