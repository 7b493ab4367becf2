import type { NextRecord } from "./ranges-of-part.ts";
import { commitStep, type Look, rateOf } from "./rates.ts";

/**
 * How a group does in a partition, the worst first:
 * - `losing data`: retention has deleted records before the group came to them
 * - `stalled`: records wait, the partition has a reader, and what is committed doesn't move
 * - `blocked`: a transaction that stays open keeps readers of committed records from going on
 * - `parked`: the records of some keys were put aside, for later or for somebody to look at
 * - `falling behind`: more arrives than is read
 * - `unclear`: not watched for long enough to tell
 * - `keeping up`: records wait, and at least as many are read as arrive
 * - `idle`: nobody reads, and nothing arrives
 * - `caught up`: nothing waits
 */
export const STATUSES = [
  "losing data",
  "stalled",
  "blocked",
  "parked",
  "falling behind",
  "unclear",
  "keeping up",
  "idle",
  "caught up",
] as const;
export type Status = (typeof STATUSES)[number];

/** Who reads a partition for the group. */
export type Reader =
  | { readonly kind: "member"; readonly name: string }
  /** The group has members, and it isn't known which of them has the partition. */
  | { readonly kind: "somebody" }
  /** The group has so many members, none of which has the partition. */
  | { readonly kind: "nobody"; readonly members: number };

/** A transaction before whose records readers of committed records wait. */
export interface Blocking {
  /** Undefined where this user may not ask. */
  readonly producerId: bigint | undefined;
  readonly transactionalId: string | undefined;
  /** For how long it is open, or at least was seen to be; undefined if nobody knows. */
  readonly openMs: number | undefined;
}

/** All that a judgement needs; it asks nobody. */
export interface PartitionFacts {
  /** The oldest first, the last one of now: at least one. What `window` makes of them. */
  readonly looks: readonly Look[];
  readonly logStart: bigint;
  /** Of now: estimated where not all were counted. */
  readonly waiting: number;
  readonly reader: Reader;
  readonly next: NextRecord | undefined;
  /** Offsets that are written, and that it can't read yet: those behind the last stable one. */
  readonly heldBack: number;
  /** What holds them back, if anything does. */
  readonly blocking: Blocking | undefined;
  /** Keys whose records were put aside, and since when the first of them is, if that is known. */
  readonly parked: number;
  readonly parkedMs: number | undefined;
  /** Offsets per second, as timestamps tell; for a first look. */
  readonly arrivalPerSecond: number | undefined;
}

export interface JudgeLimits {
  /** Milliseconds without a commit, while records wait, after which a group stands. More than its commit interval. */
  readonly stalledAfterMs: number;
  /** Milliseconds after which an open transaction is no longer the ordinary course of things. */
  readonly blockedAfterMs: number;
}

export const JUDGE_DEFAULTS: JudgeLimits = { stalledAfterMs: 30_000, blockedAfterMs: 10_000 };

export interface Verdict {
  readonly status: Status;
  /** Why, in words. */
  readonly reason: string;
}

/** The worst that is true of a partition. Statuses that more looks could change are given only once there are enough. */
export function judge(facts: PartitionFacts, limits: JudgeLimits = JUDGE_DEFAULTS): Verdict {
  const now = facts.looks.at(-1);
  if (now === undefined) return { status: "unclear", reason: "not looked at yet" };
  const before = losing(facts, now) ?? blocked(facts, now, limits);
  if (before !== undefined) return before;
  const moving = now.isWaiting ? behind(facts, now, limits) : atTheEnd(facts);
  // What may yet turn out to stand is looked at on: parked keys would end the look as if it were clear.
  const comesFirst = moving.status === "stalled" || moving.status === "unclear";
  return comesFirst ? moving : (parked(facts) ?? moving);
}

/** The worst of several. */
export function worst(statuses: Iterable<Status>): Status {
  const found = new Set(statuses);
  return STATUSES.find((status) => found.has(status)) ?? "caught up";
}

function losing({ logStart }: PartitionFacts, { committed, written }: Look): Verdict | undefined {
  if (committed > written) {
    return {
      status: "losing data",
      reason: `the log ends at offset ${written}, before ${committed}, which is committed: it was cut off or made anew`,
    };
  }
  if (committed >= logStart) return undefined;
  return {
    status: "losing data",
    reason: `offsets ${committed} to ${logStart - 1n} were deleted before they were read: ${amount(logStart - committed, "offset")} lost`,
  };
}

function blocked(
  { heldBack, blocking, reader }: PartitionFacts,
  now: Look,
  { blockedAfterMs }: JudgeLimits,
): Verdict | undefined {
  // One that is behind has something else to do. Without readers nobody is kept from anything.
  if (now.isWaiting || heldBack === 0 || reader.kind === "nobody") return undefined;
  const { openMs } = blocking ?? {};
  if (openMs === undefined || openMs < blockedAfterMs) return undefined;
  return {
    status: "blocked",
    reason: `${amount(BigInt(heldBack), "offset")} wait behind ${nameOf(blocking)}, open for ${spanOf(openMs)}`,
  };
}

function nameOf(blocking: Blocking | undefined): string {
  const { producerId, transactionalId } = blocking ?? {};
  if (producerId === undefined) return "a transaction of an unknown producer";
  const id = transactionalId === undefined ? "" : `${JSON.stringify(transactionalId)}, `;
  return `the transaction of ${id}producer ${producerId}`;
}

function parked({ parked: keys, parkedMs }: PartitionFacts): Verdict | undefined {
  if (keys === 0) return undefined;
  const oldest = parkedMs === undefined ? "" : `, ${keys === 1 ? "" : "the first "}for ${spanOf(parkedMs)}`;
  return { status: "parked", reason: `${amount(BigInt(keys), "key")} put aside${oldest}` };
}

function atTheEnd({ heldBack, ...facts }: PartitionFacts): Verdict {
  const { reader } = facts;
  if (reader.kind === "nobody" && !arrives(facts))
    return { status: "idle", reason: `${nobody(reader)}, and nothing arrives` };
  const held = heldBack === 0 ? "" : `; ${amount(BigInt(heldBack), "offset")} wait for an open transaction to end`;
  return { status: "caught up", reason: `nothing waits${held}` };
}

function behind(facts: PartitionFacts, now: Look, { stalledAfterMs }: JudgeLimits): Verdict {
  const { looks, reader, next, waiting } = facts;
  const count = amount(BigInt(waiting), "record");
  if (looks.length < 2)
    return { status: "unclear", reason: `${count} wait; one look can't tell whether they are read` };
  const hasMoved = looks.some(({ committed }) => committed !== now.committed);
  if (!hasMoved && reader.kind === "nobody") return unread(facts, reader);
  const stands = standsMs(looks, now);
  if (stands >= stalledAfterMs) {
    const who =
      reader.kind === "member" ? `${reader.name} has` : reader.kind === "nobody" ? "its readers have" : "it has";
    return {
      status: "stalled",
      reason: `${who} committed nothing for ${spanOf(stands)} or more, before ${next === undefined ? `offset ${now.committed}` : placeOf(next)}`,
    };
  }
  // Before something was last caught up with is another story.
  const since = looks.slice(looks.findLastIndex(({ isWaiting }) => !isWaiting) + 1);
  const [first = now] = since;
  if (!since.some(({ committed }) => committed !== now.committed)) {
    if (since.length < looks.length) {
      const ago = spanOf(now.atMs - (looks[looks.length - since.length - 1]?.atMs ?? now.atMs));
      return { status: "keeping up", reason: `${count} wait; none did ${ago} ago` };
    }
    return { status: "unclear", reason: `${count} wait; nothing was committed in ${spanOf(now.atMs - first.atMs)}` };
  }
  const grown = Number(now.end - now.committed - (first.end - first.committed));
  // So much can be read, and not yet committed.
  if (grown > commitStep(looks)) {
    return { status: "falling behind", reason: `${grown} offsets more than ${spanOf(now.atMs - first.atMs)} ago` };
  }
  return { status: "keeping up", reason: `${count} wait, and no more than ${spanOf(now.atMs - first.atMs)} ago` };
}

/** Nobody reads, and what is committed doesn't move. */
function unread(facts: PartitionFacts, reader: Reader & { kind: "nobody" }): Verdict {
  const count = amount(BigInt(facts.waiting), "record");
  if (arrives(facts)) {
    return { status: "falling behind", reason: `${nobody(reader)}, and more arrives: ${count} wait` };
  }
  return { status: "idle", reason: `${nobody(reader)}, and nothing arrives: ${count} wait` };
}

/** Looks may be too close to see what comes now and then: timestamps tell of a longer time. */
function arrives({ looks, arrivalPerSecond }: Pick<PartitionFacts, "looks" | "arrivalPerSecond">): boolean {
  return (rateOf(looks, "written")?.perSecond ?? 0) > 0 || (arrivalPerSecond ?? 0) > 0;
}

/** Milliseconds since it was seen to commit anything, or to have nothing to do; or since it is looked at. */
function standsMs(looks: readonly Look[], now: Look): number {
  const last = looks.findLastIndex(({ committed, isWaiting }) => committed !== now.committed || !isWaiting);
  return now.atMs - (looks[last + 1]?.atMs ?? now.atMs);
}

function nobody({ members }: Reader & { kind: "nobody" }): string {
  return members === 0 ? "the group has no members" : `none of its ${members} members has this partition`;
}

function placeOf({ offset, key }: NextRecord): string {
  return `offset ${offset}, ${key === null ? "which has no key" : `key ${JSON.stringify(key)}`}`;
}

function amount(count: bigint, name: string): string {
  return `${count} ${name}${count === 1n ? "" : "s"}`;
}

const SPANS = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "min"],
  [1_000, "s"],
] as const;

/** A time as people say it: 4 s, 12 min, 3 h. */
export function spanOf(ms: number): string {
  const [size, unit] = SPANS.find(([span]) => ms >= 2 * span) ?? [1_000, "s"];
  return `${ms < 1_000 ? (ms / size).toFixed(1) : Math.round(ms / size)} ${unit}`;
}
