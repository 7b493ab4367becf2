import { type Brokers, kafkaError } from "./cluster.ts";
import { ERROR } from "./error-codes.ts";
import { describeProducers, describeTransactions, listTransactions } from "./protocol/producer-messages.ts";

/** A transaction that has written to a partition and has not ended. What is undefined could not be found out. */
export interface OpenTransaction {
  readonly producerId: bigint;
  /** Of its first record in the partition: the last stable offset, if it is the oldest that is open there. */
  readonly firstOffset: bigint;
  /** Milliseconds since the epoch; the newest timestamp that it has written to the partition. */
  readonly lastWriteMs: number | undefined;
  readonly transactionalId: string | undefined;
  /** Milliseconds since the epoch. */
  readonly startedMs: number | undefined;
  /** After which the brokers abort it. */
  readonly timeoutMs: number | undefined;
}

/**
 * The oldest transaction that is open in a partition: readers of committed records wait before it. Undefined if there
 * is none. Its transactional id is looked for at all brokers, and left out where this user may not see it.
 * @throws SpillwayError as `Brokers.request`; NOT_AUTHORIZED where this user may not read the topic
 */
export async function oldestOpenTransaction(
  brokers: Brokers,
  leader: number,
  { topic, partition }: { readonly topic: string; readonly partition: number },
): Promise<OpenTransaction | undefined> {
  const topics = [{ name: topic, partitionIndexes: [partition] }];
  const response = await brokers.request(describeProducers, { topics }, leader);
  const [answer] = response.topics[0]?.partitions ?? [];
  if (answer === undefined || answer.errorCode !== ERROR.NONE) {
    throw kafkaError("Describing the producers", answer?.errorCode ?? ERROR.UNKNOWN_TOPIC_OR_PARTITION, {
      ...{ topic, partition },
    });
  }
  const [oldest] = answer.activeProducers
    .filter(({ currentTxnStartOffset }) => currentTxnStartOffset >= 0n)
    .toSorted((a, b) => Number(a.currentTxnStartOffset - b.currentTxnStartOffset));
  if (oldest === undefined) return undefined;
  const { producerId, lastTimestamp, currentTxnStartOffset: firstOffset } = oldest;
  const described = await transactionOf(brokers, producerId);
  return {
    producerId,
    firstOffset,
    lastWriteMs: known(lastTimestamp),
    transactionalId: described?.transactionalId,
    startedMs: described === undefined ? undefined : known(described.transactionStartTimeMs),
    timeoutMs: described?.transactionTimeoutMs,
  };
}

/** A producer's transaction, by the broker that coordinates it. */
async function transactionOf(brokers: Brokers, producerId: bigint) {
  const request = { stateFilters: [], producerIdFilters: [producerId] };
  const asked = brokers.nodeIds.map(async (nodeId) => {
    const { transactionStates } = await brokers.request(listTransactions, request, nodeId);
    const [listed] = transactionStates;
    if (listed === undefined) return undefined;
    const transactionalIds = [listed.transactionalId];
    const answer = await brokers.request(describeTransactions, { transactionalIds }, nodeId);
    return answer.transactionStates.find((state) => state.errorCode === ERROR.NONE && state.producerId === producerId);
  });
  // A broker that doesn't answer may be the one that knows: then nobody does.
  const answers = await Promise.allSettled(asked);
  return answers.flatMap((answer) => (answer.status === "fulfilled" ? (answer.value ?? []) : []))[0];
}

/** Kafka's -1 stands for a time that isn't known. */
function known(timestamp: bigint): number | undefined {
  return timestamp < 0n ? undefined : Number(timestamp);
}
