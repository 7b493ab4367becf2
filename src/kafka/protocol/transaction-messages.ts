/**
 * The requests of transactions. A cluster whose finalized feature `transaction.version` is 2 or more (KIP-890) adds
 * partitions and offsets to a transaction by itself, and its EndTxn gives the producer a new epoch.
 */
import { api } from "./api.ts";
import { array, bool, int16, int32, int64, nullableString, string, struct } from "./codec.ts";
import { committedOrNot, offsetsToCommit } from "./offset-fields.ts";

export const apiVersions = api(
  "ApiVersions",
  18,
  3,
  struct({ clientSoftwareName: string, clientSoftwareVersion: string }),
  struct(
    {
      errorCode: int16,
      apiKeys: array(struct({ apiKey: int16, minVersion: int16, maxVersion: int16 })),
      throttleTimeMs: int32,
    },
    {
      finalizedFeatures: {
        tag: 2,
        codec: array(struct({ name: string, maxVersionLevel: int16, minVersionLevel: int16 })),
      },
    },
  ),
);

export const addPartitionsToTxn = api(
  "AddPartitionsToTxn",
  24,
  3,
  struct({
    v3AndBelowTransactionalId: string,
    v3AndBelowProducerId: int64,
    v3AndBelowProducerEpoch: int16,
    v3AndBelowTopics: array(struct({ name: string, partitions: array(int32) })),
  }),
  struct({
    throttleTimeMs: int32,
    resultsByTopicV3AndBelow: array(
      struct({
        name: string,
        resultsByPartition: array(struct({ partitionIndex: int32, partitionErrorCode: int16 })),
      }),
    ),
  }),
);

export const addOffsetsToTxn = api(
  "AddOffsetsToTxn",
  25,
  3,
  struct({ transactionalId: string, producerId: int64, producerEpoch: int16, groupId: string }),
  struct({ throttleTimeMs: int32, errorCode: int16 }),
);

const txnOffsetCommitRequest = struct({
  transactionalId: string,
  groupId: string,
  producerId: int64,
  producerEpoch: int16,
  generationId: int32,
  memberId: string,
  groupInstanceId: nullableString,
  topics: offsetsToCommit,
});

const txnOffsetCommitResponse = struct({
  throttleTimeMs: int32,
  topics: committedOrNot,
});

export const txnOffsetCommit1 = api("TxnOffsetCommit", 28, 3, txnOffsetCommitRequest, txnOffsetCommitResponse);
export const txnOffsetCommit2 = api("TxnOffsetCommit", 28, 5, txnOffsetCommitRequest, txnOffsetCommitResponse);

const endTxnRequest = struct({ transactionalId: string, producerId: int64, producerEpoch: int16, committed: bool });

export const endTxn1 = api("EndTxn", 26, 3, endTxnRequest, struct({ throttleTimeMs: int32, errorCode: int16 }));

export const endTxn2 = api(
  "EndTxn",
  26,
  5,
  endTxnRequest,
  struct({ throttleTimeMs: int32, errorCode: int16, producerId: int64, producerEpoch: int16 }),
);
