import { SpillwayError } from "../errors.ts";
import type { Brokers } from "./cluster.ts";
import { assertCoordinated, coordinatorOf } from "./coordinator.ts";
import { ERROR } from "./error-codes.ts";
import type { ValueOf } from "./protocol/codec.ts";
import { consumerGroupDescribe, describeGroups, listGroups } from "./protocol/group-messages.ts";
import { apiVersions } from "./protocol/transaction-messages.ts";

/** A member of a group, as people know it. */
export interface Member {
  readonly clientId: string;
  readonly host: string;
}

/** Who is in a group. */
export type Membership =
  /** Nobody; or there is no such group. */
  | { readonly kind: "none" }
  | { readonly kind: "members"; readonly members: readonly Member[] }
  /** Somebody, by a protocol that isn't known here, such as that of Kafka Streams (KIP-1071). */
  | { readonly kind: "others"; readonly protocolType: string };

/**
 * Who is in a group, whatever protocol it speaks. A static member counts until its session has timed out.
 * @throws SpillwayError BROKER_UNREACHABLE and PROTOCOL, retryable while the coordinator moves; NOT_AUTHORIZED
 */
export async function membershipOf(brokers: Brokers, group: string): Promise<Membership> {
  const coordinator = await coordinatorOf(brokers, group);
  const classic = await classicMembers(brokers, coordinator, group);
  const members = classic ?? (await consumerMembers(brokers, coordinator, group));
  if (members !== undefined) return members.length === 0 ? { kind: "none" } : { kind: "members", members };
  const listed = (await groupsAt(brokers, coordinator)).find(({ groupId }) => groupId === group);
  if (listed === undefined || WITHOUT_MEMBERS.has(listed.groupState)) return { kind: "none" };
  return { kind: "others", protocolType: listed.protocolType };
}

/** The states of a group without members, whatever its protocol. */
const WITHOUT_MEMBERS: ReadonlySet<string> = new Set(["Empty", "Dead"]);

/** Undefined for a group of another protocol, or none. */
async function classicMembers(
  brokers: Brokers,
  coordinator: number,
  group: string,
): Promise<readonly Member[] | undefined> {
  const request = { groups: [group], includeAuthorizedOperations: false };
  const { groups } = await brokers.request(describeGroups, request, coordinator);
  const [described] = groups;
  if (described === undefined) throw unanswered(group);
  assertCoordinated("Describing the group", described.errorCode, { group });
  return described.groupState === "Dead" ? undefined : described.members.map(toMember);
}

/** Undefined for a group of another protocol, or none. */
async function consumerMembers(
  brokers: Brokers,
  coordinator: number,
  group: string,
): Promise<readonly Member[] | undefined> {
  return (await describeConsumerGroup(brokers, coordinator, group))?.members.map(toMember);
}

/** A group of the consumer protocol; undefined for one of another protocol, or none. @throws SpillwayError as `membershipOf` */
export async function describeConsumerGroup(
  brokers: Brokers,
  coordinator: number,
  group: string,
): Promise<ConsumerGroup | undefined> {
  if (!(await speaks(brokers, coordinator, consumerGroupDescribe.key))) return undefined;
  const request = { groupIds: [group], includeAuthorizedOperations: false };
  const { groups } = await brokers.request(consumerGroupDescribe, request, coordinator);
  const [described] = groups;
  if (described === undefined) throw unanswered(group);
  const { errorCode } = described;
  // A broker may know the request, and have the protocol switched off.
  if (errorCode === ERROR.GROUP_ID_NOT_FOUND || errorCode === ERROR.UNSUPPORTED_VERSION) return undefined;
  assertCoordinated("Describing the group", errorCode, { group });
  return described;
}

type ConsumerGroup = ValueOf<typeof consumerGroupDescribe.response>["groups"][number];

async function speaks(brokers: Brokers, broker: number, key: number): Promise<boolean> {
  const request = { clientSoftwareName: "spillway", clientSoftwareVersion: "1" };
  const { apiKeys } = await brokers.request(apiVersions, request, broker);
  return apiKeys.some(({ apiKey }) => apiKey === key);
}

function toMember({ clientId, clientHost }: { readonly clientId: string; readonly clientHost: string }): Member {
  // Kafka prints an address as Java does, with a slash before it.
  return { clientId, host: clientHost.replace(/^\//, "") };
}

function unanswered(group: string): SpillwayError {
  return new SpillwayError("PROTOCOL", `No group in the answer about ${group}`);
}

/**
 * The groups that commit offsets, and who coordinates each. Share groups are none of them: how far these have read isn't
 * kept in offsets. What this user may not see is left out.
 * @throws SpillwayError as `membershipOf`
 */
export async function offsetGroups(
  brokers: Brokers,
): Promise<readonly { readonly group: string; readonly coordinator: number }[]> {
  await brokers.topics([]); // learns where the brokers are
  const found = await Promise.all(
    brokers.nodeIds.map(async (coordinator) => {
      const groups = await groupsAt(brokers, coordinator);
      return groups
        .filter(({ protocolType }) => protocolType !== "share")
        .map(({ groupId: group }) => ({ group, coordinator }));
    }),
  );
  return found.flat();
}

async function groupsAt(brokers: Brokers, coordinator: number) {
  const { errorCode, groups } = await brokers.request(listGroups, { statesFilter: [] }, coordinator);
  assertCoordinated("Listing groups", errorCode, {});
  return groups;
}
