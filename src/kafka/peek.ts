import { offsetAfter } from "../record-batch/batch.ts";
import type { Brokers } from "./cluster.ts";
import { ERROR } from "./error-codes.ts";
import { fetchRequest } from "./fetch-request.ts";
import { fetch } from "./protocol/messages.ts";
import type { FetchedPartition } from "./source.ts";
import type { Position } from "./topic-partition.ts";

/** Records are there, or they are not: nobody waits for new ones. */
const MAX_WAIT_MS = 50;

export interface PeekBounds {
  /** Of one partition, but for a single larger batch. */
  readonly partitionBytes: number;
  readonly responseBytes: number;
}

/**
 * Looks into logs once, at the positions given, all led by one broker: committed records only. Nothing is followed,
 * waited for or tried again; what can't be had is left out, and so are partitions for which there was no room.
 * @throws SpillwayError as `Brokers.request`; BATCH_CORRUPT
 */
export async function peek(
  brokers: Brokers,
  leader: number,
  positions: readonly Position[],
  bounds: PeekBounds,
): Promise<readonly FetchedPartition[]> {
  const request = fetchRequest(positions, {
    ...bounds,
    maxWaitMs: MAX_WAIT_MS,
    minBytes: 1,
    isolation: "read_committed",
  });
  const { responses } = await brokers.request(fetch, request, leader, MAX_WAIT_MS);
  return responses.flatMap(({ topicId, partitions }) =>
    partitions.flatMap(({ partitionIndex: partition, errorCode, records, highWatermark, abortedTransactions }) => {
      const position = positions.find((one) => one.topicId === topicId && one.partition === partition);
      if (position === undefined || errorCode !== ERROR.NONE || records === null || records.length === 0) return [];
      const { topic, offset: fetchOffset } = position;
      const nextOffset = offsetAfter(records, topic, partition);
      if (nextOffset === undefined || nextOffset <= fetchOffset) return [];
      return [
        {
          ...{ topic, topicId, partition, fetchOffset, nextOffset, highWatermark },
          batches: records,
          abortedTransactions: abortedTransactions ?? [],
        },
      ];
    }),
  );
}
