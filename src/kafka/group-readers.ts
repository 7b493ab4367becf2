import type { Brokers } from "./cluster.ts";
import { ERROR } from "./error-codes.ts";
import { membershipOf } from "./groups.ts";
import { decodeAssignment } from "./protocol/consumer-protocol.ts";
import { describeGroups } from "./protocol/group-messages.ts";
import { partitionKey } from "./topic-partition.ts";

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
  for (const { errorCode, groupId, groupState, protocolType, members } of described) {
    if (errorCode !== ERROR.NONE && errorCode !== ERROR.GROUP_ID_NOT_FOUND) continue;
    // Of another protocol, or not there.
    if (groupState === "Dead" || errorCode !== ERROR.NONE) readers.set(groupId, await otherReaders(brokers, groupId));
    else {
      const isSettled = groupState === "Stable" && protocolType === "consumer";
      readers.set(groupId, { members: members.length, owners: isSettled ? ownersOf(members) : undefined });
    }
  }
  return readers;
}

async function otherReaders(brokers: Brokers, group: string): Promise<GroupReaders> {
  const membership = await membershipOf(brokers, group);
  if (membership.kind === "none") return { members: 0, owners: undefined };
  return { members: membership.kind === "members" ? membership.members.length : undefined, owners: undefined };
}

function ownersOf(
  members: readonly { readonly clientId: string; readonly clientHost: string; readonly memberAssignment: Buffer }[],
): ReadonlyMap<string, string> | undefined {
  const owners = new Map<string, string>();
  try {
    for (const { clientId, clientHost, memberAssignment } of members) {
      for (const { topic, partitions } of decodeAssignment(memberAssignment)) {
        for (const partition of partitions) {
          owners.set(partitionKey({ topic, partition }), `${clientId} at ${clientHost.replace(/^\//, "")}`);
        }
      }
    }
  } catch {
    return undefined; // an assignment of the members' own making
  }
  return owners;
}
