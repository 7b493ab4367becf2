import { SpillwayError } from "../errors.ts";
import { partitionsOf, type TopicMetadata } from "../kafka/cluster.ts";
import { stableOffsets } from "../kafka/group-offsets.ts";
import { offsetGroups } from "../kafka/groups.ts";
import type { KafkaOptions } from "../kafka/options.ts";
import { beginsOf, readRange, settledEndsOf } from "../kafka/range.ts";
import { type Position, partitionKey } from "../kafka/topic-partition.ts";
import { type KafkaRecord, readRecords } from "../record-batch/records.ts";
import { retry } from "../runtime/backoff.ts";
import { type Hands, patiently } from "./checks.ts";

/** Brokers abort the transaction of a relay that was killed after 20 s, unless it was given longer. */
const SETTLE_MS = 40_000;
/** A wait that is longer is worth a word. */
const UNREMARKABLE_MS = 1_000;

/** The groups that have committed anything in a topic, and what. */
export interface Readers {
  readonly topic: string;
  /** By group, then by partition. */
  readonly committed: ReadonlyMap<string, ReadonlyMap<number, bigint>>;
}

/** A stretch of a topic that some of its readers have not committed: it may hold records, or only markers. */
export interface Stretch extends Position {
  /** Where read_committed readers would have to stop. */
  readonly end: bigint;
  /** The reader that is furthest behind; undefined where there is none. */
  readonly group: string | undefined;
}

/**
 * The readers of each topic: those named, or else every group that has committed something there.
 * @throws SpillwayError as `stableOffsets`
 */
export async function readersOf(
  topics: readonly TopicMetadata[],
  named: readonly string[] | undefined,
  hands: Hands,
): Promise<readonly Readers[]> {
  const { brokers } = hands;
  const listed = async () => (await retry(() => offsetGroups(brokers), patiently(hands))).map(({ group }) => group);
  const byTopic = new Map(topics.map(({ topic }) => [topic, new Map<string, ReadonlyMap<number, bigint>>()]));
  const partitions = topics.flatMap(partitionsOf);
  for (const group of named ?? (await listed())) {
    const committed = await retry(() => stableOffsets(brokers, group, partitions), patiently(hands));
    for (const [topic, ofTopic] of Map.groupBy(committed, (position) => position.topic)) {
      byTopic.get(topic)?.set(group, new Map(ofTopic.map(({ partition, offset }) => [partition, offset])));
    }
  }
  return [...byTopic].map(([topic, committed]) => ({ topic, committed }));
}

/**
 * Where read_committed readers stop in the topics now, by `partitionKey`, once the transactions that were open have ended:
 * until then nobody knows what is in them.
 * @throws SpillwayError NOT_DRAINED if one stays open
 */
export async function settledEnds(
  topics: readonly TopicMetadata[],
  { brokers, signal, log }: Hands,
): Promise<ReadonlyMap<string, number>> {
  const partitions = topics.flatMap(partitionsOf);
  const soon = await settledEndsOf(brokers, partitions, { signal, waitMs: UNREMARKABLE_MS });
  if (soon.open === undefined) return soon.ends;
  const { topic, partition } = soon.open;
  log.info({ topic, partition, waitMs: SETTLE_MS }, "a transaction is open: waiting until it has ended");
  const { ends, open } = await settledEndsOf(brokers, partitions, { signal, waitMs: SETTLE_MS });
  if (open === undefined) return ends;
  throw new SpillwayError("NOT_DRAINED", "A transaction stays open: nobody knows yet whether its records count", {
    context: {
      ...{ topic: open.topic, partition: open.partition },
      hint: "Start the relay once more and stop it in order, or wait until the brokers have aborted the transaction",
    },
  });
}

/**
 * What the readers have not committed, up to the ends given.
 * @throws SpillwayError NOT_DRAINED if retention has deleted what was not read
 */
export async function stretchesOf(
  topics: readonly TopicMetadata[],
  readers: readonly Readers[],
  ends: ReadonlyMap<string, number>,
  { brokers, signal }: Hands,
): Promise<readonly Stretch[]> {
  const begins = await beginsOf(brokers, topics.flatMap(partitionsOf), signal);
  return begins
    .map((begin) => {
      const committed: Readers["committed"] =
        readers.find(({ topic }) => topic === begin.topic)?.committed ?? new Map();
      return { ...begin, ...furthestBehind(begin, committed), end: BigInt(ends.get(partitionKey(begin)) ?? 0) };
    })
    .filter(({ offset, end }) => offset < end);
}

/** The reader that has the most to read. @throws SpillwayError NOT_DRAINED where it can't read on any more */
export function furthestBehind(
  begin: Position,
  committed: Readers["committed"],
): { readonly offset: bigint; readonly group: string | undefined } {
  // Where a reader has committed nothing it has not read anything yet: clients such as KafkaJS commit no more than that.
  const places = [...committed].map(([group, offsets]) => ({ group, offset: offsets.get(begin.partition) }));
  const [first] = places.toSorted((a, b) => ((a.offset ?? begin.offset) < (b.offset ?? begin.offset) ? -1 : 1));
  if (first?.offset !== undefined && first.offset < begin.offset) {
    const { topic, partition } = begin;
    throw new SpillwayError(
      "NOT_DRAINED",
      `Retention has deleted offsets up to ${begin.offset} that group ${first.group} has not committed`,
      {
        context: {
          ...{ topic, partition, offset: first.offset, group: first.group },
          hint: "If they held no records that count, start the group's consumers once, so that they commit; then try again",
        },
      },
    );
  }
  return { offset: first?.offset ?? begin.offset, group: first?.group };
}

/**
 * Reads all stretches, read_committed, and shows every record there is in them; one at a time is in memory.
 * @throws what `visit` throws; SpillwayError NOT_DRAINED if records are deleted meanwhile; as `readRange`
 */
export async function readStretches(
  stretches: readonly Stretch[],
  kafka: KafkaOptions,
  { signal, log }: Pick<Hands, "signal" | "log">,
  visit: (record: KafkaRecord, stretch: Stretch) => void,
): Promise<void> {
  const byKey = new Map(stretches.map((stretch) => [partitionKey(stretch), stretch]));
  const ends = new Map(stretches.map((stretch) => [partitionKey(stretch), Number(stretch.end)]));
  const onLost = ({ topic, partition, from: offset }: { topic: string; partition: number; from: bigint }) => {
    const context = { topic, partition, offset };
    throw new SpillwayError("NOT_DRAINED", "Records were deleted before their readers have committed them", {
      context,
    });
  };
  await readRange({ kafka, positions: stretches, ends, signal, log, onLost }, (part) => {
    const stretch = byKey.get(partitionKey(part));
    if (stretch === undefined) return;
    for (const record of readRecords(part)) if (record.offset < stretch.end) visit(record, stretch);
  });
}
