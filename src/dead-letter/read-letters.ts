import type { Logger } from "pino";
import { SpillwayError } from "../errors.ts";
import { Brokers, partitionsOf } from "../kafka/cluster.ts";
import type { KafkaOptions } from "../kafka/options.ts";
import { beginsOf, describeTopics, readRange, settledEndsOf } from "../kafka/range.ts";
import type { Position, TopicPartition } from "../kafka/topic-partition.ts";
import { readRecords } from "../record-batch/records.ts";
import { pause } from "../runtime/backoff.ts";
import { type Letter, readLetter } from "./letter.ts";

/** Between two looks whether the transactions of a relay, which writes dead letters too, have ended. */
const SETTLE_MS = 5_000;
const AGAIN_MS = 200;

export interface LetterContext {
  readonly kafka: KafkaOptions;
  readonly signal: AbortSignal;
  readonly log: Logger;
}

/** The ids of those topics that exist now, by name. @throws SpillwayError as `Brokers.connect` */
export async function idsOfTopics(
  topics: readonly string[],
  { kafka, log, signal }: LetterContext,
): Promise<ReadonlyMap<string, string>> {
  if (topics.length === 0) return new Map();
  await using brokers = new Brokers(kafka, log);
  await brokers.connect(signal, log);
  return new Map((await brokers.topics([...new Set(topics)])).map(({ topic, topicId }) => [topic, topicId]));
}

/** Letters that lie side by side in a partition. */
export interface LettersRead {
  readonly partition: TopicPartition;
  readonly letters: readonly Letter[];
  /** Where reading goes on behind them. */
  readonly nextOffset: bigint;
}

/** What there is of dead letters, frozen: where they begin and end. */
export interface LetterRange {
  readonly positions: readonly Position[];
  /** By `partitionKey`. */
  readonly ends: ReadonlyMap<string, number>;
}

/** All that lies in these topics now. @throws SpillwayError TOPIC_MISSING; as `offsetsAt` */
export async function wholeRange(
  topics: readonly string[],
  { kafka, signal, log }: LetterContext,
): Promise<LetterRange> {
  await using brokers = new Brokers(kafka, log);
  await brokers.connect(signal, log);
  const partitions = (await describeTopics(brokers, topics, signal)).flatMap(partitionsOf);
  return { positions: await beginsOf(brokers, partitions, signal), ends: await settled(brokers, partitions, signal) };
}

/**
 * Reads letters in the order of each partition, up to the ends, and has them taken part by part; `false` ends it.
 * @throws SpillwayError BATCH_CORRUPT; as `readRange`; what `take` throws
 */
export async function readLetters(
  { positions, ends }: LetterRange,
  { kafka, signal, log }: LetterContext,
  take: (read: LettersRead) => unknown,
): Promise<void> {
  await readRange({ kafka, positions, ends, signal, log }, (part, end) => {
    const letters: Letter[] = [];
    for (const record of readRecords(part)) if (record.offset < end) letters.push(readLetter(record));
    const { topic, topicId, partition, nextOffset } = part;
    const last = nextOffset < end ? nextOffset : BigInt(end);
    return take({ partition: { topic, topicId, partition }, letters, nextOffset: last });
  });
}

/** Where a parked key's letters are read. */
export interface LetterReader {
  /**
   * Reads a partition of a dead-letter topic from an offset up to the end it has now, and has it taken part by part;
   * `false` ends it.
   * @throws SpillwayError OFFSET_OUT_OF_RANGE if retention has deleted letters from there on, unless that is known; as
   *   `readLetters`; the signal's reason
   */
  read(
    from: { readonly topic: string; readonly partition: number; readonly offset: bigint; readonly mayBeLost?: boolean },
    take: (letters: readonly Letter[]) => Promise<unknown>,
    signal: AbortSignal,
  ): Promise<void>;
}

export function letterReader(context: Omit<LetterContext, "signal">): LetterReader {
  return {
    async read(from, take, signal) {
      const { topic, partition, offset, mayBeLost = false } = from;
      const { positions, ends } = await wholeRange([topic], { ...context, signal });
      const begin = positions.find((position) => position.partition === partition);
      if (begin === undefined || (begin.offset > offset && !mayBeLost)) {
        throw new SpillwayError("OFFSET_OUT_OF_RANGE", "The dead letters are no longer in the log", {
          context: { topic, partition, offset },
        });
      }
      const position = { ...begin, offset: begin.offset > offset ? begin.offset : offset };
      await readLetters({ positions: [position], ends }, { ...context, signal }, ({ letters }) => take(letters));
    },
  };
}

/** Where the logs end once nothing in them is undecided: a letter behind an open transaction is acknowledged, too. */
async function settled(
  brokers: Brokers,
  partitions: readonly TopicPartition[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  for (;;) {
    const { ends, open } = await settledEndsOf(brokers, partitions, { signal, waitMs: SETTLE_MS });
    if (open === undefined) return ends;
    await pause(AGAIN_MS, signal);
  }
}
