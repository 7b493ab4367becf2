const PAGE_OFFSETS = 65_536;

/**
 * How often each offset of one partition was seen: one bit for the first time, in pages of 65,536 offsets that are made
 * when they are first needed. Only a page in which something is seen again gets a counter per offset.
 *
 * Memory: 8 KiB for each page that holds anything (1.8 MB for 14.5 million offsets in a row), and 256 KiB more for each
 * in which anything is repeated. How far apart the offsets lie doesn't matter beyond that.
 */
export class OffsetCounts {
  readonly #seen = new Map<number, Uint32Array>();
  /** Beyond the first time. */
  readonly #repeats = new Map<number, Uint32Array>();
  // Neighbours come one after the other, so the page of the last one is most often that of the next.
  #lastNumber = -1;
  #lastPage: Uint32Array | undefined;

  /** Counts an offset, which must be a safe integer of at least 0; returns how often it has been seen now. */
  add(offset: number): number {
    const number = Math.floor(offset / PAGE_OFFSETS);
    const page = this.#page(number) ?? this.#newPage(number);
    const at = offset % PAGE_OFFSETS;
    const bit = 1 << (at & 31);
    const word = page[at >>> 5] as number;
    if ((word & bit) === 0) {
      page[at >>> 5] = word | bit;
      return 1;
    }
    let repeats = this.#repeats.get(number);
    if (repeats === undefined) {
      repeats = new Uint32Array(PAGE_OFFSETS);
      this.#repeats.set(number, repeats);
    }
    repeats[at] = (repeats[at] as number) + 1;
    return (repeats[at] as number) + 1;
  }

  count(offset: number): number {
    const number = Math.floor(offset / PAGE_OFFSETS);
    const page = this.#page(number);
    if (page === undefined) return 0;
    const at = offset % PAGE_OFFSETS;
    if (((page[at >>> 5] as number) & (1 << (at & 31))) === 0) return 0;
    return 1 + (this.#repeats.get(number)?.[at] ?? 0);
  }

  /** The offsets that were seen, in ascending order, but for those that `others` have seen as often together. */
  *moreOftenThan(...others: readonly OffsetCounts[]): Generator<{ readonly offset: number; readonly more: number }> {
    for (const number of [...this.#seen.keys()].toSorted((a, b) => a - b)) {
      const page = this.#page(number) as Uint32Array;
      const isRepeated = this.#repeats.has(number);
      const theirs = others.map((other) => other.#page(number));
      for (let word = 0; word < page.length; word++) {
        let bits = page[word] as number;
        // Whole words at a time where nothing here was seen twice: all that the others have seen is enough then.
        if (!isRepeated) for (const their of theirs) bits &= ~(their?.[word] ?? 0);
        for (; bits !== 0; bits &= bits - 1) {
          const offset = number * PAGE_OFFSETS + word * 32 + (31 - Math.clz32(bits & -bits));
          const more = this.count(offset) - others.reduce((sum, other) => sum + other.count(offset), 0);
          if (more > 0) yield { offset, more };
        }
      }
    }
  }

  #page(number: number): Uint32Array | undefined {
    if (number === this.#lastNumber) return this.#lastPage;
    const page = this.#seen.get(number);
    if (page !== undefined) {
      this.#lastNumber = number;
      this.#lastPage = page;
    }
    return page;
  }

  #newPage(number: number): Uint32Array {
    const page = new Uint32Array(PAGE_OFFSETS / 32);
    this.#seen.set(number, page);
    this.#lastNumber = number;
    this.#lastPage = page;
    return page;
  }
}
