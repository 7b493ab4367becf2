import { DEAD_LETTER_SUFFIX } from "../dead-letter/dead-letter.ts";
import type { PoisonBatchPolicy } from "../dead-letter/poison.ts";
import type { GroupOptions } from "../kafka/group-member.ts";
import type { KafkaOptions } from "../kafka/options.ts";
import type { FetchOptions } from "../kafka/source.ts";
import type { WriterOptions } from "../kafka/writer.ts";
import type { Codec } from "../record-batch/layout.ts";

export interface RelayOptions {
  readonly kafka: KafkaOptions;
  /** The hot topic. */
  readonly source: string;
  /** The topic to relay into. It is created if it isn't there. */
  readonly target: string;
  /** Of the target. One that exists must have as many. */
  readonly partitions: number;
  /** Of the target when it is created; -1 for the broker's default. */
  readonly replicationFactor: number;
  /** The consumer group whose committed offsets say how far the relay has come. */
  readonly group: Omit<GroupOptions, "topics">;
  /** Adds a `spillway-origin` header to every record that has none. */
  readonly provenance: boolean;
  /** Codec of the batches written; `source` keeps that of the batches read. */
  readonly codec: Codec | "source";
  /** A batch for a target partition is sent at this size, in bytes before compression. */
  readonly batchBytes: number;
  /** Milliseconds a batch waits for more records. */
  readonly lingerMs: number;
  /** What to do with a record batch that can't be read: end with BATCH_CORRUPT, or keep its bytes as a dead letter. */
  readonly poisonBatch: PoisonBatchPolicy;
  /** Behind the source's name it makes that of the topic for dead letters. */
  readonly deadLetterSuffix: string;
  readonly commitIntervalMs: number;
  /** Milliseconds to finish what was read when a rebalance or the end comes. Less than the rebalance time-out. */
  readonly drainDeadlineMs: number;
  readonly fetch?: Partial<FetchOptions>;
  readonly writer?: Partial<WriterOptions>;
}

export const RELAY_DEFAULTS = {
  partitions: 24,
  replicationFactor: -1,
  provenance: true,
  codec: "source",
  batchBytes: 128 * 1024,
  lingerMs: 5,
  poisonBatch: "stop",
  deadLetterSuffix: DEAD_LETTER_SUFFIX,
  commitIntervalMs: 1_000,
  drainDeadlineMs: 20_000,
} as const satisfies Partial<RelayOptions>;
