import { isolationLevel } from "./offsets.ts";
import type { FetchOptions } from "./source.ts";
import type { Position } from "./topic-partition.ts";

/** Asks one broker for what lies behind the positions, in their order: the first that has anything is always served. */
export function fetchRequest(
  positions: readonly Position[],
  options: Omit<FetchOptions, "queuedBytes" | "outOfRange">,
) {
  const { maxWaitMs, minBytes, responseBytes, partitionBytes, isolation } = options;
  return {
    replicaId: -1,
    maxWaitMs,
    minBytes,
    maxBytes: responseBytes,
    isolationLevel: isolationLevel(isolation),
    sessionId: 0,
    sessionEpoch: -1, // no fetch session: every request names all its partitions
    topics: runsOfTopics(positions).map((ofTopic) => ({
      topicId: ofTopic[0].topicId,
      partitions: ofTopic.map(({ partition, offset }) => ({
        partition,
        currentLeaderEpoch: -1,
        fetchOffset: offset,
        lastFetchedEpoch: -1,
        logStartOffset: -1n,
        partitionMaxBytes: partitionBytes,
      })),
    })),
    forgottenTopicsData: [],
    rackId: "",
  };
}

/**
 * Neighbours of one topic, in the order given. Topics are not brought together across it: partitions that are served
 * often would follow one of theirs that never is to the front, and leave no room for other topics.
 */
function runsOfTopics(positions: readonly Position[]): readonly (readonly [Position, ...Position[]])[] {
  const runs: [Position, ...Position[]][] = [];
  for (const position of positions) {
    const last = runs.at(-1);
    if (last?.[0].topicId === position.topicId) last.push(position);
    else runs.push([position]);
  }
  return runs;
}
