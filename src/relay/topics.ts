import type { Logger } from "pino";
import { ensureTopic } from "../kafka/admin.ts";
import { Brokers } from "../kafka/cluster.ts";
import { topicMissing } from "../kafka/offsets.ts";
import { retry } from "../runtime/backoff.ts";
import type { RelayOptions } from "./options.ts";
import { deadLetterTopicOf } from "./poison.ts";
import { canSplitKeys, targetsOf } from "./routing.ts";

const BACKOFF = { baseMs: 100, maxMs: 2_000 };

/**
 * Creates the targets or checks them, and the dead-letter topic where one is used; the source must be there.
 * @throws SpillwayError CONFIG_INVALID, TOPIC_MISSING, TOPIC_MISMATCH
 */
export async function prepareTopics(
  options: RelayOptions,
  signal: AbortSignal,
  log: Logger,
): Promise<{ readonly sourcePartitions: number }> {
  const { source, kafka, replicationFactor, rules = [] } = options;
  const targets = targetsOf(options);
  await using brokers = new Brokers(kafka, log);
  await brokers.connect(signal, log);
  const limits = { signal, backoff: BACKOFF, deadlineMs: kafka.connectDeadlineMs };
  const [found] = await retry(() => brokers.topics([source]), limits);
  if (found === undefined) throw topicMissing(source);
  for (const target of targets) await ensureTopic(brokers, { ...target, replicationFactor }, signal);
  if (options.poisonBatch === "dead-letter") await ensureDeadLetterTopic(brokers, options, signal);
  const splitting = rules.filter(canSplitKeys).map(({ when }) => when);
  if (splitting.length > 0) {
    log.warn(
      { conditions: splitting },
      "records of one key can go different ways by these rules: order holds in each way only",
    );
  }
  const sourcePartitions = found.partitions.length;
  log.info({ source, sourcePartitions, targets }, "relaying");
  return { sourcePartitions };
}

/** Dead letters are few, and their order is worth keeping: one partition, unless somebody has made it with more. */
async function ensureDeadLetterTopic(brokers: Brokers, options: RelayOptions, signal: AbortSignal): Promise<void> {
  const topic = deadLetterTopicOf(options);
  const [found] = await brokers.topics([topic]);
  if (found !== undefined) return;
  await ensureTopic(brokers, { topic, partitions: 1, replicationFactor: options.replicationFactor }, signal);
}
