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
import { Router } from "./router.ts";
import type { Rule, TargetTopic } from "./routing.ts";

/** Of buffers that are kept to be used again, at most. */
const POOLED_BYTES = 16 * 1024 * 1024;

/** For batches of this size; one may outgrow `batchBytes` by its last record. */
export function batchPool({ batchBytes }: Pick<TranscoderOptions, "batchBytes">): BufferPool {
  return new BufferPool(batchBytes + (batchBytes >> 3), Math.ceil(POOLED_BYTES / batchBytes));
}

export interface TranscoderOptions {
  /** Where records go that no rule sends elsewhere, and its partitions. */
  readonly target: string;
  readonly partitions: number;
  /** In their order; none unless given. */
  readonly rules?: readonly Rule[];
  /** A batch is full at this many bytes before compression. */
  readonly batchBytes: number;
  readonly codec: Codec | "source";
  readonly provenance: boolean;
}

/** A batch for one target partition, and the inputs that its records came from. */
export interface OutputBatch<Input> {
  readonly topic: string;
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
  readonly target: Target<Input>;
  readonly partition: number;
  readonly builder: BatchBuilder;
  codec: Codec;
  inputs: Input[];
}

interface Target<Input> {
  readonly topic: string;
  readonly outputs: Output<Input>[];
  /** Where records without a key go, until that batch is full or taken: then the next partition. */
  keyless: number;
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
  readonly #targets = new Map<string, Target<Input>>();
  readonly #router: Router<Target<Input>>;
  readonly #cursor = new RecordCursor();
  /** By source partition. */
  readonly #stamps = new Map<string, OriginStamp>();
  readonly #pool: BufferPool;
  /** Records that a rule told to drop. */
  dropped = 0;

  /** @param pool where memory for batches comes from: several transcoders may share one */
  constructor(options: TranscoderOptions, pool = batchPool(options)) {
    this.#options = options;
    this.#pool = pool;
    const { target: topic, partitions, rules = [] } = options;
    this.#router = new Router(rules, { topic, partitions }, (to) => this.#target(to));
  }

  /**
   * Adds the records of a fetched part and calls `full` with each batch that has become full. Returns the records read.
   * @throws SpillwayError BATCH_CORRUPT, and what `onPoison` throws; what was added before stays added
   */
  add(
    fetched: FetchedBytes & { readonly topicId: string; readonly endOffset?: bigint },
    input: Input,
    full: (output: OutputBatch<Input>) => void,
    onPoison: OnPoison = stopAtPoison,
  ): number {
    const stamp = this.#options.provenance ? this.#stampFor(fetched) : undefined;
    const nowMs = Date.now();
    const end = fetched.endOffset === undefined ? Number.POSITIVE_INFINITY : Number(fetched.endOffset);
    let added = 0;
    for (const batch of readBatches(fetched, onPoison)) {
      this.#cursor.open(batch);
      // Both are safe integers: `readBatches` has seen to it.
      const baseOffset = Number(batch.baseOffset);
      const firstWanted = Number(fetched.fetchOffset);
      while (advance(this.#cursor, batch, onPoison)) {
        const offset = baseOffset + this.#cursor.offsetDelta;
        if (offset < firstWanted) continue;
        if (offset >= end) return added;
        added++;
        const { to, newKey: readKey } = this.#router.route(this.#cursor, batch, nowMs);
        if (to === "drop") {
          this.dropped++;
          continue;
        }
        const newKey = readKey?.(this.#cursor);
        const output = outputOf(to, this.#cursor, newKey);
        if (stamp !== undefined && this.#cursor.originAt < 0) {
          stamp.setOffset(offset);
          this.#append(output, batch, input, full, stamp.bytes, newKey);
        } else {
          this.#append(output, batch, input, full, undefined, newKey);
        }
      }
    }
    return added;
  }

  /**
   * Takes the open batches, full or not, of the target partitions that `when` lets go. Returns whether any is left open.
   */
  drain(
    take: (output: OutputBatch<Input>) => void,
    when: (topic: string, partition: number) => boolean = () => true,
  ): boolean {
    let left = false;
    for (const { topic, outputs } of this.#targets.values()) {
      for (const output of outputs) {
        if (output.builder.count === 0) continue;
        if (when(topic, output.partition)) this.#seal(output, take);
        else left = true;
      }
    }
    return left;
  }

  /** Takes the memory of a batch back that is acknowledged: nobody will read or write it again. */
  recycle({ memory }: SealedBatch): void {
    if (memory !== undefined) this.#pool.give(memory);
  }

  /** Several rules may lead to one topic. */
  #target({ topic, partitions }: TargetTopic): Target<Input> {
    const known = this.#targets.get(topic);
    if (known !== undefined) return known;
    const target: Target<Input> = { topic, outputs: [], keyless: 0 };
    for (let partition = 0; partition < partitions; partition++) {
      target.outputs.push({ target, partition, builder: new BatchBuilder(this.#pool), codec: "none", inputs: [] });
    }
    this.#targets.set(topic, target);
    return target;
  }

  #append(
    output: Output<Input>,
    batch: RecordBatch,
    input: Input,
    full: (output: OutputBatch<Input>) => void,
    header: Uint8Array | undefined,
    newKey: Uint8Array | undefined,
  ): void {
    if (!output.builder.appendFrom(this.#cursor, batch, header, newKey)) {
      this.#seal(output, full);
      output.builder.appendFrom(this.#cursor, batch, header, newKey);
    }
    output.codec = this.#options.codec === "source" ? batch.codec : this.#options.codec;
    if (output.inputs.at(-1) !== input) {
      output.inputs.push(input);
      input.outputs++;
    }
    if (output.builder.bytes >= this.#options.batchBytes) this.#seal(output, full);
  }

  #seal(output: Output<Input>, take: (output: OutputBatch<Input>) => void): void {
    const { target, partition } = output;
    const batch = output.builder.seal(output.codec);
    if (batch === undefined) return;
    const { inputs } = output;
    output.inputs = [];
    if (partition === target.keyless) target.keyless = (target.keyless + 1) % target.outputs.length;
    take({ topic: target.topic, partition, batch, inputs });
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

/** The output for a record, by its key or the one that takes its place. */
function outputOf<Input>(target: Target<Input>, cursor: RecordCursor, newKey: Uint8Array | undefined): Output<Input> {
  const { outputs, keyless } = target;
  if (newKey !== undefined) {
    return outputs[partitionForKey(newKey, 0, newKey.length, outputs.length)] as Output<Input>;
  }
  if (cursor.keyStart < 0) return outputs[keyless] as Output<Input>;
  return outputs[partitionForKey(cursor.bytes, cursor.keyStart, cursor.keyEnd, outputs.length)] as Output<Input>;
}
