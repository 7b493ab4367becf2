import type { Logger } from "pino";
import { isRetryable } from "../errors.ts";
import { ensureTopic } from "./admin.ts";
import { Brokers } from "./cluster.ts";
import { topicMissing } from "./offsets.ts";
import type { KafkaOptions } from "./options.ts";

interface WantedTopics {
  readonly kafka: KafkaOptions;
  /** Topics that must be there. */
  readonly existing: readonly string[];
  /** Topics to make unless they are there, with however many partitions. */
  readonly made: readonly string[];
  readonly partitions: number;
  /** Of topics that are made. Where the cluster doesn't allow it they are made without. */
  readonly config?: Readonly<Record<string, string>>;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** @throws SpillwayError TOPIC_MISSING, BROKER_UNREACHABLE, AUTHENTICATION_FAILED, NOT_AUTHORIZED */
export async function prepareTopics(wanted: WantedTopics): Promise<void> {
  const { kafka, existing, made, partitions, config = {}, log, signal } = wanted;
  await using brokers = new Brokers(kafka, log);
  await brokers.connect(signal, log);
  const found = new Set((await brokers.topics([...existing, ...made])).map(({ topic }) => topic));
  const missing = existing.find((topic) => !found.has(topic));
  if (missing !== undefined) throw topicMissing(missing);
  for (const topic of made) {
    if (found.has(topic)) continue;
    await ensureTopic(brokers, { topic, partitions, config }, signal).catch(async (error: unknown) => {
      if (isRetryable(error) || Object.keys(config).length === 0) throw error;
      await ensureTopic(brokers, { topic, partitions }, signal);
    });
    log.info({ topic, partitions }, "topic made");
  }
}
