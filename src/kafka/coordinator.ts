import { SpillwayError } from "../errors.ts";
import { type Brokers, kafkaError } from "./cluster.ts";
import { ERROR, errorName, isCoordinatorMoved } from "./error-codes.ts";
import type { AclOperation } from "./permissions.ts";
import { findCoordinator } from "./protocol/messages.ts";

/** What a coordinator coordinates. */
const COORDINATOR_OF = { group: 0, transaction: 1 } as const;

/**
 * Asks which broker coordinates a group or a transactional id. What its error code means is the caller's to say.
 * @throws SpillwayError as `Brokers.request`
 */
export async function askForCoordinator(
  brokers: Brokers,
  what: keyof typeof COORDINATOR_OF,
  key: string,
): Promise<{ readonly nodeId: number; readonly errorCode: number }> {
  const request = { keyType: COORDINATOR_OF[what], coordinatorKeys: [key] };
  const { coordinators } = await brokers.request(findCoordinator, request, "any");
  const [coordinator] = coordinators;
  if (coordinator === undefined) throw new SpillwayError("PROTOCOL", `No coordinator of ${key} in the answer`);
  return coordinator;
}

/**
 * The broker that coordinates a group, for whoever isn't a member of it.
 * @throws SpillwayError BROKER_UNREACHABLE and PROTOCOL, retryable while the coordinator moves; NOT_AUTHORIZED
 */
export async function coordinatorOf(brokers: Brokers, group: string): Promise<number> {
  await brokers.topics([]); // learns where the brokers are
  const { nodeId, errorCode } = await askForCoordinator(brokers, "group", group);
  assertCoordinated("Finding the group's coordinator", errorCode, { group });
  return nodeId;
}

/** @throws SpillwayError for a coordinator's error code; retryable where it has moved, or waits for a transaction */
export function assertCoordinated(
  what: string,
  code: number,
  context: SpillwayError["context"],
  operation: AclOperation = "DESCRIBE",
): void {
  if (code === ERROR.NONE) return;
  if (!isCoordinatorMoved(code) && code !== ERROR.UNSTABLE_OFFSET_COMMIT) {
    throw kafkaError(what, code, context, operation);
  }
  throw new SpillwayError("PROTOCOL", `${what}: ${errorName(code)}`, {
    retryable: true,
    context: { ...context, kafkaCode: code },
  });
}
