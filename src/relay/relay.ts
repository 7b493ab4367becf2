/**
 * The relay drains a hot topic with few partitions into a topic with many.
 *
 * Guarantee: at least once. A record's offset is committed after the record is acknowledged by all in-sync replicas of
 * the target, so a crash repeats records and loses none; the order of a key holds, and a repeated record carries the
 * origin it had before.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Logger } from "pino";
import { SpillwayError } from "../errors.ts";
import { ensureTopic } from "../kafka/admin.ts";
import { Brokers } from "../kafka/cluster.ts";
import type { Generation } from "../kafka/generation.ts";
import { GroupMember } from "../kafka/group-member.ts";
import { topicMissing } from "../kafka/offsets.ts";
import { openSource } from "../kafka/source.ts";
import { Writer } from "../kafka/writer.ts";
import { type OnPoison, stopAtPoison } from "../record-batch/batch.ts";
import { AtLeastOnce, type TrackedInput } from "./at-least-once.ts";
import type { RelayOptions } from "./options.ts";
import { deadLetterTopicOf } from "./poison.ts";
import { newRelayStats, type RelayStats } from "./stats.ts";
import { Transcoder } from "./transcoder.ts";

export interface RelayContext {
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly stats?: RelayStats;
}

/** Relays until the signal is aborted; then what was read is written and committed, and the group is left. */
export async function runRelay(
  options: RelayOptions,
  { signal, log, stats = newRelayStats() }: RelayContext,
): Promise<void> {
  await prepareTopics(options, signal, log);
  await using writer = await Writer.open({ ...options, signal, log });
  await using member = new GroupMember({
    ...options.group,
    kafka: options.kafka,
    topics: [options.source],
    signal,
    log,
  });
  for await (const generation of member.generations()) {
    await relayGeneration(generation, { options, writer, log, stats });
  }
  log.info({ ...stats }, "relay stopped");
}

interface Parts {
  readonly options: RelayOptions;
  readonly writer: Writer;
  readonly log: Logger;
  readonly stats: RelayStats;
}

/** fetch → transcode → produce → commit, until the generation is over; then drain, and commit what was drained. */
async function relayGeneration(generation: Generation, parts: Parts): Promise<void> {
  const { options, stats, log } = parts;
  const positions = await generation.positions();
  const transcoder = new Transcoder<TrackedInput>({ ...options });
  await using delivery = new AtLeastOnce({ ...parts, generation, positions, transcoder });

  const signal = AbortSignal.any([generation.signal, delivery.failed]);
  for await (const fetched of openSource({ ...options, positions, signal, log })) {
    const input = delivery.begin(fetched);
    const bury: OnPoison = (poison) => delivery.bury(poison, fetched.topicId, input);
    const onPoison = options.poisonBatch === "stop" ? stopAtPoison : bury;
    stats.recordsRead += transcoder.add(fetched, input, delivery.produce, onPoison);
    delivery.end(fetched, input);
    await delivery.room(signal).catch(unlessAborted(signal));
    await nextTurn(); // a full queue would keep the event loop from sending what is ready
  }
  delivery.failed.throwIfAborted();
  await delivery.finish();
}

/** Creates the target or checks it, and the dead-letter topic where one is used; the source must be there. */
async function prepareTopics(options: RelayOptions, signal: AbortSignal, log: Logger): Promise<void> {
  const { source, target, partitions, replicationFactor } = options;
  if (source === target) throw new SpillwayError("CONFIG_INVALID", `A topic can't be relayed into itself: ${source}`);
  await using brokers = new Brokers(options.kafka, log);
  await brokers.connect(signal, log);
  const [found] = await brokers.topics([source]);
  if (found === undefined) throw topicMissing(source);
  await ensureTopic(brokers, { topic: target, partitions, replicationFactor }, signal);
  if (options.poisonBatch === "dead-letter") await ensureDeadLetterTopic(brokers, options, signal);
  log.info({ source, sourcePartitions: found.partitions.length, target, partitions }, "relaying");
}

/** Dead letters are few, and their order is worth keeping: one partition, unless somebody has made it with more. */
async function ensureDeadLetterTopic(brokers: Brokers, options: RelayOptions, signal: AbortSignal): Promise<void> {
  const topic = deadLetterTopicOf(options);
  const [found] = await brokers.topics([topic]);
  if (found !== undefined) return;
  await ensureTopic(brokers, { topic, partitions: 1, replicationFactor: options.replicationFactor }, signal);
}

function unlessAborted(signal: AbortSignal): (error: unknown) => void {
  return (error) => {
    if (!signal.aborted) throw error;
  };
}
