import { SpillwayError } from "../errors.ts";
import type { Brokers } from "./cluster.ts";
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
