import {
  type FetchedBytes,
  type OnPoison,
  type RecordBatch,
  readBatches,
  stopAtPoison,
} from "../record-batch/batch.ts";
import { BatchBuilder, type SealedBatch } from "../record-batch/batch-builder.ts";
import { BufferPool } from "../record-batch/buffer-pool.ts";
import type { Codec } from "../record-batch/layout.ts";
import { partitionForKey } from "../record-batch/murmur2.ts";
import { OriginStamp } from "../record-batch/origin.ts";
import { RecordCursor } from "../record-batch/record-cursor.ts";
import { advance } from "../record-batch/records.ts";

/** Of buffers that are kept to be used again, at most. */
const POOLED_BYTES = 16 * 1024 * 1024;

export interface TranscoderOptions {
  /** Partitions of the target topic. */
  readonly partitions: number;
  /** A batch is full at this many bytes before compression. */
  readonly batchBytes: number;
  readonly codec: Codec | "source";
  readonly provenance: boolean;
}

/** A batch for one target partition, and the inputs that its records came from. */
export interface OutputBatch<Input> {
  readonly partition: number;
  readonly batch: SealedBatch;
  readonly inputs: readonly Input[];
}

/** Whatever the caller tracks a fetched part by. */
export interface TranscoderInput {
  /** Output batches with records of it. Counted up here when one gets its first; the caller counts down. */
  outputs: number;
}

interface Output<Input> {
  readonly builder: BatchBuilder;
  codec: Codec;
  inputs: Input[];
}

/**
 * Turns batches of the source into batches of the target without making an object per record: walks each batch with a
 * cursor, hashes the key where it lies, and copies key, value and headers into the open batch of the target partition.
 *
 * Guarantee: the records of a key, and those of a source partition that go to one target partition, keep their order; a
 * record's key, value, headers and timestamp are unchanged, but for the origin header where that is asked for.
 */
export class Transcoder<Input extends TranscoderInput> {
  readonly #options: TranscoderOptions;
  readonly #outputs: readonly Output<Input>[];
  readonly #cursor = new RecordCursor();
  /** By source partition. */
  readonly #stamps = new Map<string, OriginStamp>();
  /** For a batch open in each partition and as many again; one may outgrow `batchBytes` by its last record. */
  readonly #pool: BufferPool;
  /** Where records without a key go, until that batch is full or taken: then the next partition. */
  #keyless = 0;

  constructor(options: TranscoderOptions) {
    this.#options = options;
    const { partitions, batchBytes } = options;
    this.#pool = new BufferPool(batchBytes + (batchBytes >> 3), Math.min(POOLED_BYTES / batchBytes, 4 * partitions));
    this.#outputs = Array.from({ length: partitions }, () => ({
      builder: new BatchBuilder(this.#pool),
      codec: "none" as const,
      inputs: [],
    }));
  }

  /**
   * Adds the records of a fetched part and calls `full` with each batch that has become full. Returns the records added.
   * @throws SpillwayError BATCH_CORRUPT, and what `onPoison` throws; what was added before stays added
   */
  add(
    fetched: FetchedBytes & { readonly topicId: string },
    input: Input,
    full: (output: OutputBatch<Input>) => void,
    onPoison: OnPoison = stopAtPoison,
  ): number {
    const stamp = this.#options.provenance ? this.#stampFor(fetched) : undefined;
    let added = 0;
    for (const batch of readBatches(fetched, onPoison)) {
      this.#cursor.open(batch);
      // Both are safe integers: `readBatches` has seen to it.
      const baseOffset = Number(batch.baseOffset);
      const firstWanted = Number(fetched.fetchOffset);
      while (advance(this.#cursor, batch, onPoison)) {
        const offset = baseOffset + this.#cursor.offsetDelta;
        if (offset < firstWanted) continue;
        const partition = this.#partitionOf(this.#cursor);
        if (stamp !== undefined && this.#cursor.originAt < 0) {
          stamp.setOffset(offset);
          this.#append(partition, batch, input, full, stamp.bytes);
        } else {
          this.#append(partition, batch, input, full, undefined);
        }
        added++;
      }
    }
    return added;
  }

  /**
   * Takes the open batches, full or not, of the target partitions that `when` lets go. Returns whether any is left open.
   */
  drain(take: (output: OutputBatch<Input>) => void, when: (partition: number) => boolean = () => true): boolean {
    let left = false;
    for (const [partition, { builder }] of this.#outputs.entries()) {
      if (builder.count === 0) continue;
      if (when(partition)) this.#seal(partition, take);
      else left = true;
    }
    return left;
  }

  /** Takes the memory of a batch back that is acknowledged: nobody will read or write it again. */
  recycle({ memory }: SealedBatch): void {
    if (memory !== undefined) this.#pool.give(memory);
  }

  #partitionOf(cursor: RecordCursor): number {
    if (cursor.keyStart < 0) return this.#keyless;
    return partitionForKey(cursor.bytes, cursor.keyStart, cursor.keyEnd, this.#options.partitions);
  }

  #append(
    partition: number,
    batch: RecordBatch,
    input: Input,
    full: (output: OutputBatch<Input>) => void,
    header: Uint8Array | undefined,
  ): void {
    const output = this.#outputs[partition] as Output<Input>;
    if (!output.builder.appendFrom(this.#cursor, batch, header)) {
      this.#seal(partition, full);
      output.builder.appendFrom(this.#cursor, batch, header);
    }
    output.codec = this.#options.codec === "source" ? batch.codec : this.#options.codec;
    if (output.inputs.at(-1) !== input) {
      output.inputs.push(input);
      input.outputs++;
    }
    if (output.builder.bytes >= this.#options.batchBytes) this.#seal(partition, full);
  }

  #seal(partition: number, take: (output: OutputBatch<Input>) => void): void {
    const output = this.#outputs[partition] as Output<Input>;
    const batch = output.builder.seal(output.codec);
    if (batch === undefined) return;
    const { inputs } = output;
    output.inputs = [];
    if (partition === this.#keyless) this.#keyless = (this.#keyless + 1) % this.#outputs.length;
    take({ partition, batch, inputs });
  }

  #stampFor({ topic, topicId, partition }: FetchedBytes & { readonly topicId: string }): OriginStamp {
    const key = `${topic}/${partition}`;
    let stamp = this.#stamps.get(key);
    if (stamp === undefined) {
      stamp = new OriginStamp(topicId, partition);
      this.#stamps.set(key, stamp);
    }
    return stamp;
  }
}
