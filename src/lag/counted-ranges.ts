/** Offsets of a log and how many records lie there. */
export interface CountedRange {
  readonly from: bigint;
  /** Behind the last offset. */
  readonly to: bigint;
  readonly records: number;
}

/** How many records lie between two offsets, as far as it is known. */
export interface Tally {
  /** In the offsets that are counted. */
  readonly records: number;
  /** The offsets of which nothing is known. */
  readonly uncounted: bigint;
}

const MOST_RANGES = 4_096;

/**
 * How many records lie where in one partition's log: what was read once needs no reading again. Offsets alone can't
 * tell, since some hold transaction markers or aborted records, and compaction takes others away.
 *
 * Ranges are kept in order, without overlaps. One with a record at every offset, or at none, can be cut anywhere; any
 * other is known as a whole only. Neighbours that can be cut are kept as one, so a log without holes takes no room.
 * Beyond a bound, neighbours become one of which the parts are no longer known.
 */
export class CountedRanges {
  #ranges: CountedRange[] = [];

  /**
   * Ranges in the order of their offsets, as they were read in one piece. What was known of these offsets is forgotten;
   * of a range that only partly lies there, the whole.
   */
  add(read: readonly CountedRange[]): void {
    const [first, last] = [read[0], read.at(-1)];
    if (first === undefined || last === undefined) return;
    const before = this.#ranges.flatMap((one) => cut(one, one.from, least(one.to, first.from)) ?? []);
    const behind = this.#ranges.flatMap((one) => cut(one, greatest(one.from, last.to), one.to) ?? []);
    this.#ranges = [...before, ...read, ...behind].reduce<CountedRange[]>(join, []);
    while (this.#ranges.length > MOST_RANGES && this.#coarsen());
  }

  /** Nobody asks for offsets below it any more. */
  forgetBelow(offset: bigint): void {
    this.#ranges = this.#ranges.flatMap((one) => cut(one, greatest(one.from, offset), one.to) ?? []);
  }

  count(from: bigint, to: bigint): Tally {
    let records = 0;
    let uncounted = to > from ? to - from : 0n;
    for (const range of this.#within(from, to)) {
      records += range.records;
      uncounted -= range.to - range.from;
    }
    return { records, uncounted };
  }

  /** The first offsets between two of which nothing is known; undefined if there are none. */
  gap(from: bigint, to: bigint): { readonly from: bigint; readonly to: bigint } | undefined {
    let at = from;
    for (const range of this.#within(from, to)) {
      if (range.from > at) return { from: at, to: range.from };
      at = range.to;
    }
    return at < to ? { from: at, to } : undefined;
  }

  #within(from: bigint, to: bigint): readonly CountedRange[] {
    return this.#ranges.flatMap((one) => cut(one, greatest(one.from, from), least(one.to, to)) ?? []);
  }

  /** Makes up to half as many ranges of them; false where none are neighbours, as offsets between them aren't known. */
  #coarsen(): boolean {
    const coarser: CountedRange[] = [];
    for (const [i, range] of this.#ranges.entries()) {
      const last = coarser.at(-1);
      if (i % 2 === 1 && last?.to === range.from) {
        coarser[coarser.length - 1] = { from: last.from, to: range.to, records: last.records + range.records };
      } else coarser.push(range);
    }
    const isCoarser = coarser.length < this.#ranges.length;
    this.#ranges = coarser;
    return isCoarser;
  }
}

function isDense({ from, to, records }: CountedRange): boolean {
  return BigInt(records) === to - from;
}

/** The part of a range between offsets within it; undefined if that is empty, or not known. */
function cut(range: CountedRange, from: bigint, to: bigint): CountedRange | undefined {
  if (from >= to) return undefined;
  if (from === range.from && to === range.to) return range;
  if (range.records === 0) return { from, to, records: 0 };
  return isDense(range) ? { from, to, records: Number(to - from) } : undefined;
}

function join(ranges: CountedRange[], next: CountedRange): CountedRange[] {
  const last = ranges.at(-1);
  const isSame = last !== undefined && ((isDense(last) && isDense(next)) || (last.records === 0 && next.records === 0));
  if (isSame && last.to === next.from) {
    ranges[ranges.length - 1] = { from: last.from, to: next.to, records: last.records + next.records };
  } else ranges.push(next);
  return ranges;
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function greatest(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
