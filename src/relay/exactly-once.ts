import { SpillwayError } from "../errors.ts";
import type { FetchedPartition } from "../kafka/source.ts";
import { type Position, partitionKey } from "../kafka/topic-partition.ts";
import type { TransactionalWriter } from "../kafka/transactional-writer.ts";
import type { PoisonBatch } from "../record-batch/batch.ts";
import type { SealedBatch } from "../record-batch/batch-builder.ts";
import { withDeadline } from "../runtime/deadline.ts";
import type { Delivery, DeliveryParts, RelayInput } from "./delivery.ts";
import { poisonBatches } from "./poison.ts";
import type { OutputBatch } from "./transcoder.ts";

export interface ExactlyOnceParts extends DeliveryParts {
  readonly positions: readonly Position[];
  /** Belongs to the delivery, which closes it. */
  readonly writer: TransactionalWriter;
}

/** Nobody waits for a single part: the transaction is acknowledged as a whole. */
const INPUT: RelayInput = { outputs: 0, acknowledged: () => {} };

/**
 * Guarantee: for read_committed readers a record is in the target exactly once. What was read, written and committed
 * since the last transaction is one: it takes effect as a whole or not at all.
 *
 * A transaction is closed between two fetched parts, at a size or an age. Closing takes a few requests one after the
 * other; fetching and transcoding go on meanwhile, into the next.
 */
export class ExactlyOnce implements Delivery {
  readonly positions: readonly Position[];
  readonly #parts: ExactlyOnceParts;
  readonly #failed = new AbortController();
  /** How far the open transaction reaches, by partition. */
  #reached = new Map<string, Position>();
  #records = 0;
  #bytes = 0;
  #age: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;
  /** The open transaction is to be closed as soon as the one before it is. */
  #isDue = false;

  constructor(parts: ExactlyOnceParts) {
    this.#parts = parts;
    this.positions = parts.positions;
  }

  get failed(): AbortSignal {
    return this.#failed.signal;
  }

  begin(): RelayInput {
    return INPUT;
  }

  produce = ({ topic, partition, batch }: OutputBatch<RelayInput>): void => {
    this.#records += batch.recordCount;
    this.#write(topic, partition, batch, () => this.#parts.transcoder.recycle(batch));
  };

  bury(poison: PoisonBatch, topicId: string): void {
    const { topic, batches } = poisonBatches(poison, topicId, this.#parts);
    for (const batch of batches) this.#write(topic, 0, batch, () => {});
  }

  end({ topic, topicId, partition, nextOffset: offset }: FetchedPartition): void {
    const { transactionMs, transactionBytes } = this.#parts.options;
    const position = { topic, topicId, partition, offset };
    this.#reached.set(partitionKey(position), position);
    this.#age ??= setTimeout(() => this.#close(), transactionMs);
    if (this.#bytes >= transactionBytes) this.#close();
  }

  async room(signal: AbortSignal): Promise<void> {
    await this.#parts.writer.ready(signal);
  }

  async finish(): Promise<void> {
    this.#close();
    const closed = async () => {
      while (this.#closing !== undefined) await this.#closing;
    };
    await withDeadline(closed(), this.#parts.options.drainDeadlineMs, "Closing the last transaction");
    this.#failed.signal.throwIfAborted();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#age);
    this.#failed.abort(new SpillwayError("TRANSACTION_FAILED", "The relay was closed"));
    await this.#parts.writer[Symbol.asyncDispose]();
    await this.#closing;
  }

  #write(topic: string, partition: number, batch: SealedBatch, acknowledged: () => void): void {
    this.#bytes += batch.bytes.length;
    this.#parts.writer.write(topic, partition, batch).then(acknowledged, (error) => this.#failed.abort(error));
  }

  #close(): void {
    if (this.#closing !== undefined) {
      this.#isDue = true;
      return;
    }
    if (this.#reached.size === 0 || this.#failed.signal.aborted) return;
    const { transcoder, writer, generation, stats } = this.#parts;
    transcoder.drain(this.produce);
    const [positions, records, bytes] = [[...this.#reached.values()], this.#records, this.#bytes];
    this.#begin();
    this.#closing = writer
      .commit(positions, generation)
      .then(
        () => {
          stats.recordsWritten += records;
          stats.bytesWritten += bytes;
          stats.transactions++;
        },
        (error: unknown) => this.#failed.abort(error),
      )
      .finally(() => {
        this.#closing = undefined;
        if (this.#isDue) this.#close();
      });
  }

  #begin(): void {
    this.#reached = new Map();
    this.#records = 0;
    this.#bytes = 0;
    this.#isDue = false;
    clearTimeout(this.#age);
    this.#age = undefined;
  }
}
