import type { TopicPartition } from "../kafka/topic-partition.ts";

/** What a sink has not written yet of a partition. */
export interface Left extends TopicPartition {
  /** Up to the end of the log, as it was when something was last fetched of it; transaction markers among them. */
  readonly offsets: bigint;
}

/** Is told of what a sink does, for histograms. It must not throw, nor wait. */
export interface SinkObserver {
  /** An attempt to write so many operations took so long. */
  wrote(operations: number, milliseconds: number): void;
  /** Neighbouring records have all had their outcome, so long after they were read. */
  finished(milliseconds: number): void;
  /** A generation has begun, or ended: what is left of its own partitions can be asked here. */
  began(left: () => readonly Left[]): void;
}
