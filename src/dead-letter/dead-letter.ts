import type { PoisonBatch } from "../record-batch/batch.ts";
import type { NewRecord } from "../record-batch/batch-builder.ts";
import { ORIGIN_HEADER, type Origin, packOrigin } from "../record-batch/origin.ts";
import type { KafkaRecord } from "../record-batch/records.ts";
import { poisonLetters } from "./poison.ts";
import { type DeadLetterReason, reasonHeaders } from "./reason.ts";

export const DEAD_LETTER_SUFFIX = ".dead-letter";

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

  /** The same for a batch that can't be read: its bytes are kept. */
  async sendBatch(poison: PoisonBatch, topicId: string): Promise<void> {
    const topic = this.topicFor(poison.topic);
    await Promise.all(poisonLetters(poison, topicId, new Date()).map((letter) => this.#producer.send(topic, letter)));
  }
}

/** The dead letter of a record. `origin` is where the record came from, in whatever way the caller knows it. */
export function deadLetter(record: KafkaRecord, origin: Origin, reason: DeadLetterReason, failedAt: Date): NewRecord {
  const headers = [...record.headers, ...reasonHeaders(reason, failedAt)];
  if (record.origin === undefined) headers.push({ key: ORIGIN_HEADER, value: packOrigin(origin) });
  return { key: record.key, value: record.value, timestamp: timestampOf(record, failedAt), headers };
}

/** A record without a timestamp (-1) gets that of its failure: brokers refuse negative ones. */
function timestampOf({ timestamp }: KafkaRecord, failedAt: Date): number {
  return timestamp < 0n ? failedAt.getTime() : Number(timestamp);
}
