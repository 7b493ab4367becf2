import { isRetryable, messageOf, SpillwayError } from "../errors.ts";
import { Frontiers } from "../kafka/frontiers.ts";
import type { FetchedPartition } from "../kafka/source.ts";
import { type Position, partitionKey } from "../kafka/topic-partition.ts";
import type { Writer } from "../kafka/writer.ts";
import type { PoisonBatch } from "../record-batch/batch.ts";
import type { SealedBatch } from "../record-batch/batch-builder.ts";
import { every } from "../runtime/every.ts";
import type { Delivery, DeliveryParts, RelayInput } from "./delivery.ts";
import { poisonBatches } from "./poison.ts";
import type { OutputBatch } from "./transcoder.ts";

export interface AtLeastOnceParts extends DeliveryParts {
  readonly positions: readonly Position[];
  /** Belongs to the delivery, which closes it. */
  readonly writer: Writer;
}

/**
 * Guarantee: a record's offset is committed after the record is acknowledged by all in-sync replicas of the target, so a
 * crash repeats records and loses none.
 *
 * Invariant: a part counts as done once it was released by its transcoding and by every output batch with records of it.
 */
export class AtLeastOnce implements Delivery {
  readonly positions: readonly Position[];
  readonly #parts: AtLeastOnceParts;
  readonly #frontiers: Frontiers;
  readonly #failed = new AbortController();
  readonly #committing: { stop(): Promise<void> };
  /** Batches under way to each target partition, by topic and partition. */
  readonly #underWay = new Map<string, number>();
  #linger: NodeJS.Timeout | undefined;

  constructor(parts: AtLeastOnceParts) {
    this.#parts = parts;
    this.positions = parts.positions;
    this.#frontiers = new Frontiers(parts.positions);
    this.#committing = every(parts.options.commitIntervalMs, () => this.#commit(), this.#unlessOver);
  }

  get failed(): AbortSignal {
    return this.#failed.signal;
  }

  begin(fetched: FetchedPartition): RelayInput {
    const frontier = this.#frontiers.of(fetched);
    const entry = frontier.track(fetched.nextOffset);
    return { outputs: 1, acknowledged: () => frontier.complete(entry) };
  }

  produce = ({ topic, partition, batch, inputs }: OutputBatch<RelayInput>): void => {
    const key = partitionKey({ topic, partition });
    this.#underWay.set(key, (this.#underWay.get(key) ?? 0) + 1);
    this.#write(topic, partition, batch, () => {
      const { stats } = this.#parts;
      this.#underWay.set(key, (this.#underWay.get(key) ?? 1) - 1);
      stats.recordsWritten += batch.recordCount;
      stats.bytesWritten += batch.bytes.length;
      for (const input of inputs) release(input);
      this.#parts.transcoder.recycle(batch);
    });
  };

  bury(poison: PoisonBatch, topicId: string, input: RelayInput): void {
    const { topic, batches } = poisonBatches(poison, topicId, this.#parts);
    for (const batch of batches) {
      input.outputs++;
      this.#write(topic, 0, batch, () => release(input));
    }
  }

  end(_fetched: FetchedPartition, input: RelayInput): void {
    release(input);
    this.#linger ??= setTimeout(this.#drainIdle, this.#parts.options.lingerMs);
  }

  async room(signal: AbortSignal): Promise<void> {
    await this.#parts.writer.ready(signal);
  }

  async finish(): Promise<void> {
    const { transcoder, writer, options, log } = this.#parts;
    transcoder.drain(this.produce);
    await writer.flush(options.drainDeadlineMs).catch((error: unknown) => {
      if (!(error instanceof SpillwayError && error.code === "TIMEOUT")) throw error;
      const { inFlightBytes } = writer;
      log.warn({ inFlightBytes }, "not everything was acknowledged in time: it will be relayed again");
    });
    await this.#committing.stop();
    await this.#commit().catch(this.#unlessOver);
    this.#failed.signal.throwIfAborted();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#linger);
    await this.#committing.stop();
    // What is still under way would come behind what others, who read these partitions next, write of the same keys.
    await this.#parts.writer[Symbol.asyncDispose]();
  }

  #write(topic: string, partition: number, batch: SealedBatch, acknowledged: () => void): void {
    this.#parts.writer.write(topic, partition, batch).then(acknowledged, (error) => this.#failed.abort(error));
  }

  /**
   * While a partition has a batch under way, its open one goes on filling: a broker that answers slowly gets larger
   * batches, and not a queue of small ones that it can never work off.
   */
  readonly #drainIdle = (): void => {
    const { transcoder, options } = this.#parts;
    const left = transcoder.drain(
      this.produce,
      (topic, partition) => (this.#underWay.get(partitionKey({ topic, partition })) ?? 0) === 0,
    );
    this.#linger = left ? setTimeout(this.#drainIdle, options.lingerMs) : undefined;
  };

  async #commit(): Promise<void> {
    const reached = this.#frontiers.uncommitted();
    if (reached.length === 0) return;
    await this.#parts.generation.commit(reached);
    this.#frontiers.committed(reached);
  }

  /** A commit that comes too late is no failure of the relay: what it covered is relayed again. */
  readonly #unlessOver = (error: unknown): void => {
    const isOver = isRetryable(error) || (error instanceof SpillwayError && error.code === "FENCED");
    if (!isOver) this.#failed.abort(error);
    else this.#parts.log.warn({ error: messageOf(error) }, "commit failed: what it covered will be relayed again");
  };
}

function release(input: RelayInput): void {
  input.outputs--;
  if (input.outputs === 0) input.acknowledged();
}
