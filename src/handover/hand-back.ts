/**
 * A topic goes back from a relay to the group that read it before: its offsets become those at which the relay stopped.
 *
 * Guarantee: no offset is set unless every check has passed. Drained, every record is then handled once: what the relay
 * has taken was read from where it put it, and the group goes on behind that. Rewound, no record is missed; what was read
 * from the targets and lies behind the oldest unread record is handled again. Where a relay goes on after a crash is
 * where the group does, so what a relay repeats then (at least once: what it wrote and had not committed) comes again.
 *
 * Memory is bounded: a number for each partition and reader, and what is fetched ahead.
 */
import type { Logger } from "pino";
import { DEAD_LETTER_SUFFIX } from "../dead-letter/dead-letter.ts";
import { SpillwayError } from "../errors.ts";
import { Brokers, partitionsOf, type TopicMetadata } from "../kafka/cluster.ts";
import { setOffsets, stableOffsets } from "../kafka/group-offsets.ts";
import { LATEST, offsetsAt } from "../kafka/offsets.ts";
import type { KafkaOptions } from "../kafka/options.ts";
import { beginsOf, describeTopics } from "../kafka/range.ts";
import type { Position, TopicPartition } from "../kafka/topic-partition.ts";
import { retry } from "../runtime/backoff.ts";
import { assertNoMembers, type Hands, patiently } from "./checks.ts";
import { OldestUnread } from "./oldest-unread.ts";
import { type PlannedPartition, planPartition } from "./plan.ts";
import { type Readers, readersOf, readStretches, type Stretch, settledEnds, stretchesOf } from "./readers.ts";
import type { HandBackReport } from "./report.ts";
import { writtenBeyond } from "./uncommitted.ts";

export interface HandBackOptions {
  readonly kafka: KafkaOptions;
  /** The hot topic. */
  readonly source: string;
  /** The relay's group. */
  readonly relayGroup: string;
  /** The group that reads the source again. */
  readonly to: string;
  /** All topics that the relay has written to. */
  readonly targets: readonly string[];
  /** Whose commits count in the targets; those of all groups that have some there, unless told. */
  readonly readers?: readonly string[] | undefined;
  /** Goes back to the oldest record that was relayed and not read, instead of refusing while there is one. */
  readonly rewind?: boolean;
  /** Lets the group be one that has committed nothing in the source: brokers forget offsets after a week. */
  readonly newGroup?: boolean;
  /** Checks and plans, and changes nothing. */
  readonly dryRun?: boolean;
  readonly deadLetterSuffix?: string;
}

/**
 * See above.
 * @throws SpillwayError GROUP_ACTIVE, GROUP_MISMATCH, NOT_DRAINED, OFFSET_OUT_OF_RANGE, TOPIC_MISMATCH (a record that
 *   can't be traced back), CONFIG_INVALID, TOPIC_MISSING, TOPIC_RECREATED: each before anything is changed
 */
export async function handBack(
  options: HandBackOptions,
  { signal, log }: { readonly signal: AbortSignal; readonly log: Logger },
): Promise<HandBackReport> {
  const { kafka, source, relayGroup, to, rewind = false, dryRun = false } = options;
  const targets = [...new Set(options.targets)];
  assertApart({ ...options, targets });
  await using brokers = new Brokers(kafka, log);
  await brokers.connect(signal, log);
  const hands = { brokers, signal, log };
  const [hot, ...written] = await describeTopics(brokers, [source, ...targets], signal);
  if (hot === undefined) throw new RangeError("no topic was asked for");

  const partitions = partitionsOf(hot);
  await assertNobodyReads(options, hands);
  const relayed = await committedIn(partitions, relayGroup, "Check the name of the relay's group", hands);
  const known =
    options.newGroup === true ? undefined : "Check its name. If its offsets have expired, say so by new-group";
  const before = await committedIn(partitions, to, known, hands);

  const ends = await settledEnds(written, hands);
  const readers = await readersOf(written, options.readers, hands);
  if (rewind) await assertReadersStopped(readers, hands);
  const stretches = await stretchesOf(written, readers, ends, hands);
  const unread = rewind ? await findOldest(hot, stretches, kafka, hands) : await assertDrained(stretches, kafka, hands);

  const beyond = await writtenBeyond(hot, written, { ends, relayed }, kafka, hands);

  const planned = await plan(hot, { relayed, before, unread: unread.offsets }, hands);
  // Before anything is changed: this user may not be allowed to look there.
  const deadLetters = await deadLettersOf(options, hands);
  if (!dryRun) await carryOut(partitions, planned, relayed, options, hands);
  return {
    ...{ source, relayGroup, to, dryRun },
    targets: readers.map(({ topic, committed }) => ({ topic, readers: [...committed.keys()] })),
    how: rewind ? "rewound" : "drained",
    partitions: planned,
    unreadRecords: unread.records,
    handledTwiceAtMost: planned.reduce((sum, { again }) => sum + again, 0n),
    uncommittedAtLeast: beyond,
    deadLetters,
  };
}

function assertApart({ source, targets, relayGroup, to }: HandBackOptions): void {
  const problem = targets.includes(source)
    ? `Topic ${source} can't be handed back and be a target of its relay`
    : relayGroup === to
      ? `Group ${to} can't be handed its own topic`
      : undefined;
  if (problem !== undefined) throw new SpillwayError("CONFIG_INVALID", problem);
}

async function assertNobodyReads({ source, relayGroup, to }: HandBackOptions, hands: Hands): Promise<void> {
  await assertNoMembers(relayGroup, "Stop all of its relays: where they stop is where the group goes on", hands);
  await assertNoMembers(to, `Stop its consumers, and start them on ${source} when this is done`, hands);
}

/** What a group has committed, by partition. `hint` if it must have committed something. @throws GROUP_MISMATCH */
async function committedIn(
  partitions: readonly TopicPartition[],
  group: string,
  hint: string | undefined,
  hands: Hands,
): Promise<ReadonlyMap<number, bigint>> {
  const found = await retry(() => stableOffsets(hands.brokers, group, partitions), patiently(hands));
  if (found.length === 0 && hint !== undefined) {
    throw new SpillwayError("GROUP_MISMATCH", `Group ${group} has committed nothing in this topic`, {
      context: { topic: partitions[0]?.topic ?? "", group, hint },
    });
  }
  return new Map(found.map(({ partition, offset }) => [partition, offset]));
}

/** Readers that go on would handle what is about to be read from the source again. */
async function assertReadersStopped(readers: readonly Readers[], hands: Hands): Promise<void> {
  for (const group of new Set(readers.flatMap(({ committed }) => [...committed.keys()]))) {
    await assertNoMembers(group, "Stop the readers of what was relayed: the rest is read from the hot topic", hands);
  }
}

type Unread = Pick<OldestUnread, "offsets" | "records">;

/** Markers and aborted records may lie behind what was committed: only a record that readers get is one too many. */
async function assertDrained(stretches: readonly Stretch[], kafka: KafkaOptions, hands: Hands): Promise<Unread> {
  await readStretches(stretches, kafka, hands, ({ topic, partition, offset }, { group }) => {
    const ofTopic = stretches.filter((stretch) => stretch.topic === topic);
    const left = ofTopic.reduce((sum, stretch) => sum + stretch.end - stretch.offset, 0n);
    const what = group === undefined ? "No group has committed anything" : `Group ${group} has not committed all`;
    throw new SpillwayError("NOT_DRAINED", `${what}: up to ${left} records of ${topic} are unread`, {
      context: {
        ...{ topic, partition, offset },
        hint: "Let the readers finish; name those that count if others have left offsets here; or rewind",
      },
    });
  });
  return { offsets: new Map(), records: 0 };
}

async function findOldest(
  hot: TopicMetadata,
  stretches: readonly Stretch[],
  kafka: KafkaOptions,
  hands: Hands,
): Promise<Unread> {
  const oldest = new OldestUnread(hot.topicId);
  await readStretches(stretches, kafka, hands, (record) => oldest.add(record));
  return oldest;
}

type Committed = ReadonlyMap<number, bigint>;

async function plan(
  hot: TopicMetadata,
  { relayed, before, unread }: { readonly relayed: Committed; readonly before: Committed; readonly unread: Committed },
  { brokers, signal, ...hands }: Hands,
): Promise<readonly PlannedPartition[]> {
  const partitions = partitionsOf(hot);
  const limits = patiently({ brokers, signal, ...hands });
  const ends = await retry(() => offsetsAt(brokers, partitions, LATEST, "read_uncommitted"), limits);
  const begins = await beginsOf(brokers, partitions, signal);
  const at = (positions: readonly Position[], partition: number) =>
    positions.find((position) => position.partition === partition)?.offset ?? 0n;
  return partitions.map(({ partition }) => {
    const log = { begin: at(begins, partition), end: at(ends, partition) };
    const groups = { relayed: relayed.get(partition), before: before.get(partition), unread: unread.get(partition) };
    return planPartition({ partition, ...log, ...groups }, hot.topic);
  });
}

/** Sets the offsets, reads them back, and makes sure that no relay has begun again meanwhile. */
async function carryOut(
  partitions: readonly TopicPartition[],
  planned: readonly PlannedPartition[],
  relayed: Committed,
  options: HandBackOptions,
  hands: Hands,
): Promise<void> {
  const { to, source, relayGroup } = options;
  const { brokers } = hands;
  const atWork = `Stop the relays of ${relayGroup} for good, then hand back again`;
  const relayedNow = await committedIn(partitions, relayGroup, atWork, hands);
  const moved = partitions.find(({ partition }) => relayedNow.get(partition) !== relayed.get(partition));
  if (moved !== undefined) {
    throw new SpillwayError("GROUP_ACTIVE", `Group ${relayGroup} has relayed on meanwhile`, {
      context: { topic: source, partition: moved.partition, group: relayGroup, hint: atWork },
    });
  }
  await assertNobodyReads(options, hands);
  const positions = partitions.flatMap((partition) => {
    const at = planned.find((one) => one.partition === partition.partition);
    return at === undefined ? [] : [{ ...partition, offset: at.after }];
  });
  // Without metadata: that is for whoever commits next, and other clients have their own use for it.
  await retry(() => setOffsets(brokers, to, positions, "empty"), patiently(hands));
  const after = await committedIn(partitions, to, "Somebody has deleted it: hand back again", hands);
  const wrong = positions.find(({ partition, offset }) => after.get(partition) !== offset);
  if (wrong !== undefined) {
    throw new SpillwayError("GROUP_ACTIVE", `Group ${to} was set, and is at ${after.get(wrong.partition)} by now`, {
      context: { topic: source, partition: wrong.partition, offset: wrong.offset, hint: "See who commits to it" },
    });
  }
  await assertNoMembers(relayGroup, `${atWork}: don't start group ${to} before, though it has its offsets`, hands);
}

async function deadLettersOf(
  { source, deadLetterSuffix = DEAD_LETTER_SUFFIX }: HandBackOptions,
  hands: Hands,
): Promise<HandBackReport["deadLetters"]> {
  const { brokers, signal } = hands;
  const [topic] = await retry(() => brokers.topics([source + deadLetterSuffix]), patiently(hands));
  if (topic === undefined) return undefined;
  const begins = await beginsOf(brokers, partitionsOf(topic), signal);
  const ends = await retry(() => offsetsAt(brokers, partitionsOf(topic), LATEST, "read_committed"), patiently(hands));
  const sum = (positions: readonly Position[]) => positions.reduce((all, { offset }) => all + offset, 0n);
  const records = sum(ends) - sum(begins);
  return records > 0n ? { topic: topic.topic, records } : undefined;
}
