import { messageOf, SpillwayError } from "../errors.ts";
import type { Brokers } from "../kafka/cluster.ts";
import { assertSameTopic } from "../kafka/committed-offsets.ts";
import { assertCoordinated, coordinatorOf } from "../kafka/coordinator.ts";
import { describeTopics, logDirectories, type TopicDescription, topicConfigs } from "../kafka/describe.ts";
import { ERROR, errorName } from "../kafka/error-codes.ts";
import { type CommittedOffset, fetchOffsets } from "../kafka/group-offsets.ts";
import { type GroupReaders, readersOf } from "../kafka/group-readers.ts";
import { offsetGroups } from "../kafka/groups.ts";
import { EARLIEST, type Isolation, LATEST, offsetsAt } from "../kafka/offsets.ts";
import { partitionKey, type TopicPartition } from "../kafka/topic-partition.ts";
import { retry } from "../runtime/backoff.ts";
import { mapBounded } from "../runtime/map-bounded.ts";
import { RETENTION_KEYS, type Retention, retentionOf } from "./until-deleted.ts";

/** Requests under way at a time. */
const AT_ONCE = 16;
/** How long a coordinator that moves, or is still loading, is waited for. */
const GROUP_MS = 5_000;
const BACKOFF = { baseMs: 50, maxMs: 500 };

/** Of what nothing can be said, and why. */
export interface Unseen {
  readonly what: string;
  readonly why: string;
}

export interface GroupCommits {
  readonly group: string;
  readonly coordinator: number;
  readonly committed: readonly CommittedOffset[];
}

/**
 * What groups have committed: those named, or all that have committed something. One that can't be asked is unseen.
 * @throws SpillwayError as `offsetGroups`
 */
export async function commitsOf(
  brokers: Brokers,
  names: readonly string[] | undefined,
  unseen: Unseen[],
  signal: AbortSignal,
): Promise<readonly GroupCommits[]> {
  const groups: readonly { readonly group: string; readonly coordinator?: number }[] =
    names?.map((group) => ({ group })) ?? (await offsetGroups(brokers));
  const found = await mapBounded(groups, AT_ONCE, async ({ group, coordinator: known }) => {
    const ask = async (attempt: number): Promise<GroupCommits> => {
      const coordinator = attempt === 1 && known !== undefined ? known : await coordinatorOf(brokers, group);
      const check = (code: number) => assertCoordinated("Reading a group's offsets", code, { group });
      const asked = { group, partitions: "all", requireStable: false, check } as const;
      return { group, coordinator, committed: await fetchOffsets(brokers, coordinator, asked) };
    };
    try {
      return [await retry(ask, { signal, backoff: BACKOFF, deadlineMs: GROUP_MS })];
    } catch (error) {
      signal.throwIfAborted();
      unseen.push(unseenBy(`group ${group}`, error));
      return [];
    }
  });
  return names === undefined ? found.flat().filter(({ committed }) => committed.length > 0) : found.flat();
}

/** Who reads for each group, by its name. Groups of which that isn't known are left out. */
export async function readersByGroup(
  brokers: Brokers,
  groups: readonly GroupCommits[],
): Promise<ReadonlyMap<string, GroupReaders>> {
  const byCoordinator = [...Map.groupBy(groups, ({ coordinator }) => coordinator)];
  const found = await mapBounded(byCoordinator, AT_ONCE, async ([coordinator, coordinated]) => {
    const names = coordinated.map(({ group }) => group);
    return await readersOf(brokers, coordinator, names).catch(knowNothing);
  });
  return new Map(found.flatMap((readers) => (readers === undefined ? [] : [...readers])));
}

/** A partition's log as it stands now. */
export interface LogFacts extends TopicPartition {
  /** Node id. */
  readonly leader: number;
  readonly start: bigint;
  readonly stable: bigint;
  readonly written: bigint;
}

/**
 * The logs that were committed for, by `partitionKey`. Those of topics that are gone are left out. One without a leader,
 * or committed for an earlier topic of the name, is unseen.
 * @throws SpillwayError as `offsetsAt`
 */
export async function logsOf(
  brokers: Brokers,
  groups: readonly GroupCommits[],
  unseen: Unseen[],
): Promise<{ readonly logs: ReadonlyMap<string, LogFacts>; readonly partitions: ReadonlyMap<string, number> }> {
  const committed = groups.flatMap((one) => one.committed);
  const topics = await describeTopics(brokers, [...new Set(committed.map(({ topic }) => topic))]);
  for (const { topic, errorCode } of topics) {
    if (![ERROR.NONE, ERROR.UNKNOWN_TOPIC_OR_PARTITION, ERROR.LEADER_NOT_AVAILABLE].some((code) => code === errorCode))
      unseen.push({ what: `topic ${topic}`, why: errorName(errorCode) });
  }
  const led = ledPartitions(topics, committed, unseen);
  const [starts, stable, written] = [
    await offsetsByKey(brokers, led, EARLIEST, "read_uncommitted"),
    await offsetsByKey(brokers, led, LATEST, "read_committed"),
    await offsetsByKey(brokers, led, LATEST, "read_uncommitted"),
  ];
  const logs = led.map((place): [string, LogFacts] => {
    const key = partitionKey(place);
    const at = (offsets: ReadonlyMap<string, bigint>) => offsets.get(key) ?? 0n;
    return [key, { ...place, start: at(starts), stable: at(stable), written: at(written) }];
  });
  return { logs: new Map(logs), partitions: new Map(topics.map((one) => [one.topic, one.partitions.length])) };
}

function ledPartitions(
  topics: readonly TopicDescription[],
  committed: readonly CommittedOffset[],
  unseen: Unseen[],
): readonly (TopicPartition & { readonly leader: number })[] {
  const byName = new Map(topics.map((one) => [one.topic, one]));
  const places = new Map(committed.map((place) => [partitionKey(place), place]));
  return [...places.values()].flatMap(({ topic, partition }) => {
    const description = byName.get(topic);
    const found = description?.partitions.find((one) => one.partition === partition);
    if (description === undefined || found === undefined) return [];
    if (found.leader < 0) {
      unseen.push({ what: `partition ${partition} of ${topic}`, why: "it has no leader at the moment" });
      return [];
    }
    return [{ topic, topicId: description.topicId, partition, leader: found.leader }];
  });
}

/** By `partitionKey`. @throws SpillwayError as `offsetsAt` */
export async function offsetsByKey(
  brokers: Brokers,
  partitions: readonly TopicPartition[],
  timestamp: bigint,
  isolation: Isolation,
): Promise<ReadonlyMap<string, bigint>> {
  const found = await offsetsAt(brokers, partitions, timestamp, isolation);
  return new Map(found.map((position) => [partitionKey(position), position.offset]));
}

/** Why an offset can't be one of this log; undefined if it can. */
export function whyForeign(log: LogFacts, { offset, metadata }: CommittedOffset, group: string): string | undefined {
  try {
    assertSameTopic({ ...log, offset }, metadata, group);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** The retention of topics, by name. Topics of which it isn't known are left out. */
export async function retentionsOf(
  brokers: Brokers,
  topics: readonly string[],
): Promise<ReadonlyMap<string, Retention>> {
  if (topics.length === 0) return new Map();
  const described = (await topicConfigs(brokers, topics, RETENTION_KEYS).catch(knowNothing)) ?? [];
  const known = described.filter(({ errorCode }) => errorCode === ERROR.NONE);
  return new Map(known.map(({ name, values }) => [name, retentionOf((key) => values.get(key)?.value)]));
}

/** The size of logs at their leaders, by `partitionKey`. What isn't known is left out. */
export async function logBytesOf(brokers: Brokers, logs: readonly LogFacts[]): Promise<ReadonlyMap<string, number>> {
  const found = await mapBounded([...Map.groupBy(logs, ({ leader }) => leader)], AT_ONCE, async ([leader, led]) => {
    const topics = [...Map.groupBy(led, ({ topic }) => topic)].map(([topic, ofTopic]) => ({
      topic,
      partitions: ofTopic.map(({ partition }) => partition),
    }));
    const directories = (await logDirectories(brokers, leader, topics).catch(knowNothing)) ?? [];
    return directories.flatMap((directory) => directory.logs);
  });
  return new Map(found.flat().map((log) => [partitionKey(log), log.bytes]));
}

export function unseenBy(what: string, error: unknown): Unseen {
  if (error instanceof SpillwayError) return { what, why: error.message };
  throw error;
}

/** For questions whose answer is good to have. */
export function knowNothing(error: unknown): undefined {
  if (!(error instanceof SpillwayError)) throw error;
}
