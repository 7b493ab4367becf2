/** The requests that tell who writes to a partition, and in which transactions (KIP-664). Nothing is changed by them. */
import { api } from "./api.ts";
import { array, int16, int32, int64, nullableString, string, struct } from "./codec.ts";

/** The producers that a partition's leader remembers; of each, where its open transaction begins, or -1. */
export const describeProducers = api(
  "DescribeProducers",
  61,
  0,
  struct({ topics: array(struct({ name: string, partitionIndexes: array(int32) })) }),
  struct({
    throttleTimeMs: int32,
    topics: array(
      struct({
        name: string,
        partitions: array(
          struct({
            partitionIndex: int32,
            errorCode: int16,
            errorMessage: nullableString,
            activeProducers: array(
              struct({
                producerId: int64,
                producerEpoch: int32,
                lastSequence: int32,
                lastTimestamp: int64,
                coordinatorEpoch: int32,
                currentTxnStartOffset: int64,
              }),
            ),
          }),
        ),
      }),
    ),
  }),
);

/** A broker knows the transactional ids that it coordinates. */
export const listTransactions = api(
  "ListTransactions",
  66,
  0,
  struct({ stateFilters: array(string), producerIdFilters: array(int64) }),
  struct({
    throttleTimeMs: int32,
    errorCode: int16,
    unknownStateFilters: array(string),
    transactionStates: array(struct({ transactionalId: string, producerId: int64, transactionState: string })),
  }),
);

export const describeTransactions = api(
  "DescribeTransactions",
  65,
  0,
  struct({ transactionalIds: array(string) }),
  struct({
    throttleTimeMs: int32,
    transactionStates: array(
      struct({
        errorCode: int16,
        transactionalId: string,
        transactionState: string,
        transactionTimeoutMs: int32,
        transactionStartTimeMs: int64,
        producerId: int64,
        producerEpoch: int16,
        topics: array(struct({ topic: string, partitions: array(int32) })),
      }),
    ),
  }),
);
