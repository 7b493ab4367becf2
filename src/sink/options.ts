import type { PoisonBatchPolicy } from "../dead-letter/poison.ts";
import type { Backoff } from "../runtime/backoff.ts";
import type { Batching } from "./batching.ts";

/** A topic and the collection for its records: a name, or a template such as `{topic}`, `{key}` or `{value.symbol}`. */
export interface SinkRoute {
  readonly topic: string;
  readonly collection: string;
}

export const ON_DATA_ERROR = ["skip", "stop", "park-key"] as const;
/**
 * - `skip`: it goes to the dead-letter topic, and the others go on.
 * - `stop`: the sink ends with DATA_ERROR.
 * - `park-key`: it goes to the dead-letter topic, and so do all later records of its key, in their order, until they are
 *   redriven. Records without a key are skipped.
 */
export type OnDataError = (typeof ON_DATA_ERROR)[number];

export interface SinkOptions extends Batching {
  /** Into how many lanes keys are spread. Records of one key share a lane, which is written one batch after the other. */
  readonly lanes: number;
  /** How many batches are written side by side: each of what all lanes that aren't being written have gathered. */
  readonly writers: number;
  /** Records that may be read and not yet written. */
  readonly inFlightRecords: number;
  /** Bytes of keys, values and headers that may be read and not yet written. */
  readonly inFlightBytes: number;
  /** What to do with a record batch that can't be read: end with BATCH_CORRUPT, or keep its bytes as a dead letter. */
  readonly poisonBatch: PoisonBatchPolicy;
  /** What to do with a record that can't be written. */
  readonly onDataError: OnDataError;
  /** How many keys of an instance's partitions may be parked; one more ends the sink. */
  readonly maxParkedKeys: number;
  readonly commitIntervalMs: number;
  /** Milliseconds to finish what was read when a generation of the group is over. Less than the rebalance time-out. */
  readonly drainDeadlineMs: number;
  /** Pauses between the attempts at a batch that meets an outage, in milliseconds. There is no last attempt. */
  readonly retryBackoff: Backoff;
  /** Milliseconds between two lines about the progress at info. */
  readonly reportIntervalMs: number;
}

/**
 * Reasons for the defaults:
 * - 256 lanes are far more than partitions usually are, so what holds one of them up – a key that is redriven, a write
 *   under way – holds few other keys up.
 * - 2 writers keep a database busy while one of them reads an answer, and carry 30,000 records/s at a write of 200 ms,
 *   which is what one process decodes. More share out the same records in flight, and contend for the database: FerretDB
 *   took a fifth less from 4, and half from 16, when each wrote its own lanes' smaller batches, and no more from 16 since
 *   (`bench/sink/notes.md`, `docs/advice.md`). A server with many cores, or records so large that bytes bound a batch, may want more.
 * - 4,000 records are a batch in which the fixed cost hardly counts any more, even with a few hot keys. One that takes a
 *   slow server longer than a write may is tried again in halves; where less may be in flight, batches are that small.
 * - 4 MiB keep a batch of large records far below the 48 MB that MongoDB takes in one message, and below the in-flight
 *   bound, so that several writers write such batches side by side.
 * - 100 ms bound what batching adds to the latency of a quiet topic. Under a flood batches fill by number, and what
 *   comes in during a slow write is joined, so a longer wait would gain nothing.
 * - 20,000 records in flight are a batch being written by each writer and more than another that gathers meanwhile. They
 *   bound the memory, and what a crash repeats where no lane stands still.
 * - 1,000 parked keys are far more than anybody mends one by one: whoever has that many has something else to mend.
 */
export const SINK_DEFAULTS = {
  batching: "auto",
  lanes: 256,
  writers: 2,
  batchRecords: 4_000,
  batchBytes: 4 * 1024 * 1024,
  batchTimeoutMs: 100,
  inFlightRecords: 20_000,
  inFlightBytes: 32 * 1024 * 1024,
  poisonBatch: "stop",
  onDataError: "skip",
  maxParkedKeys: 1_000,
  commitIntervalMs: 1_000,
  drainDeadlineMs: 20_000,
  retryBackoff: { baseMs: 100, maxMs: 5_000 },
  reportIntervalMs: 10_000,
} as const satisfies Partial<SinkOptions>;

/** 40 requests side by side, or as many as there are sockets. More wait for those, and take memory meanwhile. */
export const DYNAMODB_MOST_AT_ONCE = 1_000;

/** What is in force: a batch is no larger than what may be in flight, and than the target takes at once. */
export function batchRecordsInForce(
  { batchRecords, inFlightRecords }: Pick<SinkOptions, "batchRecords" | "inFlightRecords">,
  mostAtOnce = Number.POSITIVE_INFINITY,
): number {
  return Math.max(1, Math.min(batchRecords, inFlightRecords, mostAtOnce));
}

/** The consumer group of a sink that is told no other. */
export function sinkGroupOf(routes: readonly SinkRoute[]): string {
  return `spillway-sink-${routes.map(({ topic }) => topic).join("-")}`;
}
