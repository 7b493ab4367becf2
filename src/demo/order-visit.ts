/** What is known of a key's documents. */
export interface Frontier {
  /** The highest sequence number that was found, -1 for none. */
  readonly seen: number;
  /** By how much that grew at the last visit: the first guess for the next. */
  readonly stride: number;
}

export const NOTHING_SEEN: Frontier = { seen: -1, stride: 1 };

/** On each side of the edge the looks cover stretches of 1, 2, 4, 8 and 16 records. */
const FARTHEST_STRETCH = 16;

/**
 * One visit to a key while it is written: yields the sequence numbers to look for, is told which are there, and returns
 * what is known then.
 *
 * It first gallops and bisects to the edge of what is there, because records out of order are met nowhere else: what
 * overtook others lies shortly before their gap is filled. Then it looks on both sides of the edge, always from high to
 * low, once in each of ever longer stretches, so that few looks meet gaps of any length; where in a stretch is left to
 * chance, so that what one visit misses the next may meet.
 */
export function* visit(
  { seen, stride }: Frontier,
  acknowledged: number,
  random: () => number,
): Generator<number, Frontier, boolean> {
  const present = yield* edge({ seen, stride }, acknowledged);
  let highest = present;
  for (let stretch = FARTHEST_STRETCH; stretch >= 1; stretch /= 2) {
    const look = present + placeIn(stretch, random);
    // The edge's neighbour is known to be absent; it matters only once something behind it was found.
    if (look >= acknowledged || (stretch === 1 && highest === present)) continue;
    if (yield look) highest = Math.max(highest, look);
  }
  if (present > seen) {
    for (let stretch = 1; stretch <= FARTHEST_STRETCH; stretch *= 2) {
      const look = present - placeIn(stretch, random);
      if (look >= 0) yield look;
    }
  }
  return { seen: highest, stride: Math.max(1, highest - seen) };
}

/**
 * Gallops ahead from what was seen, then bisects: returns the highest that is there, if everything before it is, too.
 * Looks are below `end`.
 */
export function* edge({ seen, stride }: Frontier, end: number): Generator<number, number, boolean> {
  let present = seen;
  let absent = end;
  for (let step = stride; present + 1 < absent; ) {
    const look = absent === end ? Math.min(present + step, end - 1) : (present + absent) >> 1;
    if (yield look) present = look;
    else absent = look;
    step *= 2;
  }
  return present;
}

/** Distances from the edge: the stretch of length n begins at n. */
function placeIn(stretch: number, random: () => number): number {
  return stretch + Math.floor(random() * stretch);
}
