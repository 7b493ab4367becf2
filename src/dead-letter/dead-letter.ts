import type { PoisonBatch } from "../record-batch/batch.ts";
import type { NewRecord } from "../record-batch/batch-builder.ts";
import { ORIGIN_HEADER, type Origin, packOrigin } from "../record-batch/origin.ts";
import type { KafkaRecord } from "../record-batch/records.ts";
import { poisonLetters } from "./poison.ts";
import {
  ATTEMPTS_HEADER,
  type DeadLetterReason,
  ERROR_CODE_HEADER,
  ERROR_MESSAGE_HEADER,
  FAILED_AT_HEADER,
  FIRST_FAILED_AT_HEADER,
  headerNumber,
  headerText,
  reasonHeaders,
  SOURCE_HEADER,
  textHeader,
} from "./reason.ts";

export const DEAD_LETTER_SUFFIX = ".dead-letter";

/** Where a letter lies in its dead-letter topic. */
export interface LetterPlace {
  readonly partition: number;
  readonly offset: bigint;
}

/**
 * Whatever writes a record and resolves once it is acknowledged: a `RecordProducer`. Records of one key keep the order in
 * which they are handed over; when one fails, so do those that were handed over behind it. The offset is negative where
 * the broker has forgotten it.
 */
export interface DeadLetterProducer {
  send(topic: string, record: NewRecord): Promise<LetterPlace>;
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

  /**
   * @param attempts how often it was tried since it was read
   * @returns where it lies
   * @throws SpillwayError whatever the producer throws, retryable or not
   */
  async send(record: KafkaRecord, origin: Origin, reason: DeadLetterReason, attempts = 1): Promise<LetterPlace> {
    const letter = deadLetter(record, origin, { ...reason, attempts }, new Date());
    return await this.#producer.send(this.topicFor(record.topic), letter);
  }

  /** The same for a batch that can't be read: its bytes are kept. */
  async sendBatch(poison: PoisonBatch, topicId: string): Promise<void> {
    const topic = this.topicFor(poison.topic);
    await Promise.all(poisonLetters(poison, topicId, new Date()).map((letter) => this.#producer.send(topic, letter)));
  }
}

/** What a letter says of its failure: of an earlier one, where the record was redriven, only attempts and first time stay. */
const OF_FAILURE: ReadonlySet<string> = new Set([
  ERROR_CODE_HEADER,
  ERROR_MESSAGE_HEADER,
  FAILED_AT_HEADER,
  FIRST_FAILED_AT_HEADER,
  ATTEMPTS_HEADER,
  SOURCE_HEADER,
]);

/**
 * The dead letter of a record. `origin` is where the record came from, in whatever way the caller knows it. However often
 * a record is redriven and fails again, its headers don't pile up: attempts count on, and the first time is kept.
 */
export function deadLetter(
  record: KafkaRecord,
  origin: Origin,
  reason: DeadLetterReason & { readonly attempts?: number },
  failedAt: Date,
): NewRecord {
  const { headers: before, topic, partition, offset } = record;
  const attempts = (headerNumber(before, ATTEMPTS_HEADER) ?? 0) + (reason.attempts ?? 1);
  const headers = [
    ...withoutFailure(before),
    ...reasonHeaders(reason, failedAt),
    textHeader(FIRST_FAILED_AT_HEADER, headerText(before, FIRST_FAILED_AT_HEADER) ?? failedAt.toISOString()),
    textHeader(ATTEMPTS_HEADER, String(attempts)),
    textHeader(SOURCE_HEADER, `${topic}:${partition}:${offset}`),
  ];
  if (record.origin === undefined) headers.push({ key: ORIGIN_HEADER, value: packOrigin(origin) });
  return { key: record.key, value: record.value, timestamp: timestampOf(record, failedAt), headers };
}

/** The headers but for what a letter says of its failure. */
export function withoutFailure(headers: KafkaRecord["headers"]): KafkaRecord["headers"] {
  return headers.filter(({ key }) => !OF_FAILURE.has(key));
}

/** A record without a timestamp (-1) gets that of its failure: brokers refuse negative ones. */
function timestampOf({ timestamp }: KafkaRecord, failedAt: Date): number {
  return timestamp < 0n ? failedAt.getTime() : Number(timestamp);
}
