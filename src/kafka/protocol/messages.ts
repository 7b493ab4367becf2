/**
 * The requests that Spillway writes itself, each in the one version it speaks: fields as data, in the order of Kafka's
 * own message definitions (`common/message/*.json` in kafka-clients). A test holds them against those.
 * Together they need a broker of version 3.2 or newer.
 */
import { api } from "./api.ts";
import {
  array,
  bool,
  bytes,
  int8,
  int16,
  int32,
  int64,
  nullableArray,
  nullableBytes,
  nullableString,
  string,
  struct,
  uuid,
} from "./codec.ts";
import { committedOrNot, offsetsToCommit } from "./offset-fields.ts";

export const metadata = api(
  "Metadata",
  3,
  12,
  struct({
    topics: nullableArray(struct({ topicId: uuid, name: nullableString })),
    allowAutoTopicCreation: bool,
    includeTopicAuthorizedOperations: bool,
  }),
  struct({
    throttleTimeMs: int32,
    brokers: array(struct({ nodeId: int32, host: string, port: int32, rack: nullableString })),
    clusterId: nullableString,
    controllerId: int32,
    topics: array(
      struct({
        errorCode: int16,
        name: nullableString,
        topicId: uuid,
        isInternal: bool,
        partitions: array(
          struct({
            errorCode: int16,
            partitionIndex: int32,
            leaderId: int32,
            leaderEpoch: int32,
            replicaNodes: array(int32),
            isrNodes: array(int32),
            offlineReplicas: array(int32),
          }),
        ),
        topicAuthorizedOperations: int32,
      }),
    ),
  }),
);

const produceRequest = struct({
  transactionalId: nullableString,
  acks: int16,
  timeoutMs: int32,
  topicData: array(struct({ name: string, partitionData: array(struct({ index: int32, records: nullableBytes })) })),
});

const produceResponse = struct({
  responses: array(
    struct({
      name: string,
      partitionResponses: array(
        struct({
          index: int32,
          errorCode: int16,
          baseOffset: int64,
          logAppendTimeMs: int64,
          logStartOffset: int64,
          recordErrors: array(struct({ batchIndex: int32, batchIndexErrorMessage: nullableString })),
          errorMessage: nullableString,
        }),
      ),
    }),
  ),
  throttleTimeMs: int32,
});

export const produce = api("Produce", 0, 9, produceRequest, produceResponse);

/** By this version a broker knows that the producer speaks transaction version 2 (KIP-890): the fields are the same. */
export const produceInTransaction2 = api("Produce", 0, 12, produceRequest, produceResponse);

export const fetch = api(
  "Fetch",
  1,
  13,
  struct({
    replicaId: int32,
    maxWaitMs: int32,
    minBytes: int32,
    maxBytes: int32,
    isolationLevel: int8,
    sessionId: int32,
    sessionEpoch: int32,
    topics: array(
      struct({
        topicId: uuid,
        partitions: array(
          struct({
            partition: int32,
            currentLeaderEpoch: int32,
            fetchOffset: int64,
            lastFetchedEpoch: int32,
            logStartOffset: int64,
            partitionMaxBytes: int32,
          }),
        ),
      }),
    ),
    forgottenTopicsData: array(struct({ topicId: uuid, partitions: array(int32) })),
    rackId: string,
  }),
  struct({
    throttleTimeMs: int32,
    errorCode: int16,
    sessionId: int32,
    responses: array(
      struct({
        topicId: uuid,
        partitions: array(
          struct({
            partitionIndex: int32,
            errorCode: int16,
            highWatermark: int64,
            lastStableOffset: int64,
            logStartOffset: int64,
            abortedTransactions: nullableArray(struct({ producerId: int64, firstOffset: int64 })),
            preferredReadReplica: int32,
            records: nullableBytes,
          }),
        ),
      }),
    ),
  }),
);

export const listOffsets = api(
  "ListOffsets",
  2,
  7,
  struct({
    replicaId: int32,
    isolationLevel: int8,
    topics: array(
      struct({
        name: string,
        partitions: array(struct({ partitionIndex: int32, currentLeaderEpoch: int32, timestamp: int64 })),
      }),
    ),
  }),
  struct({
    throttleTimeMs: int32,
    topics: array(
      struct({
        name: string,
        partitions: array(
          struct({ partitionIndex: int32, errorCode: int16, timestamp: int64, offset: int64, leaderEpoch: int32 }),
        ),
      }),
    ),
  }),
);

export const findCoordinator = api(
  "FindCoordinator",
  10,
  4,
  struct({ keyType: int8, coordinatorKeys: array(string) }),
  struct({
    throttleTimeMs: int32,
    coordinators: array(
      struct({ key: string, nodeId: int32, host: string, port: int32, errorCode: int16, errorMessage: nullableString }),
    ),
  }),
);

export const joinGroup = api(
  "JoinGroup",
  11,
  9,
  struct({
    groupId: string,
    sessionTimeoutMs: int32,
    rebalanceTimeoutMs: int32,
    memberId: string,
    groupInstanceId: nullableString,
    protocolType: string,
    protocols: array(struct({ name: string, metadata: bytes })),
    reason: nullableString,
  }),
  struct({
    throttleTimeMs: int32,
    errorCode: int16,
    generationId: int32,
    protocolType: nullableString,
    protocolName: nullableString,
    leader: string,
    skipAssignment: bool,
    memberId: string,
    members: array(struct({ memberId: string, groupInstanceId: nullableString, metadata: bytes })),
  }),
);

export const syncGroup = api(
  "SyncGroup",
  14,
  5,
  struct({
    groupId: string,
    generationId: int32,
    memberId: string,
    groupInstanceId: nullableString,
    protocolType: nullableString,
    protocolName: nullableString,
    assignments: array(struct({ memberId: string, assignment: bytes })),
  }),
  struct({
    throttleTimeMs: int32,
    errorCode: int16,
    protocolType: nullableString,
    protocolName: nullableString,
    assignment: bytes,
  }),
);

export const heartbeat = api(
  "Heartbeat",
  12,
  4,
  struct({ groupId: string, generationId: int32, memberId: string, groupInstanceId: nullableString }),
  struct({ throttleTimeMs: int32, errorCode: int16 }),
);

export const leaveGroup = api(
  "LeaveGroup",
  13,
  5,
  struct({
    groupId: string,
    members: array(struct({ memberId: string, groupInstanceId: nullableString, reason: nullableString })),
  }),
  struct({
    throttleTimeMs: int32,
    errorCode: int16,
    members: array(struct({ memberId: string, groupInstanceId: nullableString, errorCode: int16 })),
  }),
);

export const offsetCommit = api(
  "OffsetCommit",
  8,
  8,
  struct({
    groupId: string,
    generationIdOrMemberEpoch: int32,
    memberId: string,
    groupInstanceId: nullableString,
    topics: offsetsToCommit,
  }),
  struct({
    throttleTimeMs: int32,
    topics: committedOrNot,
  }),
);

export const offsetFetch = api(
  "OffsetFetch",
  9,
  8,
  struct({
    groups: array(
      struct({
        groupId: string,
        topics: nullableArray(struct({ name: string, partitionIndexes: array(int32) })),
      }),
    ),
    requireStable: bool,
  }),
  struct({
    throttleTimeMs: int32,
    groups: array(
      struct({
        groupId: string,
        topics: array(
          struct({
            name: string,
            partitions: array(
              struct({
                partitionIndex: int32,
                committedOffset: int64,
                committedLeaderEpoch: int32,
                metadata: nullableString,
                errorCode: int16,
              }),
            ),
          }),
        ),
        errorCode: int16,
      }),
    ),
  }),
);

export const initProducerId = api(
  "InitProducerId",
  22,
  4,
  struct({ transactionalId: nullableString, transactionTimeoutMs: int32, producerId: int64, producerEpoch: int16 }),
  struct({ throttleTimeMs: int32, errorCode: int16, producerId: int64, producerEpoch: int16 }),
);

export const createTopics = api(
  "CreateTopics",
  19,
  7,
  struct({
    topics: array(
      struct({
        name: string,
        numPartitions: int32,
        replicationFactor: int16,
        assignments: array(struct({ partitionIndex: int32, brokerIds: array(int32) })),
        configs: array(struct({ name: string, value: nullableString })),
      }),
    ),
    timeoutMs: int32,
    validateOnly: bool,
  }),
  struct({
    throttleTimeMs: int32,
    topics: array(
      struct({
        name: string,
        topicId: uuid,
        errorCode: int16,
        errorMessage: nullableString,
        numPartitions: int32,
        replicationFactor: int16,
        configs: nullableArray(
          struct({
            name: string,
            value: nullableString,
            readOnly: bool,
            configSource: int8,
            isSensitive: bool,
          }),
        ),
      }),
    ),
  }),
);
