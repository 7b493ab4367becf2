import type { NewRecord } from "../record-batch/batch-builder.ts";

/** Where an acknowledged record now lies. */
export interface Acknowledgement {
  readonly topicId: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** All that the generators need of a producer; the `RecordProducer` of `src/kafka` is one. */
export interface RecordOutlet {
  /** Resolves when the record is acknowledged by all replicas in sync. */
  send(topic: string, record: NewRecord, partition?: number): Promise<Acknowledgement>;
  /** Resolves when there is room for more: awaited before each `send`, it bounds memory. */
  ready(): Promise<void>;
}
