/** Offsets of one partition, from `begin` to before `end`. */
export interface OffsetRange {
  readonly partition: number;
  readonly begin: bigint;
  readonly end: bigint;
}

/**
 * Cuts the ranges into equal windows, and returns for each window what lies in it, in an order in which those that come
 * first are spread over the whole: whatever ends the reading early, it has seen more than the head.
 */
export function windowsOf(ranges: readonly OffsetRange[], count: number): readonly (readonly OffsetRange[])[] {
  const at = ({ begin, end }: OffsetRange, i: number) => begin + ((end - begin) * BigInt(i)) / BigInt(count);
  return spreadOrder(count)
    .map((i) =>
      ranges
        .map((range) => ({ partition: range.partition, begin: at(range, i), end: at(range, i + 1) }))
        .filter(({ begin, end }) => end > begin),
    )
    .filter((slices) => slices.length > 0);
}

/** 0, 1, 2 … with their bits turned round: 0, 4, 2, 6, 1, 5, 3, 7. */
function spreadOrder(count: number): readonly number[] {
  const bits = Math.ceil(Math.log2(Math.max(2, count)));
  const reversed = (i: number) => Number.parseInt(i.toString(2).padStart(bits, "0").split("").reverse().join(""), 2);
  return Array.from({ length: count }, (_, i) => i).toSorted((a, b) => reversed(a) - reversed(b));
}

interface Reach extends OffsetRange {
  readonly earliest: bigint;
  readonly latest: bigint;
}

/** What will be relayed; where nothing is left, all that there is: it tells what is to come. */
export function rangesToSample(positions: readonly Reach[]): {
  readonly of: "backlog" | "log";
  readonly ranges: readonly OffsetRange[];
} {
  const backlog = positions.map(({ partition, earliest, begin, end }) => ({
    partition,
    begin: begin > earliest ? begin : earliest,
    end,
  }));
  if (backlog.some(({ begin, end }) => end > begin)) return { of: "backlog", ranges: backlog };
  const whole = positions.map(({ partition, earliest: begin, latest: end }) => ({ partition, begin, end }));
  return { of: "log", ranges: whole };
}
