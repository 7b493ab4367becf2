import { SpillwayError } from "../errors.ts";
import { type Brokers, kafkaError, type TopicMetadata } from "./cluster.ts";
import { ERROR, isStaleMetadata } from "./error-codes.ts";
import { listOffsets } from "./protocol/messages.ts";
import { type Position, partitionKey, type TopicPartition } from "./topic-partition.ts";

/** Special timestamps of ListOffsets. */
export const EARLIEST = -2n;
export const LATEST = -1n;

/** A topic that is gone from the metadata may be a broker that has not caught up yet; after this it is gone. */
export const MISSING_TOPIC_MS = 10_000;

export type Isolation = "read_committed" | "read_uncommitted";

export function isolationLevel(isolation: Isolation): number {
  return isolation === "read_committed" ? 1 : 0;
}

/**
 * The offset of each partition's first record at or after a timestamp; `EARLIEST`; or `LATEST`, which is the last
 * stable offset under read_committed and the high watermark otherwise. -1 where no record is that young.
 *
 * @throws SpillwayError TOPIC_MISSING; retryable ones while leaders are unknown or brokers away
 */
export async function offsetsAt(
  brokers: Brokers,
  partitions: readonly TopicPartition[],
  timestamp: bigint,
  isolation: Isolation,
): Promise<readonly Position[]> {
  const topics = await brokers.topics([...new Set(partitions.map(({ topic }) => topic))]);
  const found = await Promise.all(
    [...byLeader(partitions, topics)].map(async ([leader, led]) => {
      const response = await brokers.request(
        listOffsets,
        {
          replicaId: -1,
          isolationLevel: isolationLevel(isolation),
          topics: [...Map.groupBy(led, ({ topic }) => topic)].map(([name, ofTopic]) => ({
            name,
            partitions: ofTopic.map(({ partition }) => ({
              partitionIndex: partition,
              currentLeaderEpoch: -1,
              timestamp,
            })),
          })),
        },
        leader,
      );
      const offsets = new Map<string, bigint>();
      for (const { name: topic, partitions: answers } of response.topics) {
        for (const { partitionIndex: partition, errorCode, offset } of answers) {
          if (isStaleMetadata(errorCode)) throw leaderUnknown(topic, partition);
          if (errorCode !== ERROR.NONE)
            throw kafkaError("Listing offsets", errorCode, { topic, partition }, "DESCRIBE");
          offsets.set(partitionKey({ topic, partition }), offset);
        }
      }
      return led.map((partition) => {
        const offset = offsets.get(partitionKey(partition));
        if (offset === undefined) throw leaderUnknown(partition.topic, partition.partition);
        return { ...partition, offset };
      });
    }),
  );
  return found.flat();
}

function byLeader(partitions: readonly TopicPartition[], topics: readonly TopicMetadata[]) {
  const described = new Map(topics.map((topic) => [topic.topic, topic]));
  return Map.groupBy(partitions, ({ topic, partition }) => {
    const metadata = described.get(topic);
    if (metadata === undefined) throw topicMissing(topic);
    const leader = metadata.partitions.find((candidate) => candidate.partition === partition)?.leader ?? -1;
    if (leader < 0) throw leaderUnknown(topic, partition);
    return leader;
  });
}

export function topicMissing(topic: string): SpillwayError {
  return new SpillwayError("TOPIC_MISSING", "The topic does not exist", {
    context: { topic, hint: "Create it, or check its name and this user's permission to describe it" },
  });
}

function leaderUnknown(topic: string, partition: number): SpillwayError {
  return new SpillwayError("BROKER_UNREACHABLE", "The partition has no leader at the moment", {
    retryable: true,
    context: { topic, partition },
  });
}
