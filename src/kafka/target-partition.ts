import { SpillwayError } from "../errors.ts";
import type { SealedBatch } from "../record-batch/batch-builder.ts";
import type { Brokers } from "./cluster.ts";
import { MISSING_TOPIC_MS, topicMissing } from "./offsets.ts";

/** Pause before a partition that has no leader is looked for again. */
const NO_LEADER_MS = 50;
/** Sequence numbers are int32 and go on at 0 after 2^31 - 1. */
const SEQUENCES = 2 ** 31;

/** Where an acknowledged batch lies. */
export interface Written {
  readonly topicId: string;
  readonly partition: number;
  readonly baseOffset: bigint;
}

export interface QueuedBatch {
  readonly batch: SealedBatch;
  /** In which of the writer's rounds it may be sent. */
  readonly round: number;
  /** Given when it is first sent and kept over every retry: that is how the broker knows a batch it has already. */
  sequence: number;
  attempts: number;
  readonly deadlineAt: number;
  readonly written: PromiseWithResolvers<Written>;
}

/** A partition that is written to, and what waits for it. */
export interface TargetPartition {
  readonly topic: string;
  readonly partition: number;
  topicId: string;
  leader: number;
  /** In the order of `write`; the first is the one under way, if `sending`. */
  readonly queue: QueuedBatch[];
  sending: boolean;
  /** It is part of the open transaction. */
  enlisted: boolean;
  /** Not before this, on the clock of `performance.now()`: a pause between attempts. */
  retryAt: number;
  /** Why the last attempt failed. */
  trouble: string | undefined;
  nextSequence: number;
}

/**
 * An attempt at the first batch has failed in a way that may pass: it stays at the head of its queue, with its sequence.
 * Whoever answered wrongly, or not at all, need not be the leader any more, so the leader is looked for anew, unless it
 * was the leader that asked to wait.
 */
export function failed(
  target: TargetPartition,
  {
    trouble,
    retryAt,
    keepLeader,
  }: { readonly trouble: string; readonly retryAt: number; readonly keepLeader: boolean },
): void {
  if (!keepLeader) target.leader = -1;
  target.trouble = trouble;
  target.retryAt = retryAt;
}

/** All that is written to, by topic and partition. */
export class TargetPartitions implements Iterable<TargetPartition> {
  readonly #byTopic = new Map<string, Map<number, TargetPartition>>();

  *[Symbol.iterator](): Iterator<TargetPartition> {
    for (const partitions of this.#byTopic.values()) yield* partitions.values();
  }

  get(topic: string, partition: number): TargetPartition {
    let partitions = this.#byTopic.get(topic);
    if (partitions === undefined) {
      partitions = new Map();
      this.#byTopic.set(topic, partitions);
    }
    let target = partitions.get(partition);
    if (target === undefined) {
      const state = {
        topicId: "",
        leader: -1,
        queue: [],
        sending: false,
        enlisted: false,
        retryAt: 0,
        trouble: undefined,
        nextSequence: 0,
      };
      target = { topic, partition, ...state };
      partitions.set(partition, target);
    }
    return target;
  }

  /**
   * Looks for the leaders of those that have none and something to write; `searchedMs` is for how long already.
   * @throws SpillwayError TOPIC_MISSING, TOPIC_RECREATED, TOPIC_MISMATCH; BROKER_UNREACHABLE, retryable, if none has one
   */
  async assignLeaders(brokers: Brokers, searchedMs: number): Promise<void> {
    const lost = [...this].filter(({ leader, queue }) => leader < 0 && queue.length > 0);
    const topics = new Map((await brokers.topics([...this.#byTopic.keys()])).map((topic) => [topic.topic, topic]));
    for (const target of lost) {
      const { topic, partition } = target;
      const metadata = topics.get(topic);
      if (metadata === undefined && searchedMs > MISSING_TOPIC_MS) throw topicMissing(topic);
      if (metadata === undefined) continue;
      if (target.topicId !== "" && target.topicId !== metadata.topicId) throw recreated(topic, partition);
      if (partition >= metadata.partitions.length) {
        throw new SpillwayError("TOPIC_MISMATCH", `The topic has only ${metadata.partitions.length} partitions`, {
          context: { topic, partition },
        });
      }
      target.topicId = metadata.topicId;
      target.leader = metadata.partitions[partition]?.leader ?? -1;
      // Others have one and are written to meanwhile, so the search doesn't go on for this one alone.
      if (target.leader < 0) target.retryAt = performance.now() + NO_LEADER_MS;
    }
    if (lost.length > 0 && lost.every(({ leader }) => leader < 0)) {
      throw new SpillwayError("BROKER_UNREACHABLE", "No partition to be written has a leader at the moment", {
        retryable: true,
      });
    }
  }
}

function recreated(topic: string, partition: number): SpillwayError {
  return new SpillwayError("TOPIC_RECREATED", "The topic was deleted and made anew while it was written to", {
    context: { topic, partition, hint: "What was written before is gone. Start the job again from its beginning" },
  });
}

/** The sequence of the batch behind one of so many records: 2^31 - 1 is followed by 0. */
export function sequenceAfter(sequence: number, records: number): number {
  return (sequence + records) % SEQUENCES;
}
