import type { Logger } from "pino";
import { SpillwayError } from "../errors.ts";
import type { NewRecord } from "../record-batch/batch-builder.ts";
import { kafkaError } from "./cluster.ts";
import { ERROR } from "./error-codes.ts";
import type { KafkaOptions } from "./options.ts";
import { type Acknowledged, RecordProducer } from "./record-producer.ts";

interface LastingProducerOptions {
  readonly kafka: KafkaOptions;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** As `RecordProducer` has it. */
  readonly lingerMs?: number;
}

/**
 * A `RecordProducer` for whoever waits out any outage. One that has given up writes nothing more, so the next record gets
 * a new one. What the old one left may have been written or not: a record that is sent again may be there twice.
 */
export class LastingProducer implements AsyncDisposable {
  readonly #options: LastingProducerOptions;
  #producer: Promise<RecordProducer> | undefined;

  constructor(options: LastingProducerOptions) {
    this.#options = options;
  }

  /** @throws SpillwayError as `RecordProducer.open` and `send`, but DELIVERY_FAILED is retryable here */
  async send(topic: string, record: NewRecord): Promise<Acknowledged> {
    this.#producer ??= RecordProducer.open(this.#options);
    const used = this.#producer;
    try {
      return await (await used).send(topic, record);
    } catch (error) {
      if (!(error instanceof SpillwayError)) throw error;
      const isOver = error.code === "DELIVERY_FAILED";
      // One that could not be opened opens no more.
      const isUnopened = error.code === "BROKER_UNREACHABLE" || error.code === "AUTHENTICATION_FAILED";
      if (isOver || isUnopened) await this.#drop(used);
      // Who may write nowhere gets no producer id, and is told so before it is known where to.
      if (error.code === "NOT_AUTHORIZED" && error.context.topic === undefined) {
        throw kafkaError("Writing", ERROR.TOPIC_AUTHORIZATION_FAILED, { topic }, "WRITE");
      }
      throw isOver ? new SpillwayError(error.code, error.message, { retryable: true, cause: error }) : error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#producer !== undefined) await this.#drop(this.#producer);
  }

  /** Once, however many records failed with it; another's may be in use by then. */
  async #drop(used: Promise<RecordProducer>): Promise<void> {
    if (this.#producer !== used) return;
    this.#producer = undefined;
    const [opened] = await Promise.allSettled([used]);
    if (opened.status === "fulfilled") await opened.value[Symbol.asyncDispose]();
  }
}
