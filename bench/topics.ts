import type { Logger } from "pino";
import { ensureTopic } from "../src/kafka/admin.ts";
import { Brokers, type TopicMetadata } from "../src/kafka/cluster.ts";
import { committedOffsets } from "../src/kafka/group-offsets.ts";
import { EARLIEST, LATEST, offsetsAt } from "../src/kafka/offsets.ts";
import { KAFKA_DEFAULTS, type KafkaOptions } from "../src/kafka/options.ts";
import { array, int16, int32, nullableString, struct, uuid, ZERO_UUID } from "../src/kafka/protocol/codec.ts";
import type { Position } from "../src/kafka/topic-partition.ts";
import { retry } from "../src/runtime/backoff.ts";

const DELETE_TIMEOUT_MS = 30_000;
const OFFSETS_TIMEOUT_MS = 30_000;

/** What the benchmark does with topics, over connections that stay open. */
export class Topics implements AsyncDisposable {
  readonly kafka: KafkaOptions;
  readonly #brokers: Brokers;
  readonly #log: Logger;

  constructor(brokers: readonly string[], log: Logger) {
    this.kafka = { ...KAFKA_DEFAULTS, brokers, clientId: "spillway-bench" };
    this.#brokers = new Brokers(this.kafka, log);
    this.#log = log;
  }

  async create(topic: string, partitions: number): Promise<TopicMetadata> {
    const signal = AbortSignal.timeout(30_000);
    await this.#brokers.connect(signal, this.#log);
    // Without it a record whose timestamp is older than the retention is deleted while it is counted.
    const config = { "retention.ms": "-1" };
    return await ensureTopic(this.#brokers, { topic, partitions, config }, signal);
  }

  async delete(topic: string): Promise<void> {
    const request = { topics: [{ name: topic, topicId: ZERO_UUID }], timeoutMs: DELETE_TIMEOUT_MS };
    const { responses } = await this.#brokers.request(deleteTopics, request, "any", DELETE_TIMEOUT_MS);
    for (const { errorCode, errorMessage } of responses) {
      if (errorCode !== 0) throw new Error(`${topic} was not deleted: error ${errorCode}, ${errorMessage}`);
    }
  }

  async start(topic: string): Promise<readonly Position[]> {
    return await this.#offsets(topic, EARLIEST);
  }

  /** How far readers of committed records see: what is in the log and in no open transaction. */
  async end(topic: string): Promise<readonly Position[]> {
    return await this.#offsets(topic, LATEST);
  }

  /** Records that a group has committed in a topic, over all its partitions. */
  async committed(group: string, topic: string, partitions: number): Promise<number> {
    const offsets = await this.committedOffsets(group, topic, partitions);
    return [...offsets.values()].reduce((sum, offset) => sum + Number(offset), 0);
  }

  /** What a group has committed in a topic, by partition. */
  async committedOffsets(group: string, topic: string, partitions: number): Promise<ReadonlyMap<number, bigint>> {
    await this.#brokers.connect(AbortSignal.timeout(OFFSETS_TIMEOUT_MS), this.#log);
    // The first group of a cluster waits for its coordinator.
    return await retry(() => committedOffsets(this.#brokers, group, { topic, partitions }), {
      signal: AbortSignal.timeout(OFFSETS_TIMEOUT_MS),
      backoff: { baseMs: 20, maxMs: 500 },
      deadlineMs: OFFSETS_TIMEOUT_MS,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#brokers[Symbol.asyncDispose]();
  }

  async #offsets(topic: string, timestamp: bigint): Promise<readonly Position[]> {
    const [metadata] = await this.#brokers.topics([topic]);
    const { topicId = "", partitions = [] } = metadata ?? {};
    const all = partitions.map(({ partition }) => ({ topic, topicId, partition }));
    // A broker says that it leads a new partition a moment before it does.
    return await retry(() => offsetsAt(this.#brokers, all, timestamp, "read_committed"), {
      signal: AbortSignal.timeout(OFFSETS_TIMEOUT_MS),
      backoff: { baseMs: 20, maxMs: 500 },
      deadlineMs: OFFSETS_TIMEOUT_MS,
    });
  }
}

/** A request that `src/kafka` has no use for. */
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

/** Offsets between two looks at a topic, over all its partitions. Records are fewer where there are markers. */
export function offsetsBetween(from: readonly Position[], to: readonly Position[]): number {
  return sumOffsets(to) - sumOffsets(from);
}

function sumOffsets(positions: readonly Position[]): number {
  return positions.reduce((sum, { offset }) => sum + Number(offset), 0);
}
