import type { Logger } from "pino";
import { SpillwayError } from "../errors.ts";
import type { Brokers } from "../kafka/cluster.ts";
import { type Member, membershipOf } from "../kafka/groups.ts";
import { type RetryOptions, retry } from "../runtime/backoff.ts";

/** What take-over and hand-back work with. */
export interface Hands {
  readonly brokers: Brokers;
  readonly signal: AbortSignal;
  readonly log: Logger;
}

/** As many clients are named; the others are counted. */
const NAMED = 5;

/** Coordinators move, and a relay that was killed may leave a transaction open for 20 s: see `docs/ARCHITECTURE.md`. */
export function patiently({ signal }: Hands): RetryOptions {
  return { signal, backoff: { baseMs: 100, maxMs: 2_000 }, deadlineMs: 60_000 };
}

/** @throws SpillwayError GROUP_ACTIVE, with who they are */
export async function assertNoMembers(group: string, hint: string, hands: Hands): Promise<void> {
  const membership = await retry(() => membershipOf(hands.brokers, group), patiently(hands));
  if (membership.kind === "none") return;
  const who =
    membership.kind === "members"
      ? describeMembers(membership.members)
      : `members by a protocol of another kind (${membership.protocolType})`;
  throw new SpillwayError("GROUP_ACTIVE", `Group ${group} has ${who}`, { context: { group, hint } });
}

/** "3 members: price-service at 10.0.0.7 (2), console at 10.0.0.9" */
export function describeMembers(members: readonly Member[]): string {
  const clients = Map.groupBy(members, ({ clientId, host }) => `${clientId} at ${host}`);
  const named = [...clients].map(([client, { length }]) => (length === 1 ? client : `${client} (${length})`));
  const left = named.length - NAMED;
  const shown = [...named.slice(0, NAMED), ...(left > 0 ? [`${left} other clients`] : [])];
  return `${members.length === 1 ? "a member" : `${members.length} members`}: ${shown.join(", ")}`;
}
