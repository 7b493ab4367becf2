import type { Logger } from "pino";
import { isRetryable, messageOf, SpillwayError } from "../errors.ts";
import { type SealedBatch, stampBatch } from "../record-batch/batch-builder.ts";
import { backoffMs, retry } from "../runtime/backoff.ts";
import { withDeadline } from "../runtime/deadline.ts";
import { InFlightLimit } from "../runtime/in-flight-limit.ts";
import { Brokers, kafkaError } from "./cluster.ts";
import { ERROR, errorName, isRetryableProduce } from "./error-codes.ts";
import type { KafkaOptions } from "./options.ts";
import { newProducerIdentity, type ProducerIdentity, type ProducerSession } from "./producer-session.ts";
import { produce } from "./protocol/messages.ts";
import {
  failed,
  type QueuedBatch,
  sequenceAfter,
  type TargetPartition,
  TargetPartitions,
  type Written,
} from "./target-partition.ts";

const BACKOFF = { baseMs: 20, maxMs: 1_000 };
const ACKS_ALL = -1;

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
  readonly #targets = new TargetPartitions();
  readonly #requests = new Map<number, number>();
  readonly #session: ProducerSession;
  /** The session's, as of the beginning of the round. */
  #identity: ProducerIdentity;
  /** Batches of later rounds wait until this one is over. */
  #round = 0;
  #roundToWrite = 0;
  /** Batches of this round that are not acknowledged. */
  #unacknowledged = 0;
  #roundOver: PromiseWithResolvers<void> | undefined;
  #enlisting = false;
  #finding: Promise<void> | undefined;
  #pumpScheduled = false;
  /** Goes off when the oldest batch's time is up, whatever is waited for then: an answer, a leader, a connection. */
  #deadline: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #failure: SpillwayError | undefined;
  #idle: PromiseWithResolvers<void> | undefined;

  /** @param brokers for it alone; it closes them */
  constructor(brokers: Brokers, session: ProducerSession, log: Logger, options: Partial<WriterOptions> = {}) {
    this.#options = { ...WRITER_DEFAULTS, ...options };
    this.#log = log;
    this.#brokers = brokers;
    this.#session = session;
    this.#identity = session.identity;
    this.#limit = new InFlightLimit({ bytes: this.#options.inFlightBytes, items: Number.POSITIVE_INFINITY });
  }

  /**
   * Opens an idempotent producer.
   * @throws SpillwayError BROKER_UNREACHABLE, AUTHENTICATION_FAILED, NOT_AUTHORIZED; the signal's reason
   */
  static async open(options: {
    readonly kafka: KafkaOptions;
    readonly log: Logger;
    readonly signal: AbortSignal;
    readonly writer?: Partial<WriterOptions>;
  }): Promise<Writer> {
    const { kafka, log, signal } = options;
    const brokers = new Brokers(kafka, log);
    try {
      await brokers.connect(signal, log);
      const identity = await newProducerIdentity(brokers, { signal, deadlineMs: kafka.connectDeadlineMs });
      const failure: ProducerSession["failure"] = (code, what, context) => kafkaError(what, code, context, "WRITE");
      return new Writer(brokers, { transactionalId: null, produce, identity, failure }, log, options.writer);
    } catch (error) {
      await brokers[Symbol.asyncDispose]();
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
    const round = this.#roundToWrite;
    this.#targets.get(topic, partition).queue.push({ batch, round, sequence: -1, attempts: 0, deadlineAt, written });
    if (round === this.#round) this.#unacknowledged++;
    this.#limit.enter(batch.bytes.length);
    this.#deadline ??= setTimeout(() => this.#checkDeadlines(), this.#options.deliveryTimeoutMs + 1);
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

  /**
   * Ends the round: what is written from now on waits for `nextRound`. Resolves when all before is acknowledged.
   * @throws what the writer failed with
   */
  async endRound(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#roundToWrite = this.#round + 1;
    if (this.#unacknowledged === 0) return;
    this.#roundOver = Promise.withResolvers<void>();
    await this.#roundOver.promise;
  }

  /** Sends what waits for the next round. Sequences go on, unless the session has got another identity meanwhile. */
  nextRound(): void {
    this.#round = this.#roundToWrite;
    this.#unacknowledged = 0;
    const { producerId, epoch } = this.#session.identity;
    const isNew = producerId !== this.#identity.producerId || epoch !== this.#identity.epoch;
    this.#identity = { producerId, epoch };
    for (const target of this.#targets) {
      target.enlisted = false;
      if (isNew) target.nextSequence = 0;
      this.#unacknowledged += target.queue.length;
    }
    this.#schedulePump();
  }

  /** Disconnects at once. What is in flight fails; its fate is unknown. Flush first to avoid that. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#fail(new SpillwayError("DELIVERY_FAILED", "The writer was closed"));
    await this.#brokers[Symbol.asyncDispose]();
    await Promise.allSettled([this.#finding]);
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
    const idle = [...this.#targets].filter(({ queue, sending }) => queue[0]?.round === this.#round && !sending);
    let waiting = idle.filter(({ retryAt }) => retryAt <= now);
    this.#comeBack(idle.filter(({ retryAt }) => retryAt > now).map(({ retryAt }) => retryAt - now));
    if (waiting.some(({ leader }) => leader < 0)) this.#findLeaders();
    if (this.#session.enlist !== undefined) waiting = this.#enlisted(waiting, this.#session.enlist);
    for (const [leader, targets] of Map.groupBy(waiting, (target) => target.leader)) {
      if (leader < 0) continue;
      while (targets.length > 0 && (this.#requests.get(leader) ?? 0) < this.#options.requestsPerBroker) {
        const share: TargetPartition[] = [];
        for (let bytes = 0; targets.length > 0; ) {
          bytes += targets[0]?.queue[0]?.batch.bytes.length ?? 0;
          if (share.length > 0 && bytes > this.#options.requestBytes) break;
          share.push(targets.shift() as TargetPartition);
        }
        void this.#send(leader, share);
      }
    }
  }

  /** Pumps again after the least of these milliseconds. A timer may fire early, so whoever it wakes asks again. */
  #comeBack(delays: readonly number[]): void {
    clearTimeout(this.#retry);
    if (delays.length > 0) this.#retry = setTimeout(() => this.#pump(), Math.min(...delays) + 1);
  }

  /** Those that are part of the transaction; the others are made so, all that there are at once. */
  #enlisted(waiting: readonly TargetPartition[], enlist: NonNullable<ProducerSession["enlist"]>): TargetPartition[] {
    const [enlisted, others] = [
      waiting.filter((target) => target.enlisted),
      waiting.filter((target) => !target.enlisted),
    ];
    if (others.length > 0 && !this.#enlisting) {
      this.#enlisting = true;
      enlist(others)
        .then(
          () => {
            for (const target of others) target.enlisted = true;
          },
          (error: unknown) => this.#fail(asSpillwayError(error)),
        )
        .finally(() => {
          this.#enlisting = false;
          this.#schedulePump();
        });
    }
    return enlisted;
  }

  /** Sends the first batch of each target in one request and deals with the answer. Never rejects. */
  async #send(leader: number, targets: readonly TargetPartition[]): Promise<void> {
    this.#requests.set(leader, (this.#requests.get(leader) ?? 0) + 1);
    for (const target of targets) {
      target.sending = true;
      this.#stamp(target);
    }
    try {
      const response = await this.#brokers.request(
        this.#session.produce,
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
  #stamp(target: TargetPartition): void {
    const [first] = target.queue;
    if (first === undefined) return;
    if (first.sequence < 0) {
      first.sequence = target.nextSequence;
      target.nextSequence = sequenceAfter(first.sequence, first.batch.recordCount);
    }
    const transactional = this.#session.transactionalId !== null;
    stampBatch(first.batch, { ...this.#identity, sequence: first.sequence, transactional });
  }

  #request(targets: readonly TargetPartition[]) {
    return {
      transactionalId: this.#session.transactionalId,
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

  #settle(target: TargetPartition, code: number, baseOffset: bigint, reason: string | null): void {
    const { topic, partition, topicId } = target;
    // A duplicate is a batch that the broker had and whose offset it has forgotten: written, long ago.
    if (code === ERROR.NONE || code === ERROR.DUPLICATE_SEQUENCE_NUMBER) {
      const done = target.queue.shift() as QueuedBatch;
      target.trouble = undefined;
      this.#limit.leave(done.batch.bytes.length);
      done.written.resolve({ topicId, partition, baseOffset });
      if (--this.#unacknowledged === 0) this.#roundOver?.resolve();
      if (this.#limit.bytes === 0) {
        this.#idle?.resolve();
        this.#idle = undefined;
      }
    } else if (isRetryableProduce(code)) {
      // The markers of the partition's last transaction are on their way; its leader is the right one.
      this.#retryLater(target, errorName(code), code === ERROR.CONCURRENT_TRANSACTIONS);
    } else {
      const context = { topic, partition, kafkaCode: code };
      const why = `${errorName(code)}${reason === null ? "" : `, ${reason}`}`;
      this.#fail(
        code === ERROR.MESSAGE_TOO_LARGE || code === ERROR.RECORD_LIST_TOO_LARGE
          ? new SpillwayError("RECORD_TOO_LARGE", `A batch was refused: ${why}`, {
              context: { ...context, hint: "Raise max.message.bytes of the topic above that of the source topic" },
            })
          : this.#session.failure(code, `Writing (${why})`, context),
      );
    }
  }

  #retryLater(target: TargetPartition, trouble: string, keepLeader = false): void {
    const { topic, partition } = target;
    const [first] = target.queue;
    if (first === undefined) return;
    first.attempts++;
    failed(target, { trouble, retryAt: performance.now() + backoffMs(first.attempts, BACKOFF), keepLeader });
    if (first.attempts === 5) this.#log.warn({ topic, partition, reason: trouble }, "writing fails, trying again");
  }

  /** Fails the writer if a batch's time is up; else comes back when that of the oldest is. */
  #checkDeadlines(): void {
    this.#deadline = undefined;
    const [oldest] = [...this.#targets]
      .filter(({ queue }) => queue.length > 0)
      .sort((a, b) => (a.queue[0]?.deadlineAt ?? 0) - (b.queue[0]?.deadlineAt ?? 0));
    if (oldest === undefined || this.#failure !== undefined) return;
    const leftMs = (oldest.queue[0]?.deadlineAt ?? 0) - performance.now();
    if (leftMs > 0) {
      this.#deadline = setTimeout(() => this.#checkDeadlines(), leftMs + 1);
      return;
    }
    const { topic, partition, leader, trouble } = oldest;
    const reason = trouble ?? (leader < 0 ? "the partition has no leader" : "no answer");
    this.#fail(
      new SpillwayError(
        "DELIVERY_FAILED",
        `A batch was not acknowledged within ${this.#options.deliveryTimeoutMs} ms: ${reason}`,
        { context: { topic, partition, hint: "Check that the partition has a leader and enough in-sync replicas" } },
      ),
    );
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
    const startedAt = performance.now();
    await retry(() => this.#targets.assignLeaders(this.#brokers, performance.now() - startedAt), {
      signal: this.#stop.signal,
      backoff: BACKOFF,
      deadlineMs: Number.POSITIVE_INFINITY, // the batches have deadlines of their own
      onRetry: (error, attempt) => {
        if (attempt % 10 === 0) this.#log.warn({ attempt, error: messageOf(error) }, "waiting for partition leaders");
      },
    });
  }

  #fail(error: SpillwayError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    clearTimeout(this.#deadline);
    clearTimeout(this.#retry);
    this.#stop.abort(error);
    for (const target of this.#targets) {
      for (const { written } of target.queue.splice(0)) written.reject(error);
    }
    this.#idle?.reject(error);
    this.#roundOver?.reject(error);
  }
}

function asSpillwayError(cause: unknown): SpillwayError {
  return cause instanceof SpillwayError ? cause : new SpillwayError("DELIVERY_FAILED", messageOf(cause), { cause });
}
