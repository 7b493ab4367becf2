import { SpillwayError } from "../errors.ts";
import { mapBounded } from "../runtime/map-bounded.ts";
import type { Brokers } from "./cluster.ts";
import { ERROR } from "./error-codes.ts";
import { describeConsumerGroup, membershipOf } from "./groups.ts";
import { decodeAssignment } from "./protocol/consumer-protocol.ts";
import { describeGroups } from "./protocol/group-messages.ts";
import { partitionKey } from "./topic-partition.ts";

/** Requests under way at a time. */
const AT_ONCE = 16;

/** Who reads for a group. */
export interface GroupReaders {
  /** Undefined where there are some, by a protocol that isn't known here. */
  readonly members: number | undefined;
  /** By `partitionKey`: the client that has the partition, and its host. Undefined while that is being settled, or unknown. */
  readonly owners: ReadonlyMap<string, string> | undefined;
}

/**
 * The members of groups that one broker coordinates, and which partition each has. A group that isn't there has none.
 * One that can't be described is left out.
 * @throws SpillwayError as `membershipOf`
 */
export async function readersOf(
  brokers: Brokers,
  coordinator: number,
  groups: readonly string[],
): Promise<ReadonlyMap<string, GroupReaders>> {
  const request = { groups, includeAuthorizedOperations: false };
  const { groups: described } = await brokers.request(describeGroups, request, coordinator);
  const readers = new Map<string, GroupReaders>();
  const others: string[] = [];
  for (const { errorCode, groupId, groupState, protocolType, members } of described) {
    // Of another protocol, or not there.
    if (groupState === "Dead" || errorCode === ERROR.GROUP_ID_NOT_FOUND) others.push(groupId);
    else if (errorCode === ERROR.NONE) {
      const isSettled = groupState === "Stable" && protocolType === "consumer";
      readers.set(groupId, { members: members.length, owners: isSettled ? ownersOf(members) : undefined });
    }
  }
  const found = await mapBounded(others, AT_ONCE, async (group) => {
    try {
      return [[group, await otherReaders(brokers, coordinator, group)] as const];
    } catch (error) {
      if (!(error instanceof SpillwayError)) throw error;
      return [];
    }
  });
  return new Map([...readers, ...found.flat()]);
}

async function otherReaders(brokers: Brokers, coordinator: number, group: string): Promise<GroupReaders> {
  const consumers = await describeConsumerGroup(brokers, coordinator, group);
  if (consumers !== undefined) {
    const { members, groupState } = consumers;
    const owned = members.flatMap((member) =>
      member.assignment.topicPartitions.flatMap(({ topicName: topic, partitions }) =>
        partitions.map((partition) => [partitionKey({ topic, partition }), nameOf(member)] as const),
      ),
    );
    return { members: members.length, owners: groupState === "Stable" ? new Map(owned) : undefined };
  }
  const membership = await membershipOf(brokers, group);
  return { members: membership.kind === "none" ? 0 : undefined, owners: undefined };
}

interface Client {
  readonly clientId: string;
  readonly clientHost: string;
}

function ownersOf(
  members: readonly (Client & { readonly memberAssignment: Buffer })[],
): ReadonlyMap<string, string> | undefined {
  const owners = new Map<string, string>();
  try {
    for (const member of members) {
      for (const { topic, partitions } of decodeAssignment(member.memberAssignment)) {
        for (const partition of partitions) owners.set(partitionKey({ topic, partition }), nameOf(member));
      }
    }
  } catch {
    return undefined; // an assignment of the members' own making
  }
  return owners;
}

/** Kafka prints an address as Java does, with a slash before it. */
function nameOf({ clientId, clientHost }: Client): string {
  return `${clientId} at ${clientHost.replace(/^\//, "")}`;
}
