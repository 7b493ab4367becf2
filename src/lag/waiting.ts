import type { Tally } from "./counted-ranges.ts";

/** How many records wait for a group in a partition. */
export interface Waiting {
  /** Counted, or estimated: at least what was counted, at most `atMost`. */
  readonly messages: number;
  /** Every record was counted. */
  readonly exact: boolean;
  /** As many as there are offsets that could hold one. */
  readonly atMost: number;
}

/**
 * What was counted, and for the offsets that were not, as many records as the counted ones have held: one each where
 * nothing was counted. Where something is unknown, something waits.
 * @param offsets from the committed offset to the end
 */
export function waitingOf({ records, uncounted }: Tally, offsets: bigint): Waiting {
  const rest = Number(uncounted);
  const counted = Number(offsets) - rest;
  const density = counted === 0 ? 1 : records / counted;
  const estimate = records + Math.round(density * rest);
  return { messages: rest === 0 ? records : Math.max(1, estimate), exact: rest === 0, atMost: records + rest };
}
