import { SpillwayError } from "../errors.ts";
import { type Brokers, kafkaError } from "./cluster.ts";
import { ERROR, errorName, isCoordinatorMoved } from "./error-codes.ts";
import { findCoordinator, offsetFetch } from "./protocol/messages.ts";

const GROUP = 0;

/**
 * What a group has committed for a topic, by partition; those without a commit are left out. Anybody may ask, member or
 * not; offsets of a transaction count once it is committed.
 * @throws SpillwayError BROKER_UNREACHABLE and PROTOCOL, retryable while the coordinator moves; NOT_AUTHORIZED
 */
export async function committedOffsets(
  brokers: Brokers,
  group: string,
  { topic, partitions }: { readonly topic: string; readonly partitions: number },
): Promise<ReadonlyMap<number, bigint>> {
  await brokers.topics([]); // learns where the brokers are
  const found = await brokers.request(findCoordinator, { keyType: GROUP, coordinatorKeys: [group] }, "any");
  const [coordinator] = found.coordinators;
  if (coordinator === undefined) throw new SpillwayError("PROTOCOL", "No coordinator in the answer");
  check(coordinator.errorCode, group);
  const partitionIndexes = Array.from({ length: partitions }, (_, partition) => partition);
  const request = { groups: [{ groupId: group, topics: [{ name: topic, partitionIndexes }] }], requireStable: false };
  const response = await brokers.request(offsetFetch, request, coordinator.nodeId);
  const committed = new Map<number, bigint>();
  for (const { errorCode, topics } of response.groups) {
    check(errorCode, group);
    for (const { partitionIndex, committedOffset, errorCode: code } of topics.flatMap((one) => one.partitions)) {
      check(code, group);
      if (committedOffset >= 0n) committed.set(partitionIndex, committedOffset);
    }
  }
  return committed;
}

function check(code: number, group: string): void {
  if (code === ERROR.NONE) return;
  const what = "Reading a group's offsets";
  if (!isCoordinatorMoved(code)) throw kafkaError(what, code, { group });
  throw new SpillwayError("PROTOCOL", `${what}: ${errorName(code)}`, { retryable: true, context: { group } });
}
