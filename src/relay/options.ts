import { DEAD_LETTER_SUFFIX } from "../dead-letter/dead-letter.ts";
import type { PoisonBatchPolicy } from "../dead-letter/poison.ts";
import type { GroupReference } from "../handover/take-over.ts";
import type { GroupOptions } from "../kafka/group-member.ts";
import type { KafkaOptions } from "../kafka/options.ts";
import { FETCH_DEFAULTS, type FetchOptions } from "../kafka/source.ts";
import { WRITER_DEFAULTS, type WriterOptions } from "../kafka/writer.ts";
import type { Codec } from "../record-batch/layout.ts";
import type { Until } from "./job.ts";
import type { Limits } from "./pace.ts";
import type { Rule } from "./routing.ts";
import type { YieldTo } from "./yield-to.ts";

export interface RelayOptions {
  readonly kafka: KafkaOptions;
  /** The hot topic. */
  readonly source: string;
  /** The topic to relay into what no rule sends elsewhere. It is created if it isn't there, as those of the rules are. */
  readonly target: string;
  /** Of the target. One that exists must have as many. */
  readonly partitions: number;
  /** Which records go elsewhere, or nowhere: the first that fits counts. */
  readonly rules?: readonly Rule[];
  /** Of the target when it is created; -1 for the broker's default. */
  readonly replicationFactor: number;
  /** The consumer group whose committed offsets say how far the relay has come. */
  readonly group: Omit<GroupOptions, "topics">;
  /** How fast it may go, all instances together, until it is told otherwise (`settings.ts`). */
  readonly limits?: Limits;
  /** Whom it gives way to. */
  readonly yieldTo?: YieldTo;
  /** Where to begin if the group has committed nothing yet; by its reset policy unless told. */
  readonly from?: GroupReference;
  /** Where the relay ends by itself; it goes on until it is stopped unless told. */
  readonly until?: Until;
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
  readonly guarantee: "exactly-once" | "at-least-once";
  /** Exactly once: milliseconds after which a transaction is closed. Readers of the target wait that much longer. */
  readonly transactionMs: number;
  /** Exactly once: bytes written in a transaction after which it is closed. */
  readonly transactionBytes: number;
  /**
   * Exactly once: milliseconds after which the brokers abort a transaction whose relay is gone, at their next look (10 s
   * by default). So long it can hold readers up, unless another relay takes the partition before.
   */
  readonly transactionTimeoutMs: number;
  /** Exactly once: whether every source partition has transactions of its own, or every (static) member. */
  readonly transactionPer: "partition" | "member";
  /** At least once: milliseconds between two commits. */
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
  guarantee: "exactly-once",
  transactionMs: 100,
  transactionBytes: 8 * 1024 * 1024,
  transactionTimeoutMs: 10_000,
  transactionPer: "partition",
  commitIntervalMs: 1_000,
  drainDeadlineMs: 20_000,
} as const satisfies Partial<RelayOptions>;

/** Of the transactions for a source partition, or for all of a static member's. */
export function transactionalIdOf(
  { group: { group, instanceId }, transactionPer }: Pick<RelayOptions, "group" | "transactionPer">,
  { topic, partition }: { readonly topic: string; readonly partition: number },
): string {
  return `spillway-relay:${group}:${transactionPer === "member" ? instanceId : `${topic}-${partition}`}`;
}

/** Less than this is not worth a request. */
const LEAST_BYTES = 1024 * 1024;

/** What all open batches together may hold: one of each share for each target partition. */
const OPEN_BYTES = 64 * 1024 * 1024;
/** Smaller batches cost more in requests than they save in memory. */
const LEAST_BATCH_BYTES = 16 * 1024;

/** The options for each of so many shares that are read and written apart: together they hold no more memory. */
export function dividedBy(shares: number, options: RelayOptions): RelayOptions {
  if (shares < 2) return options;
  const share = (bytes: number) => Math.min(bytes, Math.max(LEAST_BYTES, Math.floor(bytes / shares)));
  const { responseBytes, queuedBytes } = { ...FETCH_DEFAULTS, ...options.fetch };
  const { inFlightBytes } = { ...WRITER_DEFAULTS, ...options.writer };
  const openBatch = Math.max(LEAST_BATCH_BYTES, Math.floor(OPEN_BYTES / (shares * options.partitions)));
  return {
    ...options,
    batchBytes: Math.min(options.batchBytes, openBatch),
    fetch: { ...options.fetch, responseBytes: share(responseBytes), queuedBytes: share(queuedBytes) },
    writer: { ...options.writer, inFlightBytes: share(inFlightBytes) },
  };
}
