import type { NewRecord } from "../record-batch/batch-builder.ts";
import { ORIGIN_HEADER, type Origin, packOrigin } from "../record-batch/origin.ts";
import type { KafkaRecord } from "../record-batch/records.ts";

export const DEAD_LETTER_SUFFIX = ".dead-letter";

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

/** Whatever writes a record and resolves once it is acknowledged: a `RecordProducer`. */
export interface DeadLetterProducer {
  send(topic: string, record: NewRecord): Promise<unknown>;
}

export interface DeadLetterOptions {
  /** What to append to a topic's name for that of its dead letters. */
  readonly suffix?: string;
}

/**
 * Where records go that can't be handled, with the reason and where they came from.
 *
 * Guarantee: when `send` has resolved, the record is acknowledged in the dead-letter topic, its key, value and headers
 * byte for byte as they were, and its `spillway-origin` tells it from every other, so that copies after a crash can be
 * told to be copies. Until then the record isn't done.
 */
export class DeadLetters {
  readonly #producer: DeadLetterProducer;
  readonly #suffix: string;

  constructor(producer: DeadLetterProducer, options: DeadLetterOptions = {}) {
    this.#producer = producer;
    this.#suffix = options.suffix ?? DEAD_LETTER_SUFFIX;
  }

  topicFor(topic: string): string {
    return topic + this.#suffix;
  }

  /** @throws SpillwayError whatever the producer throws, retryable or not */
  async send(record: KafkaRecord, origin: Origin, reason: DeadLetterReason): Promise<void> {
    await this.#producer.send(this.topicFor(record.topic), deadLetter(record, origin, reason, new Date()));
  }
}

/** The dead letter of a record. `origin` is where the record came from, in whatever way the caller knows it. */
export function deadLetter(record: KafkaRecord, origin: Origin, reason: DeadLetterReason, failedAt: Date): NewRecord {
  const text = (key: string, value: string) => ({ key, value: Buffer.from(value.slice(0, MAX_MESSAGE_CHARACTERS)) });
  const headers = [
    ...record.headers,
    text(ERROR_CODE_HEADER, reason.code),
    text(ERROR_MESSAGE_HEADER, reason.message),
    text(FAILED_AT_HEADER, failedAt.toISOString()),
  ];
  if (record.origin === undefined) headers.push({ key: ORIGIN_HEADER, value: packOrigin(origin) });
  return { key: record.key, value: record.value, timestamp: timestampOf(record, failedAt), headers };
}

/** A record without a timestamp (-1) gets that of its failure: brokers refuse negative ones. */
function timestampOf({ timestamp }: KafkaRecord, failedAt: Date): number {
  return timestamp < 0n ? failedAt.getTime() : Number(timestamp);
}
