import { randomInt } from "node:crypto";
import type { Logger } from "pino";
import { BatchBuilder, type NewRecord } from "../record-batch/batch-builder.ts";
import { partitionForKey } from "../record-batch/murmur2.ts";
import { retry } from "../runtime/backoff.ts";
import { Brokers } from "./cluster.ts";
import { topicMissing } from "./offsets.ts";
import type { KafkaOptions } from "./options.ts";
import { Writer, type WriterOptions } from "./writer.ts";

const FLUSH_DEADLINE_MS = 30_000;
const DESCRIBE_DEADLINE_MS = 30_000;
const BACKOFF = { baseMs: 50, maxMs: 1_000 };

export interface RecordProducerOptions {
  readonly kafka: KafkaOptions;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Milliseconds a record may wait for others to share its batch. */
  readonly lingerMs?: number;
  /** A batch is sent when it has got this many bytes. */
  readonly batchBytes?: number;
  readonly writer?: Partial<WriterOptions>;
}

/** Where an acknowledged record lies. */
export interface Acknowledged {
  readonly topicId: string;
  readonly partition: number;
  readonly offset: bigint;
}

interface OpenBatch {
  readonly builder: BatchBuilder;
  waiting: PromiseWithResolvers<Acknowledged>[];
  /** Batches of this partition that are sent and not acknowledged. */
  underWay: number;
}

/**
 * Writes single records, batched on their way, with the guarantees of the `Writer` beneath it. A keyed record goes to
 * the partition Kafka's Java producer would choose; those without a key fill a batch for one partition, then for another.
 */
export class RecordProducer implements AsyncDisposable {
  readonly #writer: Writer;
  readonly #brokers: Brokers;
  readonly #signal: AbortSignal;
  readonly #lingerMs: number;
  readonly #batchBytes: number;
  readonly #partitionCounts = new Map<string, Promise<number>>();
  readonly #open = new Map<string, Map<number, OpenBatch>>();
  /** Where keyless records of a topic go until the batch there is sent. */
  readonly #keyless = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  private constructor(options: RecordProducerOptions, writer: Writer) {
    this.#writer = writer;
    this.#brokers = new Brokers(options.kafka, options.log);
    this.#signal = options.signal;
    this.#lingerMs = options.lingerMs ?? 5;
    this.#batchBytes = options.batchBytes ?? 128 * 1024;
  }

  /** @throws SpillwayError BROKER_UNREACHABLE, AUTHENTICATION_FAILED, NOT_AUTHORIZED */
  static async open(options: RecordProducerOptions): Promise<RecordProducer> {
    return new RecordProducer(options, await Writer.open(options));
  }

  /** Resolves once there is room for more. Await it before `send`: memory is bounded by that alone. */
  async ready(): Promise<void> {
    await this.#writer.ready(this.#signal);
  }

  /**
   * Resolves when the record is acknowledged by all in-sync replicas.
   * @throws SpillwayError TOPIC_MISSING, and those of `Writer.write`
   */
  async send(topic: string, record: NewRecord, partition?: number): Promise<Acknowledged> {
    const count = this.#partitionCounts.get(topic) ?? this.#countPartitions(topic);
    return await this.#append(topic, record, partition ?? this.#choose(topic, record, await count));
  }

  /** Sends what waits and resolves when all is acknowledged. @throws SpillwayError TIMEOUT, and those of `send` */
  async flush(deadlineMs = FLUSH_DEADLINE_MS): Promise<void> {
    // A send that waits for the partition count has not appended yet.
    await Promise.all(this.#partitionCounts.values());
    await Promise.resolve();
    this.#sendAll();
    await this.#writer.flush(deadlineMs);
  }

  /** Disconnects at once: what isn't acknowledged fails. Flush first to avoid that. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    this.#sendAll();
    await this.#writer[Symbol.asyncDispose]();
    await this.#brokers[Symbol.asyncDispose]();
  }

  #choose(topic: string, { key }: NewRecord, partitions: number): number {
    if (key !== null) return partitionForKey(key, 0, key.length, partitions);
    const chosen = this.#keyless.get(topic) ?? randomInt(partitions);
    this.#keyless.set(topic, chosen);
    return chosen;
  }

  #append(topic: string, record: NewRecord, partition: number): Promise<Acknowledged> {
    const open = this.#openBatch(topic, partition);
    if (!open.builder.append(record)) {
      this.#send(topic, partition, open);
      open.builder.append(record);
    }
    const waiting = Promise.withResolvers<Acknowledged>();
    open.waiting.push(waiting);
    if (open.builder.bytes >= this.#batchBytes) this.#send(topic, partition, open);
    else this.#timer ??= setTimeout(() => this.#sendIdle(), this.#lingerMs);
    return waiting.promise;
  }

  #openBatch(topic: string, partition: number): OpenBatch {
    let partitions = this.#open.get(topic);
    if (partitions === undefined) {
      partitions = new Map();
      this.#open.set(topic, partitions);
    }
    let open = partitions.get(partition);
    if (open === undefined) {
      open = { builder: new BatchBuilder(), waiting: [], underWay: 0 };
      partitions.set(partition, open);
    }
    return open;
  }

  /**
   * Sends the open batches of partitions that have none under way. The others go on filling: a broker that answers
   * slowly gets larger batches, and not a queue of small ones that it can never work off.
   */
  #sendIdle(): void {
    let left = false;
    for (const [topic, partitions] of this.#open) {
      for (const [partition, open] of partitions) {
        if (open.underWay === 0) this.#send(topic, partition, open);
        else left ||= open.builder.count > 0;
      }
    }
    this.#timer = left ? setTimeout(() => this.#sendIdle(), this.#lingerMs) : undefined;
  }

  #sendAll(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const [topic, partitions] of this.#open) {
      for (const [partition, open] of partitions) this.#send(topic, partition, open);
    }
  }

  #send(topic: string, partition: number, open: OpenBatch): void {
    const batch = open.builder.seal("none");
    if (batch === undefined) return;
    if (this.#keyless.get(topic) === partition) this.#keyless.delete(topic);
    const { waiting } = open;
    open.waiting = [];
    open.underWay++;
    this.#writer.write(topic, partition, batch).then(
      ({ topicId, baseOffset }) => {
        open.underWay--;
        for (const [i, { resolve }] of waiting.entries())
          resolve({ topicId, partition, offset: baseOffset + BigInt(i) });
      },
      (error: unknown) => {
        open.underWay--;
        for (const { reject } of waiting) reject(error);
      },
    );
  }

  #countPartitions(topic: string): Promise<number> {
    const count = this.#describe(topic);
    this.#partitionCounts.set(topic, count);
    // A failure isn't kept: the topic may be made in the meantime.
    count.catch(() => this.#partitionCounts.delete(topic));
    return count;
  }

  async #describe(topic: string): Promise<number> {
    const limits = { signal: this.#signal, backoff: BACKOFF, deadlineMs: DESCRIBE_DEADLINE_MS };
    const [metadata] = await retry(() => this.#brokers.topics([topic]), limits);
    if (metadata === undefined) throw topicMissing(topic);
    return metadata.partitions.length;
  }
}
