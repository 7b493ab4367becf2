import type { Logger } from "pino";
import { messageOf } from "../errors.ts";
import type { SealedBatch } from "../record-batch/batch-builder.ts";
import { withDeadline } from "../runtime/deadline.ts";
import { Brokers } from "./cluster.ts";
import type { Generation } from "./generation.ts";
import type { KafkaOptions } from "./options.ts";
import type { Written } from "./target-partition.ts";
import type { Position } from "./topic-partition.ts";
import { isProducerFenced, Transaction, type TransactionOptions } from "./transaction.ts";
import { Writer, type WriterOptions } from "./writer.ts";

/** An abort that takes longer is left to whoever takes the id over next, or to the transaction's time-out. */
const ABORT_DEADLINE_MS = 3_000;

export interface TransactionalWriterOptions {
  readonly kafka: KafkaOptions;
  readonly log: Logger;
  /** Ends the opening; what is open goes on. */
  readonly signal: AbortSignal;
  readonly transaction: TransactionOptions;
  readonly writer?: Partial<WriterOptions>;
}

/**
 * Writes batches in transactions, one after the other, each with the offsets of what it came from.
 *
 * Guarantee: read_committed readers see all batches written before a `commit`, and the group its offsets, once that has
 * resolved; of a transaction that failed they see nothing. What is written while a commit is under way belongs to the
 * next transaction, and waits for it.
 *
 * Invariant: once anything has failed, nothing more is written: begin anew with the same transactional id.
 */
export class TransactionalWriter implements AsyncDisposable {
  readonly #writer: Writer;
  readonly #transaction: Transaction;
  readonly #stop: AbortController;
  readonly #log: Logger;
  /** There is something in the transaction that would hold readers up until it is ended. */
  #isOpen = false;
  /** Nothing of ours is open any more, and the id is somebody else's. */
  #isFenced = false;

  private constructor(writer: Writer, transaction: Transaction, stop: AbortController, log: Logger) {
    this.#writer = writer;
    this.#transaction = transaction;
    this.#stop = stop;
    this.#log = log;
  }

  /**
   * Takes the transactional id over; what its last owner left open is aborted.
   * @throws SpillwayError those of `Brokers.connect` and `Transaction.open`
   */
  static async open(options: TransactionalWriterOptions): Promise<TransactionalWriter> {
    const { kafka, log, transaction: transactionOptions, writer, signal: opening } = options;
    const stop = new AbortController();
    const onAbort = () => stop.abort(opening.reason);
    opening.addEventListener("abort", onAbort);
    const brokers = new Brokers(kafka, log);
    try {
      await brokers.connect(opening, log);
      const transaction = await Transaction.open({ ...transactionOptions, brokers, signal: stop.signal, log });
      return new TransactionalWriter(new Writer(brokers, transaction, log, writer), transaction, stop, log);
    } catch (error) {
      await brokers[Symbol.asyncDispose]();
      throw error;
    } finally {
      opening.removeEventListener("abort", onAbort);
    }
  }

  /** Resolves once there is room for more. @throws the signal's reason; what the writer failed with */
  async ready(signal: AbortSignal): Promise<void> {
    await this.#writer.ready(signal);
  }

  /** As `Writer.write`; what is acknowledged isn't committed yet. */
  write(topic: string, partition: number, batch: SealedBatch): Promise<Written> {
    this.#isOpen = true;
    const written = this.#writer.write(topic, partition, batch);
    written.catch(this.#noteFencing);
    return written;
  }

  /**
   * Commits what was written, and these positions with it. One at a time.
   * @throws SpillwayError FENCED if the generation is over or the id has another owner; TRANSACTION_FAILED, retryable,
   *   and others of `Writer.write`: then the transaction may have been committed or not
   */
  async commit(positions: readonly Position[], generation: Generation): Promise<void> {
    this.#isOpen = true;
    try {
      await this.#writer.endRound();
      await this.#transaction.commitOffsets(positions, generation);
      await this.#transaction.commit();
    } catch (error) {
      this.#noteFencing(error);
      throw error;
    }
    this.#isOpen = this.#writer.inFlightBytes > 0;
    this.#writer.nextRound();
  }

  /** Aborts what isn't committed, so that it holds no reader up, and disconnects. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.#isOpen && !this.#isFenced)
        await withDeadline(this.#transaction.abort(), ABORT_DEADLINE_MS, "Aborting the transaction");
    } catch (error) {
      this.#log.warn(
        { transactionalId: this.#transaction.transactionalId, error: messageOf(error) },
        "a transaction could not be aborted: readers may wait for its time-out",
      );
    } finally {
      this.#stop.abort(new Error("the writer was closed"));
      await this.#writer[Symbol.asyncDispose]();
    }
  }

  readonly #noteFencing = (error: unknown): void => {
    if (isProducerFenced(error)) this.#isFenced = true;
  };
}
