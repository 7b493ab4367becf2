import { SpillwayError } from "../errors.ts";
import type { Position } from "./topic-partition.ts";

/**
 * What stands beside a committed offset, so that a topic that was deleted and made anew is noticed: offsets of the old
 * one mean nothing in the new one.
 */
const METADATA_PREFIX = "topic-id=";

/** Positions as OffsetCommit and TxnOffsetCommit take them, beside each its topic's id unless told otherwise. */
export function offsetsToCommit(
  positions: readonly Position[],
  metadataOf = ({ topicId }: Position) => METADATA_PREFIX + topicId,
) {
  return [...Map.groupBy(positions, ({ topic }) => topic)].map(([name, ofTopic]) => ({
    name,
    partitions: ofTopic.map((position) => ({
      partitionIndex: position.partition,
      committedOffset: position.offset,
      committedLeaderEpoch: -1,
      committedMetadata: metadataOf(position),
    })),
  }));
}

/** @throws SpillwayError TOPIC_RECREATED if the offset was committed for an earlier topic of the name */
export function assertSameTopic(
  { topic, topicId, partition, offset }: Position,
  metadata: string | null,
  group: string,
): void {
  if (metadata === null || !metadata.startsWith(METADATA_PREFIX) || metadata === METADATA_PREFIX + topicId) return;
  throw new SpillwayError("TOPIC_RECREATED", "The group's offset was committed for an earlier topic of this name", {
    context: {
      topic,
      partition,
      offset,
      group,
      hint: "Check that nothing is missing, delete the group's offsets for this topic, then start again",
    },
  });
}
