import type { Logger } from "pino";
import type { FetchedBytes } from "../record-batch/batch.ts";
import { Fetcher } from "./fetcher.ts";
import type { Isolation } from "./offsets.ts";
import type { KafkaOptions } from "./options.ts";
import type { Position } from "./topic-partition.ts";

/** One partition's part of a fetch response. */
export interface FetchedPartition extends FetchedBytes {
  readonly topicId: string;
  /** Where fetching goes on behind these batches. */
  readonly nextOffset: bigint;
  readonly highWatermark: bigint;
  /** Records from here on are not wanted, where that lies within the batches. */
  readonly endOffset?: bigint;
}

/** How much is fetched at once and ahead. */
export interface FetchOptions {
  /** Milliseconds a broker may wait for `minBytes` to come in. */
  readonly maxWaitMs: number;
  readonly minBytes: number;
  /** Bytes of one partition in one response; a single larger batch comes whole. */
  readonly partitionBytes: number;
  /** Bytes of one response. */
  readonly responseBytes: number;
  /** Bytes fetched and not yet asked for, over all partitions; at most one response per broker more than this. */
  readonly queuedBytes: number;
  readonly isolation: Isolation;
  /** What to do where the offset to be read is no longer, or not yet, in the log: go on at an end of it, or stop. */
  readonly outOfRange: "earliest" | "latest" | "stop";
}

export const FETCH_DEFAULTS: FetchOptions = {
  maxWaitMs: 500,
  minBytes: 1,
  partitionBytes: 1024 * 1024,
  responseBytes: 4 * 1024 * 1024,
  queuedBytes: 8 * 1024 * 1024,
  isolation: "read_committed",
  outOfRange: "earliest",
};

/** A stretch of a partition that will not be read: it left the log before its turn came, or `latest` passes over it. */
export interface LostOffsets {
  readonly topic: string;
  readonly partition: number;
  /** The first that is lost. */
  readonly from: bigint;
  /** Behind the last that is lost: reading goes on there. */
  readonly to: bigint;
}

export interface SourceOptions {
  readonly kafka: KafkaOptions;
  /** The partitions to read and where to begin in each. */
  readonly positions: readonly Position[];
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly fetch?: Partial<FetchOptions>;
  /** Told of every loss, in addition to the log: for whoever counts them. Offsets are counted, markers and gaps too. */
  readonly onLost?: ((lost: LostOffsets) => void) | undefined;
}

/**
 * Reads partitions from the given positions on, each in the order of its log, fairly over all of them. It fetches ahead
 * within a bound of bytes, and no further until it is pulled. Leaders that move and brokers that go away are followed
 * and waited for, visibly; the source ends when its signal is aborted.
 *
 * @throws SpillwayError TOPIC_MISSING, TOPIC_RECREATED, OFFSET_OUT_OF_RANGE (if told to stop there), NOT_AUTHORIZED,
 *   AUTHENTICATION_FAILED, BATCH_CORRUPT
 */
export async function* openSource(options: SourceOptions): AsyncGenerator<FetchedPartition, void, undefined> {
  if (options.signal.aborted) return;
  await using fetcher = new Fetcher({ ...options, fetch: { ...FETCH_DEFAULTS, ...options.fetch } });
  for (let fetched = await fetcher.next(); fetched !== undefined; fetched = await fetcher.next()) yield fetched;
}
