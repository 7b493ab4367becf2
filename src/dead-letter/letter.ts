import type { NewRecord } from "../record-batch/batch-builder.ts";
import { ORIGIN_HEADER, type Origin, packOrigin } from "../record-batch/origin.ts";
import type { KafkaRecord } from "../record-batch/records.ts";
import { withoutFailure } from "./dead-letter.ts";
import { PART_HEADER } from "./poison.ts";
import {
  ATTEMPTS_HEADER,
  ERROR_CODE_HEADER,
  ERROR_MESSAGE_HEADER,
  FAILED_AT_HEADER,
  FIRST_FAILED_AT_HEADER,
  headerNumber,
  headerText,
  REDRIVES_HEADER,
  SOURCE_HEADER,
  textHeader,
} from "./reason.ts";

/** A place in a topic by its name. */
export interface RecordPlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** A record of a dead-letter topic, and what it says of itself. */
export interface Letter {
  /** As it lies in the dead-letter topic. */
  readonly record: KafkaRecord;
  readonly code: string;
  readonly message: string;
  readonly attempts: number;
  /** Milliseconds since the epoch, of the last failure and of the first. */
  readonly failedAt: number | undefined;
  readonly firstFailedAt: number | undefined;
  readonly redrives: number;
  /** Where it first came from; undefined where some other program wrote it. */
  readonly origin: Origin | undefined;
  /** Where it was read by whoever gave it up; undefined in letters that don't say. */
  readonly source: RecordPlace | undefined;
  /** Set in a piece of a batch that could not be read, such as `1/3`: no record. */
  readonly batchPart: string | undefined;
}

const UNKNOWN = "unknown";

export function readLetter(record: KafkaRecord): Letter {
  const { headers } = record;
  return {
    record,
    code: headerText(headers, ERROR_CODE_HEADER) ?? UNKNOWN,
    message: headerText(headers, ERROR_MESSAGE_HEADER) ?? "",
    attempts: headerNumber(headers, ATTEMPTS_HEADER) ?? 1,
    failedAt: timeOf(headerText(headers, FAILED_AT_HEADER)),
    firstFailedAt: timeOf(headerText(headers, FIRST_FAILED_AT_HEADER) ?? headerText(headers, FAILED_AT_HEADER)),
    redrives: headerNumber(headers, REDRIVES_HEADER) ?? 0,
    origin: record.origin,
    source: parsePlace(headerText(headers, SOURCE_HEADER) ?? ""),
    batchPart: headerText(headers, PART_HEADER),
  };
}

/** `prices:3:1200`. Undefined for what is no place. */
export function parsePlace(text: string): RecordPlace | undefined {
  const [, topic, partition, offset] = /^([a-zA-Z0-9._-]{1,249}):(\d{1,9}):(\d{1,18})$/.exec(text) ?? [];
  if (topic === undefined || partition === undefined || offset === undefined) return undefined;
  return { topic, partition: Number(partition), offset: BigInt(offset) };
}

/** The same text for the same record, however often and under whatever failure it lies there. */
export function originText({ origin, record }: Letter): string {
  if (origin !== undefined) return `${origin.topicId}-${origin.partition}-${origin.offset}`;
  return `${record.topic}-${record.partition}-${record.offset}`;
}

/**
 * The record as it is redriven: its own bytes and headers, its origin, so that a sink gives it the same id again, and how
 * often it was tried and redriven. One that has no origin gets that of its letter: it is the same however often.
 * @param topicId of the dead-letter topic
 */
export function redriven({ record, attempts, firstFailedAt, redrives }: Letter, topicId: string): NewRecord {
  const own = withoutFailure(record.headers).filter(({ key }) => key !== REDRIVES_HEADER);
  const headers = [
    ...own,
    ...(record.origin === undefined ? [{ key: ORIGIN_HEADER, value: packOrigin({ ...record, topicId }) }] : []),
    textHeader(ATTEMPTS_HEADER, String(attempts)),
    ...(firstFailedAt === undefined ? [] : [textHeader(FIRST_FAILED_AT_HEADER, new Date(firstFailedAt).toISOString())]),
    textHeader(REDRIVES_HEADER, String(redrives + 1)),
  ];
  const timestamp = record.timestamp < 0n ? Date.now() : Number(record.timestamp);
  return { key: record.key, value: record.value, timestamp, headers };
}

/** The record as it lay where it was given up. Undefined for a letter that doesn't say where that was. */
export function sourceRecord({ record, source }: Letter): KafkaRecord | undefined {
  if (source === undefined) return undefined;
  return { ...record, ...source, headers: withoutFailure(record.headers) };
}

function timeOf(text: string | undefined): number | undefined {
  const at = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(at) ? undefined : at;
}
