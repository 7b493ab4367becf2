/** Where a partition's log and a group in it stood at one moment. */
export interface Look {
  /** Milliseconds of a clock that only goes forward. */
  readonly atMs: number;
  readonly committed: bigint;
  /** How far the group could read: the last stable offset, or the high watermark for one that reads uncommitted records. */
  readonly end: bigint;
  /** The high watermark: how far the log was written. */
  readonly written: bigint;
  /** Whether any record waited. */
  readonly isWaiting: boolean;
}

/** Offsets per second: on a transactional topic markers count too. */
export interface Rate {
  readonly perSecond: number;
  /** The time it was seen over. */
  readonly seconds: number;
  /** Seen in looks, or told by the records' own timestamps, which a backfill brings from the past. */
  readonly by: "looks" | "timestamps";
}

/** How long until nothing waits any more, if all goes on as it does. */
export type CatchUp =
  | { readonly kind: "now" }
  /** `mostSeconds` is null where it may be never. */
  | { readonly kind: "in"; readonly leastSeconds: number; readonly mostSeconds: number | null }
  | { readonly kind: "never" }
  | { readonly kind: "unknown" };

/** As of two looks or more; undefined of fewer. */
export function rateOf(looks: readonly Look[], what: "committed" | "written"): Rate | undefined {
  const [first, last] = [looks[0], looks.at(-1)];
  if (first === undefined || last === undefined || last.atMs <= first.atMs) return undefined;
  const seconds = (last.atMs - first.atMs) / 1_000;
  return { perSecond: Math.max(0, Number(last[what] - first[what])) / seconds, seconds, by: "looks" };
}

/** The most that was committed at once between two looks. So far, at most, a group is ahead of what it has committed. */
export function commitStep(looks: readonly Look[]): number {
  return looks.slice(1).reduce((most, { committed }, i) => {
    const before = looks[i]?.committed ?? committed;
    return Math.max(most, Number(committed - before));
  }, 0);
}

/**
 * A group commits in steps, so what it has read between two looks is what it has committed, give or take one step: that
 * makes the range. It holds the truth for a group that reads at one pace and commits at intervals; one that changes its
 * pace is as unknown as any future.
 */
export function catchUpOf(looks: readonly Look[], isWaiting: boolean): CatchUp {
  const [first, last] = [looks[0], looks.at(-1)];
  if (!isWaiting) return { kind: "now" };
  if (first === undefined || last === undefined || last.atMs <= first.atMs) return { kind: "unknown" };
  const seconds = (last.atMs - first.atMs) / 1_000;
  const step = commitStep(looks);
  const gained = Number(last.committed - first.committed) - Number(last.end - first.end);
  const [slowest, fastest] = [(gained - step) / seconds, (gained + step) / seconds];
  if (fastest <= 0 || last.committed === first.committed) return { kind: "never" };
  const behind = Math.max(0, Number(last.end - last.committed));
  return {
    kind: "in",
    leastSeconds: Math.max(0, behind - step) / fastest,
    mostSeconds: slowest <= 0 ? null : behind / slowest,
  };
}

/**
 * The looks that tell something of now: not those before the group's offset was set back, or before the log was made
 * anew, and of the others those of the last `windowMs`, two at least.
 */
export function window(looks: readonly Look[], windowMs: number): readonly Look[] {
  const last = looks.at(-1);
  if (last === undefined) return [];
  const setBack = looks.findLastIndex(({ committed }, i) => committed < (looks[i - 1]?.committed ?? 0n));
  const lasting = setBack < 0 ? looks : looks.slice(setBack);
  const recent = lasting.findIndex(({ atMs }) => last.atMs - atMs <= windowMs);
  return lasting.slice(Math.max(0, Math.min(recent, lasting.length - 2)));
}
