/**
 * A relay begins where another group has come to: that group's offsets become those of the relay's own, before any relay
 * joins it.
 *
 * Guarantee: no record of the topic lies between the two, and none is handled by both, if the other group has no members
 * from the beginning of the take-over on. Kafka can't lock a group, so one that is started in that very moment is noticed
 * a little later, or not at all.
 */
import type { Logger } from "pino";
import { SpillwayError } from "../errors.ts";
import { Brokers, partitionsOf } from "../kafka/cluster.ts";
import { committedOffsets, setOffsets, stableOffsets } from "../kafka/group-offsets.ts";
import { LATEST, offsetsAt } from "../kafka/offsets.ts";
import type { KafkaOptions } from "../kafka/options.ts";
import { beginsOf, describeTopics } from "../kafka/range.ts";
import type { Position, TopicPartition } from "../kafka/topic-partition.ts";
import { retry } from "../runtime/backoff.ts";
import { assertNoMembers, type Hands, patiently } from "./checks.ts";

/** A place in a topic that is not the user's to count: what a group has committed there. */
export interface GroupReference {
  readonly kind: "group";
  readonly group: string;
}

export interface TakeOverOptions {
  readonly kafka: KafkaOptions;
  /** The topic. */
  readonly source: string;
  readonly from: GroupReference;
  /** The group that goes on there. */
  readonly group: string;
}

/**
 * Gives `group` the offsets that another has committed in the source; unless it has some of its own, where it goes on.
 * @throws SpillwayError GROUP_ACTIVE while the other group has members; GROUP_MISMATCH if it has committed nothing there,
 *   or has read on since it was taken over; CONFIG_INVALID, TOPIC_MISSING, TOPIC_RECREATED
 */
export async function takeOver(
  { kafka, source, from, group }: TakeOverOptions,
  { signal, log }: { readonly signal: AbortSignal; readonly log: Logger },
): Promise<void> {
  if (from.group === group) {
    throw new SpillwayError("CONFIG_INVALID", `Group ${group} can't take over from itself`, { context: { group } });
  }
  await using brokers = new Brokers(kafka, log);
  await brokers.connect(signal, log);
  const hands = { brokers, signal, log };
  const partitions = (await describeTopics(brokers, [source], signal)).flatMap(partitionsOf);
  if (await goesOn(group, from.group, partitions, hands)) return;

  const stopThem = `Stop its consumers: whoever stays on ${source} handles what the relay does, too`;
  await assertNoMembers(from.group, stopThem, hands);
  const positions = await positionsOf(from.group, partitions, hands);
  // Once more, as late as can be: they may have read on since the first look.
  await assertNoMembers(from.group, stopThem, hands);
  if (!(await give(group, positions, hands))) {
    log.info({ group, source }, "another instance has taken over in the same moment: going on there");
    return;
  }
  const keeps = `${stopThem}. Group ${group} has been given offsets already: delete it, then start again`;
  await assertNoMembers(from.group, keeps, hands);
  const offsets = Object.fromEntries(positions.map(({ partition, offset }) => [partition, String(offset)]));
  log.info({ source, from: from.group, group, offsets }, "taken over");
}

/**
 * True if the group has offsets of its own: then it has taken over before, and goes on.
 * @throws SpillwayError GROUP_MISMATCH if the other group has come further since. Most likely the topic was handed back,
 *   and the relay's group forgotten: what was read in between would be relayed, and handled again
 */
async function goesOn(
  group: string,
  from: string,
  partitions: readonly TopicPartition[],
  hands: Hands,
): Promise<boolean> {
  const own = await offsetsNow(group, partitions, hands);
  if (own.size === 0) return false;
  const [{ topic = "" } = {}] = partitions;
  for (const [partition, offset] of await offsetsNow(from, partitions, hands)) {
    const ownOffset = own.get(partition);
    if (ownOffset === undefined || offset <= ownOffset) continue;
    throw new SpillwayError("GROUP_MISMATCH", `Group ${from} has read on by itself, to offset ${offset}`, {
      context: {
        ...{ topic, partition, offset: ownOffset, group },
        hint: `To begin where it is now, delete group ${group}; to go on here, and relay what it has read, leave out from`,
      },
    });
  }
  hands.log.info({ group, source: topic, from }, "the relay's group has offsets of its own: going on there");
  return true;
}

/** Without waiting for open transactions: a relay that is at work always has one. */
async function offsetsNow(
  group: string,
  partitions: readonly TopicPartition[],
  hands: Hands,
): Promise<ReadonlyMap<number, bigint>> {
  const source = { topic: partitions[0]?.topic ?? "", partitions: partitions.length };
  return await retry(() => committedOffsets(hands.brokers, group, source), patiently(hands));
}

/** Where the group is in each partition, and the beginning where it has committed nothing. */
async function positionsOf(
  group: string,
  partitions: readonly TopicPartition[],
  hands: Hands,
): Promise<readonly Position[]> {
  const { brokers, signal, log } = hands;
  const committed = await retry(() => stableOffsets(brokers, group, partitions), patiently(hands));
  const [{ topic = "" } = {}] = partitions;
  if (committed.length === 0) {
    throw new SpillwayError("GROUP_MISMATCH", `Group ${group} has committed nothing in this topic`, {
      context: { topic, group, hint: "Check the group's name, and that its offsets have not expired" },
    });
  }
  await assertWithinLog(committed, hands);
  const missing = partitions.filter(({ partition }) => !committed.some((one) => one.partition === partition));
  // A client such as KafkaJS commits only where it has read something. So nothing was read here, and what is here must
  // be relayed: offset-reset would pass over it with `latest`, which is Java's own default.
  const begins = missing.length === 0 ? [] : await beginsOf(brokers, missing, signal);
  for (const { partition, offset } of begins) {
    log.warn(
      { topic, partition, from: group, offset: String(offset) },
      "the group has committed nothing in this partition: it is relayed from its beginning",
    );
  }
  return [...committed, ...begins];
}

/** What is behind the log's end was committed for another log. @throws SpillwayError OFFSET_OUT_OF_RANGE */
async function assertWithinLog(positions: readonly Position[], hands: Hands): Promise<void> {
  const ends = await retry(() => offsetsAt(hands.brokers, positions, LATEST, "read_uncommitted"), patiently(hands));
  for (const { topic, partition, offset } of positions) {
    const end = ends.find((one) => one.partition === partition)?.offset ?? offset;
    if (offset <= end) continue;
    throw new SpillwayError("OFFSET_OUT_OF_RANGE", `The group's offset is behind the log's end, ${end}`, {
      context: { topic, partition, offset, hint: "Set the group's offsets to where the service really is" },
    });
  }
}

/**
 * Gives the group its first offsets; false if it has got some meanwhile, from an instance that was started at the same
 * time and found the same.
 */
async function give(group: string, positions: readonly Position[], hands: Hands): Promise<boolean> {
  return await retry(async () => {
    // Before each attempt: after one whose answer was lost, the relay may be at work already.
    if ((await offsetsNow(group, positions, hands)).size > 0) return false;
    try {
      await setOffsets(hands.brokers, group, positions, "marked");
      return true;
    } catch (error) {
      // Members have offsets: they were faster. Else they were started without being told where to begin.
      const isRefused = error instanceof SpillwayError && error.code === "GROUP_ACTIVE";
      if (isRefused && (await offsetsNow(group, positions, hands)).size > 0) return false;
      throw error;
    }
  }, patiently(hands));
}
