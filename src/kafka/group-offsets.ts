import { SpillwayError } from "../errors.ts";
import { type Brokers, kafkaError } from "./cluster.ts";
import { askForCoordinator } from "./coordinator.ts";
import { ERROR, errorName, isCoordinatorMoved } from "./error-codes.ts";
import { offsetFetch } from "./protocol/messages.ts";

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
  readonly partitions: readonly Place[];
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
  const topics = [...Map.groupBy(partitions, ({ topic }) => topic)].map(([name, ofTopic]) => ({
    name,
    partitionIndexes: ofTopic.map(({ partition }) => partition),
  }));
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
  source: { readonly topic: string; readonly partitions: number },
): Promise<ReadonlyMap<number, bigint>> {
  const { committed } = await groupCommits(brokers, group, source, false);
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
  await brokers.topics([]); // learns where the brokers are
  const check = (code: number) => assertRead(code, group);
  const { nodeId: coordinator, errorCode } = await askForCoordinator(brokers, "group", group);
  check(errorCode);
  const partitions = Array.from({ length: count }, (_, partition) => ({ topic, partition }));
  const committed = await fetchOffsets(brokers, coordinator, { group, partitions, requireStable, check });
  return { coordinator, committed };
}

function assertRead(code: number, group: string): void {
  if (code === ERROR.NONE) return;
  const what = "Reading a group's offsets";
  if (!isCoordinatorMoved(code) && code !== ERROR.UNSTABLE_OFFSET_COMMIT) throw kafkaError(what, code, { group });
  throw new SpillwayError("PROTOCOL", `${what}: ${errorName(code)}`, { retryable: true, context: { group } });
}
