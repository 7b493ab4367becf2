import { SpillwayError } from "../errors.ts";
import type { Brokers } from "./cluster.ts";
import { assertSameTopic, offsetsToCommit } from "./committed-offsets.ts";
import { assertCoordinated, coordinatorOf } from "./coordinator.ts";
import { ERROR } from "./error-codes.ts";
import { offsetCommit, offsetFetch } from "./protocol/messages.ts";
import type { Position, TopicPartition } from "./topic-partition.ts";

interface Place {
  readonly topic: string;
  readonly partition: number;
}

export interface CommittedOffset extends Place {
  readonly offset: bigint;
  /** What stands beside it. */
  readonly metadata: string | null;
}

export interface OffsetsAsked {
  readonly group: string;
  readonly partitions: readonly Place[] | "all";
  /** Refuse (error 88) while a transaction that commits here is open, instead of answering from before it. */
  readonly requireStable: boolean;
  /** Is given every error code of the answer, and throws for those that are errors. */
  readonly check: (code: number, place?: Place) => void;
}

/**
 * What a group has committed, as its coordinator says; partitions without a commit are left out.
 * @throws SpillwayError as `Brokers.request`; what `check` throws
 */
export async function fetchOffsets(
  brokers: Brokers,
  coordinator: number,
  { group, partitions, requireStable, check }: OffsetsAsked,
): Promise<readonly CommittedOffset[]> {
  const topics = partitions === "all" ? null : byTopic(partitions);
  const request = { groups: [{ groupId: group, topics }], requireStable };
  const { groups } = await brokers.request(offsetFetch, request, coordinator);
  const committed: CommittedOffset[] = [];
  for (const answer of groups) {
    check(answer.errorCode);
    for (const { name: topic, partitions: ofTopic } of answer.topics) {
      for (const { partitionIndex: partition, errorCode, committedOffset: offset, metadata } of ofTopic) {
        check(errorCode, { topic, partition });
        if (offset >= 0n) committed.push({ topic, partition, offset, metadata });
      }
    }
  }
  return committed;
}

/**
 * What a group has committed for a topic, by partition; those without a commit are left out. Anybody may ask, member or
 * not; offsets of a transaction count once it is committed.
 * @throws SpillwayError BROKER_UNREACHABLE and PROTOCOL, retryable while the coordinator moves; NOT_AUTHORIZED
 */
export async function committedOffsets(
  brokers: Brokers,
  group: string,
  { topic, partitions: count }: { readonly topic: string; readonly partitions: number },
): Promise<ReadonlyMap<number, bigint>> {
  const partitions = Array.from({ length: count }, (_, partition) => ({ topic, partition }));
  const committed = await offsetsOfGroup(brokers, group, partitions);
  return new Map(committed.map(({ partition, offset }) => [partition, offset]));
}

/**
 * The same with what stands beside the offsets, and the group's coordinator.
 * @throws SpillwayError as that does; PROTOCOL, retryable, where stable offsets are required and a transaction is open
 */
export async function groupCommits(
  brokers: Brokers,
  group: string,
  { topic, partitions: count }: { readonly topic: string; readonly partitions: number },
  requireStable: boolean,
): Promise<{ readonly coordinator: number; readonly committed: readonly CommittedOffset[] }> {
  const partitions = Array.from({ length: count }, (_, partition) => ({ topic, partition }));
  return await offsetsFor(brokers, { group, partitions, requireStable });
}

/** The same for partitions of any topics, or for all that the group has committed. @throws as `committedOffsets` */
export async function offsetsOfGroup(
  brokers: Brokers,
  group: string,
  partitions: readonly Place[] | "all",
): Promise<readonly CommittedOffset[]> {
  return (await offsetsFor(brokers, { group, partitions, requireStable: false })).committed;
}

/**
 * What a group has committed for partitions, once no transaction that commits there is open.
 * @throws SpillwayError as `committedOffsets`; retryable too while such a transaction is open
 */
export async function stableOffsets(
  brokers: Brokers,
  group: string,
  partitions: readonly TopicPartition[],
): Promise<readonly Position[]> {
  const { committed } = await offsetsFor(brokers, { group, partitions, requireStable: true });
  return committed.flatMap(({ topic, partition, offset, metadata }) => {
    const known = partitions.find((one) => one.topic === topic && one.partition === partition);
    if (known === undefined) return [];
    const position = { ...known, offset };
    assertSameTopic(position, metadata, group);
    return [position];
  });
}

/**
 * Sets the offsets of a group that one isn't a member of, all at once. `marked` puts the topic's id beside each, as
 * Spillway's own groups have it; a function says what to put there. The coordinator takes none while the group has members, so whoever reads by these
 * offsets can't be overtaken by it.
 *
 * @throws SpillwayError GROUP_ACTIVE; and as `committedOffsets`
 */
export async function setOffsets(
  brokers: Brokers,
  group: string,
  positions: readonly Position[],
  metadata: "marked" | "empty" | ((position: Position) => string),
): Promise<void> {
  if (positions.length === 0) return;
  const outsider = { generationIdOrMemberEpoch: -1, memberId: "", groupInstanceId: null };
  const topics =
    metadata === "marked"
      ? offsetsToCommit(positions)
      : offsetsToCommit(positions, metadata === "empty" ? () => "" : metadata);
  const coordinator = await coordinatorOf(brokers, group);
  const response = await brokers.request(offsetCommit, { groupId: group, ...outsider, topics }, coordinator);
  for (const { name: topic, partitions } of response.topics) {
    for (const { partitionIndex: partition, errorCode } of partitions) {
      if (OF_MEMBERS.has(errorCode)) {
        throw new SpillwayError("GROUP_ACTIVE", `Group ${group} has members, so its offsets can't be set`, {
          context: { topic, partition, group, kafkaCode: errorCode },
        });
      }
      assertCoordinated("Setting a group's offsets", errorCode, { topic, partition, group }, "READ");
    }
  }
}

/** What a coordinator answers to an outsider while there are members: it takes them for one that it doesn't know. */
const OF_MEMBERS: ReadonlySet<number> = new Set([
  ERROR.UNKNOWN_MEMBER_ID,
  ERROR.ILLEGAL_GENERATION,
  ERROR.REBALANCE_IN_PROGRESS,
]);

async function offsetsFor(
  brokers: Brokers,
  asked: Omit<OffsetsAsked, "check">,
): Promise<{ readonly coordinator: number; readonly committed: readonly CommittedOffset[] }> {
  const { group } = asked;
  const check = (code: number) => assertCoordinated("Reading a group's offsets", code, { group });
  const coordinator = await coordinatorOf(brokers, group);
  return { coordinator, committed: await fetchOffsets(brokers, coordinator, { ...asked, check }) };
}

function byTopic(partitions: readonly Place[]) {
  return [...Map.groupBy(partitions, ({ topic }) => topic)].map(([name, ofTopic]) => ({
    name,
    partitionIndexes: ofTopic.map(({ partition }) => partition),
  }));
}
