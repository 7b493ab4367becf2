import { SpillwayError } from "../errors.ts";
import { retry } from "../runtime/backoff.ts";
import { type Brokers, kafkaError, partitionsOf, type TopicMetadata } from "./cluster.ts";
import { ERROR } from "./error-codes.ts";
import { LATEST, offsetsAt } from "./offsets.ts";
import { createTopics } from "./protocol/messages.ts";

const CREATE_TIMEOUT_MS = 30_000;
const BACKOFF = { baseMs: 50, maxMs: 500 };

/** A topic as it is wanted. */
export interface WantedTopic {
  readonly topic: string;
  readonly partitions: number;
  /** -1 for the broker's default. */
  readonly replicationFactor?: number;
  readonly config?: Readonly<Record<string, string>>;
}

/**
 * Creates a topic, or makes sure that the one there is has the partitions wanted; returns it once all have leaders, and a
 * new one once every broker knows of it: whichever is asked next would call it missing otherwise.
 * @throws SpillwayError TOPIC_MISMATCH if it has another number of partitions; NOT_AUTHORIZED; CONFIG_INVALID
 */
export async function ensureTopic(brokers: Brokers, wanted: WantedTopic, signal: AbortSignal): Promise<TopicMetadata> {
  const { topic, partitions } = wanted;
  const [found] = await brokers.topics([topic]);
  if (found === undefined) await createTopic(brokers, wanted, signal);
  const metadata = found ?? (await awaitLeaders(brokers, topic, signal));
  if (metadata.partitions.length !== partitions) {
    throw new SpillwayError(
      "TOPIC_MISMATCH",
      `The topic has ${metadata.partitions.length} partitions, not the ${partitions} that are wanted`,
      {
        context: {
          topic,
          hint: "Ask for as many as it has, or choose another topic: changing the number breaks key order",
        },
      },
    );
  }
  return metadata;
}

/** The number of offsets in a topic up to its high watermark, per partition: markers and deleted records count too. */
export async function endOffsets(brokers: Brokers, topic: string): Promise<ReadonlyMap<number, bigint>> {
  const [metadata] = await brokers.topics([topic]);
  const partitions = metadata === undefined ? [] : partitionsOf(metadata);
  const ends = await offsetsAt(brokers, partitions, LATEST, "read_uncommitted");
  return new Map(ends.map(({ partition, offset }) => [partition, offset]));
}

/** What the cluster says to creating a topic, without creating it. */
export interface CreationCheck {
  /** `NONE` if it would be created. */
  readonly errorCode: number;
  readonly errorMessage: string | null;
  /** That it would have, -1 where this user may not know. */
  readonly replicationFactor: number;
}

/** Asks whether a topic would be created; nothing is. @throws SpillwayError as `Brokers.request` */
export async function checkCreation(brokers: Brokers, wanted: WantedTopic): Promise<CreationCheck> {
  const { topics } = await brokers.request(createTopics, creation(wanted, true), "any");
  const [answer] = topics;
  if (answer === undefined) throw new SpillwayError("PROTOCOL", `The answer leaves out the topic ${wanted.topic}`);
  return answer;
}

function creation({ topic, partitions, replicationFactor = -1, config = {} }: WantedTopic, validateOnly: boolean) {
  return {
    topics: [
      {
        name: topic,
        numPartitions: partitions,
        replicationFactor,
        assignments: [],
        configs: Object.entries(config).map(([name, value]) => ({ name, value })),
      },
    ],
    timeoutMs: CREATE_TIMEOUT_MS,
    validateOnly,
  };
}

async function createTopic(brokers: Brokers, wanted: WantedTopic, signal: AbortSignal): Promise<void> {
  const { topic } = wanted;
  const request = creation(wanted, false);
  const response = await retry(() => brokers.request(createTopics, request, "any", CREATE_TIMEOUT_MS), {
    signal,
    backoff: BACKOFF,
    deadlineMs: CREATE_TIMEOUT_MS,
  });
  for (const { errorCode, errorMessage } of response.topics) {
    // Somebody else was faster: what they made is checked like any other.
    if (errorCode === ERROR.NONE || errorCode === ERROR.TOPIC_ALREADY_EXISTS) continue;
    const refused: readonly number[] = [
      ERROR.INVALID_PARTITIONS,
      ERROR.INVALID_REPLICATION_FACTOR,
      ERROR.INVALID_CONFIG,
    ];
    if (refused.includes(errorCode)) {
      throw new SpillwayError("CONFIG_INVALID", `The topic can't be created: ${errorMessage}`, {
        context: { topic, kafkaCode: errorCode },
      });
    }
    throw kafkaError(`Creating the topic (${errorMessage})`, errorCode, { topic }, "CREATE");
  }
}

async function awaitLeaders(brokers: Brokers, topic: string, signal: AbortSignal): Promise<TopicMetadata> {
  return await retry(
    async () => {
      const [metadata] = await brokers.topics([topic]);
      const answers = await Promise.allSettled(brokers.nodeIds.map((nodeId) => brokers.topics([topic], nodeId)));
      const isLed = (found?: TopicMetadata) => found?.partitions.every(({ leader }) => leader >= 0) === true;
      // A broker that can't be reached calls nothing missing.
      const isKnown = answers.every((answer) => answer.status === "rejected" || isLed(answer.value[0]));
      if (metadata !== undefined && isLed(metadata) && isKnown) return metadata;
      throw new SpillwayError("TOPIC_MISSING", "The new topic has no leaders yet", {
        retryable: true,
        context: { topic },
      });
    },
    { signal, backoff: BACKOFF, deadlineMs: CREATE_TIMEOUT_MS },
  );
}
