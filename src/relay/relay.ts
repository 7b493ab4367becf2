/**
 * The relay drains a hot topic with few partitions into a topic with many.
 *
 * Guarantee: exactly once for read_committed readers, by transactions, or at least once; either way no record is lost,
 * the order of a key holds, and a record carries the origin that it had first. `exactly-once.ts` and `at-least-once.ts`
 * say how.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Logger } from "pino";
import { messageOf } from "../errors.ts";
import { takeOver } from "../handover/take-over.ts";
import type { Generation } from "../kafka/generation.ts";
import { GroupMember } from "../kafka/group-member.ts";
import { type FetchedPartition, type LostOffsets, openSource } from "../kafka/source.ts";
import type { Position, TopicPartition } from "../kafka/topic-partition.ts";
import { type OnPoison, stopAtPoison } from "../record-batch/batch.ts";
import type { BufferPool } from "../record-batch/buffer-pool.ts";
import { backoffMs, pause, untilAborted } from "../runtime/backoff.ts";
import type { RelayInput } from "./delivery.ts";
import { canBeginAnew, type Guarantee, openGuarantee } from "./guarantee.ts";
import { Job } from "./job.ts";
import { dividedBy, type RelayOptions } from "./options.ts";
import { Pace } from "./pace.ts";
import { atFirst, inPieces, onceFor } from "./pieces.ts";
import { Progress } from "./progress.ts";
import { Remaining } from "./remaining.ts";
import { type JobReport, reportOf } from "./report.ts";
import { newRelayStats, type RelayStats } from "./stats.ts";
import { steer } from "./steering.ts";
import { prepareTopics } from "./topics.ts";
import { batchPool, Transcoder } from "./transcoder.ts";

/** A failure after so long has nothing to do with the one before. */
const FORGOTTEN_MS = 60_000;
const BACKOFF = { baseMs: 100, maxMs: 5_000 };

export interface RelayContext {
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly stats?: RelayStats;
  /** For whoever wants to see how fast it may go, and where it is. */
  readonly pace?: Pace;
  readonly progress?: Progress;
}

/**
 * Relays until the signal is aborted, or until the end where one is given; then what was read is written and committed,
 * and the group is left. Returns the report of a job that has come to its end.
 */
export async function runRelay(
  options: RelayOptions,
  { signal, log, stats = newRelayStats(), pace = new Pace(), progress = new Progress() }: RelayContext,
): Promise<JobReport | undefined> {
  const { sourcePartitions } = await prepareTopics(options, signal, log);
  const { kafka, group, source, from, until } = options;
  const guarantee = openGuarantee(options, { signal, log });
  // When nothing is left to refuse, and before any instance joins: a group with members can't be given offsets.
  if (from !== undefined) await takeOver({ kafka, source, from, group: group.group }, { signal, log });
  const job = until === undefined ? undefined : await Job.open(until, options, { kafka, log, signal });
  await using _steering = await steer(pace, options, { signal, log });
  await using member = new GroupMember({ ...group, kafka, topics: [source], signal, log });
  for await (const generation of member.generations()) {
    stats.rebalances++;
    const failed = new AbortController();
    const shares = guarantee.shares(generation.assignment);
    const divided = dividedBy(shares.length, options);
    const parts = {
      ...{ options: divided, pool: batchPool(divided), job, guarantee },
      ...{ pace, progress, stats, log, failed },
    };
    pace.share(Math.min(1, generation.assignment.length / sourcePartitions));
    progress.own(generation.assignment.map(({ partition }) => partition));
    // When one fails, the others are stopped in good order before the failure is told.
    await Promise.all(shares.map((share) => relayShare(share, generation, parts)));
    failed.signal.throwIfAborted();
    // Its own share may be done, or nothing be assigned to it: it is a member all the same.
    if (job === undefined) await untilAborted(generation.signal);
    else if (await job.done(generation.signal)) {
      await job.finish();
      break;
    }
  }
  log.info({ ...stats }, "relay stopped");
  return job === undefined || signal.aborted ? undefined : reportOf(job, options, stats);
}

interface Parts {
  readonly options: RelayOptions;
  readonly job: Job | undefined;
  readonly pool: BufferPool;
  readonly guarantee: Guarantee;
  readonly pace: Pace;
  readonly progress: Progress;
  readonly stats: RelayStats;
  readonly log: Logger;
  /** Of all shares of the generation. */
  readonly failed: AbortController;
}

/** Relays a share until the generation is over, beginning anew after failures that leave nothing behind. Never rejects. */
async function relayShare(share: readonly TopicPartition[], generation: Generation, parts: Parts): Promise<void> {
  const { failed, stats, log } = parts;
  const stop = AbortSignal.any([generation.signal, failed.signal]);
  for (let failures = 1; !stop.aborted; failures++) {
    const startedAt = performance.now();
    try {
      await relayUntil(stop, share, generation, parts);
      return;
    } catch (error) {
      if (performance.now() - startedAt > FORGOTTEN_MS) failures = 1;
      if (stop.aborted && error === stop.reason) return;
      const { topic, partition } = share[0] ?? {};
      const why = { topic, partition, error: messageOf(error) };
      if (!canBeginAnew(error)) failed.abort(error);
      else if (stop.aborted) log.warn(why, "ended early: what it had not committed will be relayed again");
      else {
        stats.deliveryFailures++;
        log.warn(why, "delivery failed: going on where it was last committed");
        // Fenced may mean that a transaction took too long; unless this fails, the partitions are still ours.
        await generation.confirm().catch(() => {});
        await pause(backoffMs(failures, BACKOFF), stop).catch(() => {});
      }
    }
  }
}

/** fetch → transcode → produce → commit, until it is to stop; then drain, and commit what was drained. */
async function relayUntil(
  stop: AbortSignal,
  share: readonly TopicPartition[],
  generation: Generation,
  { options, pool, job, guarantee, pace, progress, stats, log }: Parts,
): Promise<void> {
  const transcoder = new Transcoder<RelayInput>(options, pool);
  await using delivery = await guarantee.open(share, { options, generation, transcoder, stats, log });
  const remaining = new Remaining(delivery.positions, job);
  const ended = new AbortController();
  const signal = AbortSignal.any([stop, delivery.failed, ended.signal]);
  const goTo = (position: Position, highWatermark: bigint) => {
    progress.note({ ...position, end: job?.ends.get(position.partition) ?? highWatermark });
    remaining.moveTo(position);
    passOverLost(position.partition);
    if (remaining.isNone) ended.abort();
  };
  const passOverLost = (partition: number) => {
    const lost = remaining.lostToTheEnd(partition);
    if (lost === undefined) return;
    delivery.end(lost, delivery.begin(lost));
    goTo(endOf(lost), lost.highWatermark);
  };
  const onLost = (lost: LostOffsets) => {
    stats.offsetsLost += Number(lost.to - lost.from);
    remaining.lose(lost);
    passOverLost(lost.partition);
  };
  // A job is done when all of its ends are committed, those too that nothing leads to any more.
  await generation.commit(remaining.reachedBefore);
  if (remaining.isNone) return;
  const { positions } = remaining;
  for (const position of positions) goTo(position, position.offset);
  const source = openSource({ ...options, positions, signal, log, onLost });
  for await (const fetched of inPieces(source, { job, pace, signal })) {
    const input = delivery.begin(fetched);
    const bury: OnPoison = (poison) => delivery.bury(poison, fetched.topicId, input);
    const onPoison = options.poisonBatch === "stop" ? atFirst(fetched, stopAtPoison) : onceFor(fetched, bury);
    const dropped = transcoder.dropped;
    const records = transcoder.add(fetched, input, delivery.produce, onPoison);
    stats.recordsRead += records;
    stats.recordsDropped += transcoder.dropped - dropped;
    delivery.end(fetched, input);
    pace.spend(records, fetched.bytes);
    goTo(endOf(fetched), fetched.highWatermark);
    await delivery.room(signal).catch(unlessAborted(signal));
    await nextTurn(); // a full queue would keep the event loop from sending what is ready
  }
  delivery.failed.throwIfAborted();
  await delivery.finish();
}

/** Behind a fetched part, and without its bytes, which are not to be kept. */
function endOf({ topic, topicId, partition, nextOffset: offset }: FetchedPartition): Position {
  return { topic, topicId, partition, offset };
}

function unlessAborted(signal: AbortSignal): (error: unknown) => void {
  return (error) => {
    if (!signal.aborted) throw error;
  };
}
