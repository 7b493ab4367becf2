/** A member of a group as its leader sees it. */
export interface AssignorMember {
  readonly id: string;
  readonly topics: readonly string[];
  /** What it read in the generation before, and which that was (-1: none). */
  readonly owned: readonly { readonly topic: string; readonly partition: number }[];
  readonly ownedIn: number;
}

interface Slot {
  readonly topic: string;
  readonly partition: number;
}

/**
 * Deals partitions out to members: as evenly as subscriptions allow, and so that as few as possible move (sticky).
 *
 * Every partition of a subscribed topic gets exactly one member. Where all members subscribe to the same topics, their
 * counts differ by at most one, and no partition moves that need not for that. Where two claim to have owned a
 * partition (one missed a generation), the claim from the later generation counts.
 */
export function assignPartitions(
  members: readonly AssignorMember[],
  partitionCounts: ReadonlyMap<string, number>,
): ReadonlyMap<string, readonly Slot[]> {
  const sorted = members.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const subscribers = new Map<string, AssignorMember[]>();
  for (const member of sorted) {
    for (const topic of new Set(member.topics)) subscribers.set(topic, [...(subscribers.get(topic) ?? []), member]);
  }
  const slots = [...subscribers.keys()]
    .toSorted()
    .flatMap((topic) =>
      Array.from({ length: partitionCounts.get(topic) ?? 0 }, (_, partition) => ({ topic, partition })),
    );

  const owners = ownersOf(sorted);
  const assigned = new Map<string, Slot[]>(sorted.map(({ id }) => [id, []]));
  const loadOf = (id: string) => assigned.get(id)?.length ?? 0;
  // Everybody may keep `floor`; `extra` of them one more. That is as even as it gets, whoever the extra ones are.
  const floor = Math.floor(slots.length / Math.max(1, sorted.length));
  let extra = slots.length - floor * sorted.length;
  const free: Slot[] = [];
  for (const slot of slots) {
    const owner = owners.get(slotKey(slot));
    const mayKeep = owner?.topics.includes(slot.topic) === true;
    if (mayKeep && loadOf(owner.id) < floor) {
      assigned.get(owner.id)?.push(slot);
    } else if (mayKeep && loadOf(owner.id) === floor && extra > 0) {
      extra--;
      assigned.get(owner.id)?.push(slot);
    } else {
      free.push(slot);
    }
  }
  for (const slot of free) {
    const candidates = subscribers.get(slot.topic) ?? [];
    const least = candidates.reduce((best, candidate) => (loadOf(candidate.id) < loadOf(best.id) ? candidate : best));
    assigned.get(least.id)?.push(slot);
  }
  return assigned;
}

function ownersOf(members: readonly AssignorMember[]): Map<string, AssignorMember> {
  const owners = new Map<string, AssignorMember>();
  for (const member of members) {
    for (const slot of member.owned) {
      const rival = owners.get(slotKey(slot));
      if (rival === undefined || member.ownedIn > rival.ownedIn) owners.set(slotKey(slot), member);
    }
  }
  return owners;
}

function slotKey({ topic, partition }: Slot): string {
  return `${topic}/${partition}`;
}
