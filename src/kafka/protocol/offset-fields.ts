/** What OffsetCommit and TxnOffsetCommit have in common. */
import { array, int16, int32, int64, nullableString, string, struct } from "./codec.ts";

export const offsetsToCommit = array(
  struct({
    name: string,
    partitions: array(
      struct({
        partitionIndex: int32,
        committedOffset: int64,
        committedLeaderEpoch: int32,
        committedMetadata: nullableString,
      }),
    ),
  }),
);

/** By partition; the code is 0 where the offset is taken. */
export const committedOrNot = array(
  struct({ name: string, partitions: array(struct({ partitionIndex: int32, errorCode: int16 })) }),
);
