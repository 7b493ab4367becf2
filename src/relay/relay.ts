/**
 * The relay drains a hot topic with few partitions into a topic with many.
 *
 * Guarantee: at least once. A record's offset is committed after the record is acknowledged by all in-sync replicas of
 * the target, so a crash repeats records and loses none; the order of a key holds, and a repeated record carries the
 * origin it had before.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Logger } from "pino";
import { isRetryable, messageOf, SpillwayError } from "../errors.ts";
import { ensureTopic } from "../kafka/admin.ts";
import { Brokers } from "../kafka/cluster.ts";
import type { Generation } from "../kafka/generation.ts";
import { GroupMember } from "../kafka/group-member.ts";
import { topicMissing } from "../kafka/offsets.ts";
import { openSource } from "../kafka/source.ts";
import { Writer } from "../kafka/writer.ts";
import { every } from "../runtime/every.ts";
import { InputTracker, type RelayInput } from "./input-tracker.ts";
import type { RelayOptions } from "./options.ts";
import { type OutputBatch, Transcoder } from "./transcoder.ts";

/** What the relay has done since it began. */
export interface RelayStats {
  recordsRead: number;
  recordsWritten: number;
  bytesWritten: number;
  readonly startedAt: number;
}

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
  log.info({ recordsRead: stats.recordsRead, recordsWritten: stats.recordsWritten }, "relay stopped");
}

export function newRelayStats(): RelayStats {
  return { recordsRead: 0, recordsWritten: 0, bytesWritten: 0, startedAt: Date.now() };
}

interface Parts {
  readonly options: RelayOptions;
  readonly writer: Writer;
  readonly log: Logger;
  readonly stats: RelayStats;
}

/** fetch → transcode → produce → commit, until the generation is over; then drain, and commit what was drained. */
async function relayGeneration(generation: Generation, { options, writer, log, stats }: Parts): Promise<void> {
  const { signal } = generation;
  const positions = await generation.positions();
  const inputs = new InputTracker(positions);
  const transcoder = new Transcoder<RelayInput>({ ...options });
  const failed = new AbortController();
  let linger: NodeJS.Timeout | undefined;
  /** Batches under way to each target partition. */
  const underWay = new Array<number>(options.partitions).fill(0);

  const produce = ({ partition, batch, inputs: from }: OutputBatch<RelayInput>) => {
    underWay[partition] = (underWay[partition] ?? 0) + 1;
    writer.write(options.target, partition, batch).then(
      () => {
        underWay[partition] = (underWay[partition] ?? 1) - 1;
        stats.recordsWritten += batch.recordCount;
        stats.bytesWritten += batch.bytes.length;
        for (const input of from) inputs.release(input);
      },
      (error: unknown) => failed.abort(error),
    );
  };
  // While a partition has a batch under way, its open one goes on filling: a broker that answers slowly gets larger
  // batches, and not a queue of small ones that it can never work off.
  const drainIdle = () => {
    const left = transcoder.drain(produce, (partition) => underWay[partition] === 0);
    linger = left ? setTimeout(drainIdle, options.lingerMs) : undefined;
  };
  const commit = async () => {
    const progressed = inputs.progress();
    if (progressed.length === 0) return;
    await generation.commit(progressed);
    inputs.committed(progressed);
  };
  const committing = every(
    options.commitIntervalMs,
    commit,
    unlessOver(log, (error) => failed.abort(error)),
  );

  try {
    const source = openSource({ ...options, positions, signal: AbortSignal.any([signal, failed.signal]), log });
    for await (const fetched of source) {
      const input = inputs.begin(fetched);
      stats.recordsRead += transcoder.add(fetched, input, produce);
      inputs.release(input);
      linger ??= setTimeout(drainIdle, options.lingerMs);
      await writer.ready(signal).catch(unlessAborted(signal));
      await nextTurn(); // a full queue would keep the event loop from sending what is ready
    }
    failed.signal.throwIfAborted();
    clearTimeout(linger);
    transcoder.drain(produce);
    await writer.flush(options.drainDeadlineMs).catch((error: unknown) => {
      if (!isTimeout(error)) throw error;
      log.warn(
        { inFlightBytes: writer.inFlightBytes },
        "not everything was acknowledged in time: it will be relayed again",
      );
    });
  } finally {
    clearTimeout(linger);
    await committing.stop();
  }
  await commit().catch(unlessOver(log, rethrow));
}

/** Creates the target or checks it; the source must be there. */
async function prepareTopics(options: RelayOptions, signal: AbortSignal, log: Logger): Promise<void> {
  const { source, target, partitions, replicationFactor } = options;
  if (source === target) throw new SpillwayError("CONFIG_INVALID", `A topic can't be relayed into itself: ${source}`);
  await using brokers = new Brokers(options.kafka, log);
  await brokers.connect(signal, log);
  const [found] = await brokers.topics([source]);
  if (found === undefined) throw topicMissing(source);
  await ensureTopic(brokers, { topic: target, partitions, replicationFactor }, signal);
  log.info({ source, sourcePartitions: found.partitions.length, target, partitions }, "relaying");
}

/** A commit that comes too late is no failure of the relay: what it covered is relayed again. */
function unlessOver(log: Logger, failed: (error: unknown) => void): (error: unknown) => void {
  return (error) => {
    const over = isRetryable(error) || (error instanceof SpillwayError && error.code === "FENCED");
    if (over) log.warn({ error: messageOf(error) }, "commit failed: what it covered will be relayed again");
    else failed(error);
  };
}

function unlessAborted(signal: AbortSignal): (error: unknown) => void {
  return (error) => {
    if (!signal.aborted) throw error;
  };
}

function rethrow(error: unknown): never {
  throw error;
}

function isTimeout(error: unknown): boolean {
  return error instanceof SpillwayError && error.code === "TIMEOUT";
}
