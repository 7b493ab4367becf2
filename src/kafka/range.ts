import type { Logger } from "pino";
import { SpillwayError } from "../errors.ts";
import { pause, retry } from "../runtime/backoff.ts";
import type { Brokers, TopicMetadata } from "./cluster.ts";
import { EARLIEST, LATEST, offsetsAt, topicMissing } from "./offsets.ts";
import type { KafkaOptions } from "./options.ts";
import { type FetchedPartition, type FetchOptions, type LostOffsets, openSource } from "./source.ts";
import { type Position, partitionKey, type TopicPartition } from "./topic-partition.ts";

/** How long nothing may come though there should be more. */
const STALL_MS = 60_000;
/** How often to look whether transactions have ended. */
const SETTLE_POLL_MS = 50;
const RETRY = { backoff: { baseMs: 100, maxMs: 2_000 }, deadlineMs: 30_000 };

/** @throws SpillwayError TOPIC_MISSING */
export async function describeTopics(
  brokers: Brokers,
  names: readonly string[],
  signal: AbortSignal,
): Promise<readonly TopicMetadata[]> {
  const found = new Map(
    (await retry(() => brokers.topics(names), { signal, ...RETRY })).map((one) => [one.topic, one]),
  );
  return names.map((name) => {
    const metadata = found.get(name);
    if (metadata === undefined) throw topicMissing(name);
    return metadata;
  });
}

/** Where the logs begin now. */
export async function beginsOf(
  brokers: Brokers,
  partitions: readonly TopicPartition[],
  signal: AbortSignal,
): Promise<readonly Position[]> {
  return await retry(() => offsetsAt(brokers, partitions, EARLIEST, "read_committed"), { signal, ...RETRY });
}

/** Where a read_committed reader would have to stop now, by `partitionKey`. */
export async function endsOf(
  brokers: Brokers,
  partitions: readonly TopicPartition[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  const ends = await retry(() => offsetsAt(brokers, partitions, LATEST, "read_committed"), { signal, ...RETRY });
  return new Map(ends.map((end) => [partitionKey(end), Number(end.offset)]));
}

/** Where readers stop once the transactions that were open have ended, and one that stays open, if one does. */
export interface SettledEnds {
  /** By `partitionKey`. */
  readonly ends: ReadonlyMap<string, number>;
  readonly open: TopicPartition | undefined;
}

/**
 * As `endsOf`, once the transactions that are open now have ended, or else after `waitMs`: those of a relay are open for
 * a tenth of a second, and the brokers write their ends a little after the relay has gone on.
 */
export async function settledEndsOf(
  brokers: Brokers,
  partitions: readonly TopicPartition[],
  { signal, waitMs }: { readonly signal: AbortSignal; readonly waitMs: number },
): Promise<SettledEnds> {
  const written = await retry(() => offsetsAt(brokers, partitions, LATEST, "read_uncommitted"), { signal, ...RETRY });
  const giveUpAt = performance.now() + waitMs;
  for (;;) {
    const ends = await endsOf(brokers, partitions, signal);
    const open = written.find((position) => position.offset > (ends.get(partitionKey(position)) ?? 0));
    if (open === undefined || performance.now() > giveUpAt) return { ends, open };
    await pause(SETTLE_POLL_MS, signal);
  }
}

/** What is read, from where and how far. */
export interface Range {
  readonly kafka: KafkaOptions;
  readonly fetch?: Partial<FetchOptions> | undefined;
  readonly positions: readonly Position[];
  /** By `partitionKey`. */
  readonly ends: ReadonlyMap<string, number>;
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly onLost?: (lost: LostOffsets) => void;
}

/**
 * Reads every partition up to its end, once, whatever is written meanwhile. What `take` yields is awaited; `false` ends
 * the reading.
 * @throws SpillwayError TIMEOUT if nothing comes for a minute; and what `openSource` throws
 */
export async function readRange(range: Range, take: (part: FetchedPartition, end: number) => unknown): Promise<void> {
  const { signal } = range;
  const left = new Map<string, Reading>();
  for (const position of range.positions) {
    const key = partitionKey(position);
    const end = range.ends.get(key) ?? 0;
    if (position.offset < end) left.set(key, { position, end, reached: Number(position.offset), until: end });
  }
  if (left.size === 0) return;
  const stop = new AbortController();
  const giveUp = () => stop.abort();
  let stalled = setTimeout(giveUp, STALL_MS);
  const endIfReached = (key: string, reading: Reading) => {
    if (reading.reached >= reading.until) left.delete(key);
    if (left.size === 0) stop.abort();
  };
  try {
    const parts = openSource({
      kafka: range.kafka,
      positions: [...left.values()].map(({ position }) => position),
      signal: AbortSignal.any([signal, stop.signal]),
      log: range.log,
      fetch: { ...range.fetch, isolation: "read_committed" },
      onLost: (lost) => {
        range.onLost?.(lost);
        const key = partitionKey(lost);
        const reading = left.get(key);
        if (reading === undefined || lost.to < reading.end) return;
        // Nothing more comes below the end but what was fetched before and waits for its turn.
        reading.until = Number(lost.from);
        endIfReached(key, reading);
      },
    });
    for await (const part of parts) {
      clearTimeout(stalled); // whoever takes may take its time
      const key = partitionKey(part);
      const reading = left.get(key);
      // Without one it is read on behind its end, while others are not there yet.
      if (reading !== undefined && (await take(part, reading.end)) === false) return;
      stalled = setTimeout(giveUp, STALL_MS);
      if (reading === undefined) continue;
      reading.reached = Number(part.nextOffset);
      endIfReached(key, reading);
    }
  } finally {
    clearTimeout(stalled);
  }
  signal.throwIfAborted();
  const [reading] = left.values();
  if (reading !== undefined) throw nothingComes(reading);
}

interface Reading {
  readonly position: Position;
  readonly end: number;
  reached: number;
  /** Where it is done: the end, unless the last of it was lost. */
  until: number;
}

function nothingComes({ position: { topic, partition }, reached, end }: Reading): SpillwayError {
  return new SpillwayError("TIMEOUT", `Nothing came for ${STALL_MS / 1000} s though the log goes on to ${end}`, {
    retryable: true,
    context: {
      topic,
      partition,
      offset: BigInt(reached),
      hint: "Check the partition's leader, then try again",
    },
  });
}
