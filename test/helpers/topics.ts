import assert from "node:assert/strict";
import { isRetryable } from "../../src/errors.ts";
import { Brokers } from "../../src/kafka/cluster.ts";
import { ERROR } from "../../src/kafka/error-codes.ts";
import type { KafkaOptions } from "../../src/kafka/options.ts";
import {
  array,
  bool,
  int16,
  int32,
  int64,
  nullableArray,
  nullableString,
  string,
  struct,
  uuid,
  ZERO_UUID,
} from "../../src/kafka/protocol/codec.ts";
import { produce } from "../../src/kafka/protocol/messages.ts";
import { testLog, until } from "./kafka.ts";

/** Asks again where a broker has not heard yet that it leads a new topic's partitions. */
export async function whenLed<T>(ask: () => Promise<T>): Promise<T> {
  const { answer } = await until("the partitions' leaders", async () => {
    try {
      return { answer: await ask() };
    } catch (error) {
      if (isRetryable(error)) return undefined;
      throw error;
    }
  });
  return answer;
}

/** Does to a partition what retention does, at once: what lies before the offset is gone. */
export async function deleteRecordsBefore(
  kafka: KafkaOptions,
  topic: string,
  partition: number,
  offset: bigint,
): Promise<void> {
  await using brokers = new Brokers(kafka, testLog);
  const leader = await leaderOf(brokers, topic, partition);
  const topics = [{ name: topic, partitions: [{ partitionIndex: partition, offset }] }];
  const response = await brokers.request(deleteRecords, { topics, timeoutMs: 10_000 }, leader);
  assert.equal(response.topics[0]?.partitions[0]?.errorCode, ERROR.NONE);
}

async function leaderOf(brokers: Brokers, topic: string, partition: number): Promise<number> {
  const [metadata] = await brokers.topics([topic]);
  const leader = metadata?.partitions[partition]?.leader;
  assert.ok(leader !== undefined && leader >= 0, `${topic}/${partition} has no leader`);
  return leader;
}

/** Resolves when no broker knows the topic any more. */
export async function deleteTopic(kafka: KafkaOptions, topic: string): Promise<void> {
  await using brokers = new Brokers(kafka, testLog);
  const request = { topics: [{ name: topic, topicId: ZERO_UUID }], timeoutMs: 10_000 };
  const { responses } = await brokers.request(deleteTopics, request, "any");
  assert.equal(responses[0]?.errorCode, ERROR.NONE);
  await until("the deletion", async () => (await brokers.topics([topic])).length === 0);
}

/** Gives a topic more partitions; `count` is how many there are then. */
export async function addPartitions(kafka: KafkaOptions, topic: string, count: number): Promise<void> {
  await using brokers = new Brokers(kafka, testLog);
  const request = { topics: [{ name: topic, count, assignments: null }], timeoutMs: 10_000, validateOnly: false };
  const { results } = await brokers.request(createPartitions, request, "any");
  assert.equal(results[0]?.errorCode, ERROR.NONE);
  await until("the new partitions", async () => {
    const [metadata] = await brokers.topics([topic]);
    return metadata?.partitions.length === count && metadata.partitions.every(({ leader }) => leader >= 0);
  });
}

/** The broker's answer to one batch, sent as it is. */
export interface ProduceAnswer {
  readonly errorCode: number;
  readonly baseOffset: bigint;
}

/** Sends stamped batches to one partition, one request after the other: for what the writer would never send. */
export async function sendBatches(
  brokers: Brokers,
  topic: string,
  partition: number,
  batches: readonly Buffer[],
): Promise<readonly ProduceAnswer[]> {
  const leader = await leaderOf(brokers, topic, partition);
  const answers: ProduceAnswer[] = [];
  for (const records of batches) {
    const topicData = [{ name: topic, partitionData: [{ index: partition, records }] }];
    const request = { transactionalId: null, acks: -1, timeoutMs: 10_000, topicData };
    // A broker may hear a little later than others that it leads a new topic.
    const answer = await until("the partition's leader", async () => {
      const { responses } = await brokers.request(produce, request, leader);
      const [first] = responses[0]?.partitionResponses ?? [];
      return first?.errorCode === ERROR.NOT_LEADER_OR_FOLLOWER ? undefined : first;
    });
    answers.push({ errorCode: answer.errorCode, baseOffset: answer.baseOffset });
  }
  return answers;
}

// What Spillway itself never asks of a broker.

const deleteRecords = {
  name: "DeleteRecords",
  key: 21,
  version: 2,
  request: struct({
    topics: array(struct({ name: string, partitions: array(struct({ partitionIndex: int32, offset: int64 })) })),
    timeoutMs: int32,
  }),
  response: struct({
    throttleTimeMs: int32,
    topics: array(
      struct({
        name: string,
        partitions: array(struct({ partitionIndex: int32, lowWatermark: int64, errorCode: int16 })),
      }),
    ),
  }),
};

const deleteTopics = {
  name: "DeleteTopics",
  key: 20,
  version: 6,
  request: struct({ topics: array(struct({ name: nullableString, topicId: uuid })), timeoutMs: int32 }),
  response: struct({
    throttleTimeMs: int32,
    responses: array(struct({ name: nullableString, topicId: uuid, errorCode: int16, errorMessage: nullableString })),
  }),
};

const createPartitions = {
  name: "CreatePartitions",
  key: 37,
  version: 2,
  request: struct({
    topics: array(
      struct({ name: string, count: int32, assignments: nullableArray(struct({ brokerIds: array(int32) })) }),
    ),
    timeoutMs: int32,
    validateOnly: bool,
  }),
  response: struct({
    throttleTimeMs: int32,
    results: array(struct({ name: string, errorCode: int16, errorMessage: nullableString })),
  }),
};
