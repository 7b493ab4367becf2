import type { Logger } from "pino";
import { isRetryable, messageOf, SpillwayError } from "../errors.ts";
import { type SealedBatch, stampBatch } from "../record-batch/batch-builder.ts";
import { backoffMs, retry } from "../runtime/backoff.ts";
import { withDeadline } from "../runtime/deadline.ts";
import { InFlightLimit } from "../runtime/in-flight-limit.ts";
import { Brokers, kafkaError } from "./cluster.ts";
import { ERROR, errorName, isCoordinatorMoved, isRetryableProduce } from "./error-codes.ts";
import { topicMissing } from "./offsets.ts";
import type { KafkaOptions } from "./options.ts";
import { initProducerId, produce } from "./protocol/messages.ts";

const BACKOFF = { baseMs: 20, maxMs: 1_000 };
const ACKS_ALL = -1;
/** Sequence numbers are int32 and go on at 0 after 2^31 - 1. */
const SEQUENCES = 2 ** 31;

export interface WriterOptions {
  /** Bytes sent or queued and not acknowledged; `ready` waits while there are more. */
  readonly inFlightBytes: number;
  /** Bytes of one produce request; a single larger batch goes alone. */
  readonly requestBytes: number;
  /** Requests under way to one broker. */
  readonly requestsPerBroker: number;
  /** Milliseconds from `write` after which a batch that is not acknowledged has failed, and the writer with it. */
  readonly deliveryTimeoutMs: number;
}

export const WRITER_DEFAULTS: WriterOptions = {
  inFlightBytes: 16 * 1024 * 1024,
  requestBytes: 1024 * 1024,
  requestsPerBroker: 5,
  deliveryTimeoutMs: 120_000,
};

/** Where an acknowledged batch lies. */
export interface Written {
  readonly topicId: string;
  readonly partition: number;
  readonly baseOffset: bigint;
}

interface QueuedBatch {
  readonly batch: SealedBatch;
  /** Given when it is first sent and kept over every retry: that is how the broker knows a batch it has already. */
  sequence: number;
  attempts: number;
  readonly deadlineAt: number;
  readonly written: PromiseWithResolvers<Written>;
}

interface Target {
  readonly topic: string;
  readonly partition: number;
  topicId: string;
  leader: number;
  /** In the order of `write`; the first is the one under way, if `sending`. */
  readonly queue: QueuedBatch[];
  sending: boolean;
  /** Not before this, on the clock of `performance.now()`: a pause between attempts. */
  retryAt: number;
  nextSequence: number;
}

interface Producer {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

/**
 * Writes sealed batches with acks=all, as an idempotent producer.
 *
 * Guarantee: a batch is reported as written only when all in-sync replicas have it; it is in the log once, however often
 * it was sent; the batches of a partition are in the log in the order of `write`. Once a batch has failed for good,
 * nothing more is written: what follows it would be out of order.
 *
 * Invariant: one batch per partition is under way at a time, and a retry sends the same bytes with the same sequence.
 */
export class Writer implements AsyncDisposable {
  readonly #options: WriterOptions;
  readonly #log: Logger;
  readonly #brokers: Brokers;
  readonly #stop = new AbortController();
  readonly #limit: InFlightLimit;
  readonly #targets = new Map<string, Map<number, Target>>();
  readonly #requests = new Map<number, number>();
  #producer: Producer | undefined;
  #finding: Promise<void> | undefined;
  #pumpScheduled = false;
  #failure: SpillwayError | undefined;
  #idle: PromiseWithResolvers<void> | undefined;

  private constructor(kafka: KafkaOptions, log: Logger, options: WriterOptions) {
    this.#options = options;
    this.#log = log;
    this.#brokers = new Brokers(kafka, log);
    this.#limit = new InFlightLimit({ bytes: options.inFlightBytes, items: Number.POSITIVE_INFINITY });
  }

  /** @throws SpillwayError BROKER_UNREACHABLE, AUTHENTICATION_FAILED, NOT_AUTHORIZED; the signal's reason */
  static async open(options: {
    readonly kafka: KafkaOptions;
    readonly log: Logger;
    readonly signal: AbortSignal;
    readonly writer?: Partial<WriterOptions>;
  }): Promise<Writer> {
    const writer = new Writer(options.kafka, options.log, { ...WRITER_DEFAULTS, ...options.writer });
    try {
      await writer.#brokers.connect(options.signal, options.log);
      writer.#producer = await writer.#initProducer(options.signal, options.kafka.connectDeadlineMs);
      return writer;
    } catch (error) {
      await writer[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Bytes handed over and not yet acknowledged. */
  get inFlightBytes(): number {
    return this.#limit.bytes;
  }

  /** Resolves once there is room for more. @throws the signal's reason; what the writer failed with */
  async ready(signal: AbortSignal): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#limit.isOpen) return;
    await this.#limit.open(AbortSignal.any([signal, this.#stop.signal]));
    if (this.#failure !== undefined) throw this.#failure;
  }

  /**
   * Queues a batch; resolves when it is acknowledged. The batch's bytes belong to the writer from now on.
   * @throws SpillwayError DELIVERY_FAILED, RECORD_TOO_LARGE, TOPIC_MISSING, TOPIC_RECREATED, NOT_AUTHORIZED
   */
  write(topic: string, partition: number, batch: SealedBatch): Promise<Written> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const written = Promise.withResolvers<Written>();
    const deadlineAt = performance.now() + this.#options.deliveryTimeoutMs;
    this.#target(topic, partition).queue.push({ batch, sequence: -1, attempts: 0, deadlineAt, written });
    this.#limit.enter(batch.bytes.length);
    this.#schedulePump();
    return written.promise;
  }

  /** Resolves when nothing is in flight any more. @throws SpillwayError TIMEOUT; what the writer failed with */
  async flush(deadlineMs: number): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#limit.bytes === 0) return;
    this.#idle ??= Promise.withResolvers<void>();
    await withDeadline(this.#idle.promise, deadlineMs, "Writing what is in flight");
  }

  /** Disconnects at once. What is in flight fails; its fate is unknown. Flush first to avoid that. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#fail(new SpillwayError("DELIVERY_FAILED", "The writer was closed"));
    await this.#brokers[Symbol.asyncDispose]();
    await Promise.allSettled([this.#finding]);
  }

  #target(topic: string, partition: number): Target {
    let partitions = this.#targets.get(topic);
    if (partitions === undefined) {
      partitions = new Map();
      this.#targets.set(topic, partitions);
    }
    let target = partitions.get(partition);
    if (target === undefined) {
      target = { topic, partition, topicId: "", leader: -1, queue: [], sending: false, retryAt: 0, nextSequence: 0 };
      partitions.set(partition, target);
    }
    return target;
  }

  /** What is written in one turn of the event loop goes out together. */
  #schedulePump(): void {
    if (this.#pumpScheduled) return;
    this.#pumpScheduled = true;
    setImmediate(() => {
      this.#pumpScheduled = false;
      this.#pump();
    });
  }

  /** Sends the first batch of every partition that has none under way, as many as requests and their size allow. */
  #pump(): void {
    if (this.#failure !== undefined) return;
    const now = performance.now();
    const waiting = this.#allTargets().filter(
      ({ queue, sending, retryAt }) => queue.length > 0 && !sending && retryAt <= now,
    );
    if (waiting.some(({ leader }) => leader < 0)) this.#findLeaders();
    for (const [leader, targets] of Map.groupBy(waiting, (target) => target.leader)) {
      if (leader < 0) continue;
      while (targets.length > 0 && (this.#requests.get(leader) ?? 0) < this.#options.requestsPerBroker) {
        const share: Target[] = [];
        for (let bytes = 0; targets.length > 0; ) {
          bytes += targets[0]?.queue[0]?.batch.bytes.length ?? 0;
          if (share.length > 0 && bytes > this.#options.requestBytes) break;
          share.push(targets.shift() as Target);
        }
        void this.#send(leader, share);
      }
    }
  }

  #allTargets(): Target[] {
    return this.#targets
      .values()
      .flatMap((partitions) => partitions.values())
      .toArray();
  }

  /** Sends the first batch of each target in one request and deals with the answer. Never rejects. */
  async #send(leader: number, targets: readonly Target[]): Promise<void> {
    this.#requests.set(leader, (this.#requests.get(leader) ?? 0) + 1);
    for (const target of targets) {
      target.sending = true;
      this.#stamp(target);
    }
    try {
      const response = await this.#brokers.request(
        produce,
        this.#request(targets),
        leader,
        this.#options.deliveryTimeoutMs / 4,
      );
      const answers = new Map(
        response.responses.flatMap(({ name, partitionResponses }) =>
          partitionResponses.map((answer) => [`${name}/${answer.index}`, answer] as const),
        ),
      );
      for (const target of targets) {
        const answer = answers.get(`${target.topic}/${target.partition}`);
        // A partition that the answer leaves out may have been written or not: the same as no answer.
        if (answer === undefined) this.#retryLater(target, "the answer leaves the partition out");
        else this.#settle(target, answer.errorCode, answer.baseOffset, answer.errorMessage);
      }
    } catch (error) {
      if (isRetryable(error)) for (const target of targets) this.#retryLater(target, messageOf(error));
      else this.#fail(asSpillwayError(error));
    } finally {
      for (const target of targets) target.sending = false;
      this.#requests.set(leader, (this.#requests.get(leader) ?? 1) - 1);
      this.#schedulePump();
    }
  }

  /** Header fields and CRC are written now and not when the batch was sealed: the producer may have changed since. */
  #stamp(target: Target): void {
    const [first] = target.queue;
    if (first === undefined || this.#producer === undefined) return;
    if (first.sequence < 0) {
      first.sequence = target.nextSequence;
      target.nextSequence = sequenceAfter(first.sequence, first.batch.recordCount);
    }
    const { producerId, producerEpoch: epoch } = this.#producer;
    stampBatch(first.batch, { producerId, epoch, sequence: first.sequence });
  }

  #request(targets: readonly Target[]) {
    return {
      transactionalId: null,
      acks: ACKS_ALL,
      timeoutMs: this.#options.deliveryTimeoutMs / 4,
      topicData: [...Map.groupBy(targets, ({ topic }) => topic)].map(([name, ofTopic]) => ({
        name,
        partitionData: ofTopic.map(({ partition, queue }) => ({
          index: partition,
          records: queue[0]?.batch.bytes ?? null,
        })),
      })),
    };
  }

  #settle(target: Target, code: number, baseOffset: bigint, reason: string | null): void {
    const { topic, partition, topicId } = target;
    // A duplicate is a batch that the broker had and whose offset it has forgotten: written, long ago.
    if (code === ERROR.NONE || code === ERROR.DUPLICATE_SEQUENCE_NUMBER) {
      const done = target.queue.shift() as QueuedBatch;
      this.#limit.leave(done.batch.bytes.length);
      done.written.resolve({ topicId, partition, baseOffset });
      if (this.#limit.bytes === 0) {
        this.#idle?.resolve();
        this.#idle = undefined;
      }
    } else if (isRetryableProduce(code)) {
      this.#retryLater(target, errorName(code));
    } else {
      const context = { topic, partition, kafkaCode: code };
      const why = `${errorName(code)}${reason === null ? "" : `, ${reason}`}`;
      this.#fail(
        code === ERROR.MESSAGE_TOO_LARGE || code === ERROR.RECORD_LIST_TOO_LARGE
          ? new SpillwayError("RECORD_TOO_LARGE", `A batch was refused: ${why}`, {
              context: { ...context, hint: "Raise max.message.bytes of the topic above that of the source topic" },
            })
          : kafkaError(`Writing (${why})`, code, context),
      );
    }
  }

  /** Leaves the batch at the head of its queue and looks for the leader anew. */
  #retryLater(target: Target, reason: string): void {
    const { topic, partition } = target;
    target.leader = -1;
    const [first] = target.queue;
    if (first === undefined) return;
    first.attempts++;
    const delayMs = backoffMs(first.attempts, BACKOFF);
    target.retryAt = performance.now() + delayMs;
    setTimeout(() => this.#schedulePump(), delayMs + 1);
    if (first.attempts === 5) this.#log.warn({ topic, partition, reason }, "writing fails, trying again");
    if (performance.now() > first.deadlineAt) {
      this.#fail(
        new SpillwayError(
          "DELIVERY_FAILED",
          `A batch was not acknowledged within ${this.#options.deliveryTimeoutMs} ms: ${reason}`,
          {
            context: { topic, partition, hint: "Check that the partition has a leader and enough in-sync replicas" },
          },
        ),
      );
    }
  }

  #findLeaders(): void {
    this.#finding ??= this.#search()
      .catch((error: unknown) => this.#fail(asSpillwayError(error)))
      .finally(() => {
        this.#finding = undefined;
        this.#schedulePump();
      });
  }

  async #search(): Promise<void> {
    await retry(() => this.#assignLeaders(), {
      signal: this.#stop.signal,
      backoff: BACKOFF,
      deadlineMs: this.#options.deliveryTimeoutMs,
      onRetry: (error, attempt) => {
        if (attempt % 10 === 0) this.#log.warn({ attempt, error: messageOf(error) }, "waiting for partition leaders");
      },
    });
  }

  async #assignLeaders(): Promise<void> {
    const lost = this.#allTargets().filter(({ leader, queue }) => leader < 0 && queue.length > 0);
    const topics = new Map(
      (await this.#brokers.topics([...this.#targets.keys()])).map((topic) => [topic.topic, topic]),
    );
    for (const target of lost) {
      const { topic, partition } = target;
      const metadata = topics.get(topic);
      if (metadata === undefined) throw topicMissing(topic);
      if (target.topicId !== "" && target.topicId !== metadata.topicId) {
        throw new SpillwayError("TOPIC_RECREATED", "The topic was deleted and made anew while it was written to", {
          context: {
            topic,
            partition,
            hint: "What was written before is gone. Start the job again from its beginning",
          },
        });
      }
      if (partition >= metadata.partitions.length) {
        throw new SpillwayError("TOPIC_MISMATCH", `The topic has only ${metadata.partitions.length} partitions`, {
          context: { topic, partition },
        });
      }
      target.topicId = metadata.topicId;
      target.leader = metadata.partitions[partition]?.leader ?? -1;
    }
    if (lost.length > 0 && lost.every(({ leader }) => leader < 0)) {
      throw new SpillwayError("BROKER_UNREACHABLE", "No partition to be written has a leader at the moment", {
        retryable: true,
      });
    }
  }

  async #initProducer(signal: AbortSignal, deadlineMs: number): Promise<Producer> {
    const request = { transactionalId: null, transactionTimeoutMs: 60_000, producerId: -1n, producerEpoch: -1 };
    return await retry(
      async () => {
        const response = await this.#brokers.request(initProducerId, request, "any");
        const { errorCode } = response;
        if (errorCode === ERROR.NONE) return response;
        if (!isCoordinatorMoved(errorCode)) throw kafkaError("Getting a producer id", errorCode);
        throw new SpillwayError("PROTOCOL", `Getting a producer id: ${errorName(errorCode)}`, { retryable: true });
      },
      { signal, backoff: BACKOFF, deadlineMs },
    );
  }

  #fail(error: SpillwayError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#stop.abort(error);
    for (const target of this.#allTargets()) {
      for (const { written } of target.queue.splice(0)) written.reject(error);
    }
    this.#idle?.reject(error);
  }
}

/** The sequence of the batch behind one of so many records: 2^31 - 1 is followed by 0. */
export function sequenceAfter(sequence: number, records: number): number {
  return (sequence + records) % SEQUENCES;
}

function asSpillwayError(cause: unknown): SpillwayError {
  return cause instanceof SpillwayError ? cause : new SpillwayError("DELIVERY_FAILED", messageOf(cause), { cause });
}
