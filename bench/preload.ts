import type { Logger } from "pino";
import type { KafkaOptions } from "../src/kafka/options.ts";
import { Writer } from "../src/kafka/writer.ts";
import { BatchBuilder, type SealedBatch } from "../src/record-batch/batch-builder.ts";
import { RECORDS } from "../src/record-batch/layout.ts";
import { partitionForKey } from "../src/record-batch/murmur2.ts";
import type { BenchCodec, SourceFacts } from "./result.ts";
import { jsonOf, keyOf } from "./values.ts";

/** So many different records are made; then the same batches are written again. */
const DISTINCT_RECORDS = 200_000;
/** A producer has one small batch per partition under way at a time, which is slow. */
const PRODUCERS = 4;

export interface PreloadOptions {
  readonly kafka: KafkaOptions;
  readonly log: Logger;
  readonly topic: string;
  readonly partitions: number;
  readonly codec: BenchCodec;
  /** At least so many. */
  readonly records: number;
  /** A batch is full at so many bytes as it is stored, as with the Java producer's batch.size. */
  readonly batchBytes: number;
  /** How many different keys; see values.ts for what they are unless told. */
  readonly keys?: number;
}

/** Fills a topic with batches as a producer of records would have made them. */
export async function preload(options: PreloadOptions): Promise<SourceFacts> {
  const { kafka, log, topic, codec, records } = options;
  const signal = AbortSignal.timeout(10 * 60_000);
  const cycle = makeBatches(options);
  let written = 0;
  await using writers = new AsyncDisposableStack();
  const produceShare = async () => {
    const writer = writers.use(await Writer.open({ kafka, log, signal, writer: { inFlightBytes: 4 * 1024 ** 2 } }));
    while (written < records) {
      for (const { partition, sealed } of cycle.batches) {
        await writer.ready(signal);
        // The writer stamps what it is given, so each gets its own bytes. A failure shows in the next `ready`.
        const batch = { bytes: Buffer.from(sealed.bytes), recordCount: sealed.recordCount };
        writer.write(topic, partition, batch).catch(() => undefined);
      }
      written += cycle.records;
    }
    await writer.flush(60_000);
  };
  await Promise.all(Array.from({ length: PRODUCERS }, produceShare));
  return {
    codec,
    records: written,
    recordsPerBatch: Math.round(cycle.records / cycle.batches.length),
    batchBytes: Math.round(cycle.storedBytes / cycle.batches.length),
    compressionRatio: Number((cycle.recordBytes / (cycle.storedBytes - cycle.batches.length * RECORDS)).toFixed(2)),
  };
}

interface PartitionBatch {
  readonly partition: number;
  readonly sealed: SealedBatch;
}

interface Cycle {
  readonly batches: readonly PartitionBatch[];
  readonly records: number;
  /** Before compression, without batch headers. */
  readonly recordBytes: number;
  readonly storedBytes: number;
}

export function makeBatches({
  partitions,
  codec,
  batchBytes,
  keys,
}: Pick<PreloadOptions, "partitions" | "codec" | "batchBytes" | "keys">): Cycle {
  const timestamp = Date.now();
  const builders = Array.from({ length: partitions }, () => new BatchBuilder());
  const batches: PartitionBatch[] = [];
  let ratio = 1;
  let records = 0;
  let recordBytes = 0;
  let storedBytes = 0;
  for (let index = 0; index < DISTINCT_RECORDS; index++) {
    const key = keyOf(index, keys);
    const partition = partitionForKey(key, 0, key.length, partitions);
    const builder = builders[partition] as BatchBuilder;
    builder.append({ key, value: jsonOf(index), timestamp: timestamp + (index >> 6) });
    // As the Java producer does, by the ratio of the batches before.
    if (builder.bytes / ratio < batchBytes - VALUE_ROOM) continue;
    const before = builder.bytes - RECORDS;
    const sealed = builder.seal(codec) as SealedBatch;
    ratio = before / (sealed.bytes.length - RECORDS);
    batches.push({ partition, sealed });
    records += sealed.recordCount;
    recordBytes += before;
    storedBytes += sealed.bytes.length;
  }
  return { batches, records, recordBytes, storedBytes };
}

/** A record that doesn't fit any more begins the next batch. */
const VALUE_ROOM = 200;
