/** One piece of work whose end lets the frontier move on. Made by `CommitFrontier.track`. */
export interface FrontierEntry {
  /** Reading goes on here once this entry and all before it are done. */
  readonly nextOffset: bigint;
  done: boolean;
}

/**
 * How far one partition may be committed while its records are finished out of order.
 *
 * Invariant: `position` is the `nextOffset` of the last entry up to which every tracked entry is done; it never jumps
 * over one that isn't. It is reckoned from received offsets only, so the gaps that compaction and transaction markers
 * leave in a log don't hold it up.
 */
export class CommitFrontier {
  #position: bigint;
  #entries: FrontierEntry[] = [];
  #head = 0;

  /** @param start where reading begins: nothing before it is ours */
  constructor(start: bigint) {
    this.#position = start;
  }

  /** The offset to commit: that of the next record to be read after a restart. */
  get position(): bigint {
    return this.#position;
  }

  /** Entries that are tracked and not yet behind the frontier. */
  get pending(): number {
    return this.#entries.length - this.#head;
  }

  /** Behind all that was tracked. */
  get #last(): bigint {
    return this.pending === 0 ? this.#position : (this.#entries.at(-1) as FrontierEntry).nextOffset;
  }

  /**
   * Tracks work in the order it was received.
   * @throws RangeError if `nextOffset` lies before that of an earlier entry: the caller mixed up the order
   */
  track(nextOffset: bigint): FrontierEntry {
    const last = this.#last;
    if (nextOffset < last) throw new RangeError(`offset ${nextOffset} is tracked after ${last}`);
    const entry = { nextOffset, done: false };
    this.#entries.push(entry);
    return entry;
  }

  /** Reading goes on at an earlier offset, if it is one: the log has lost its end, and what comes there now is new. */
  returnTo(offset: bigint): void {
    if (offset >= this.#last) return;
    const entry = { nextOffset: offset, done: false };
    this.#entries.push(entry);
    this.complete(entry);
  }

  /** Marks an entry as done and moves the frontier as far as it goes. */
  complete(entry: FrontierEntry): void {
    entry.done = true;
    for (; this.#head < this.#entries.length; this.#head++) {
      const first = this.#entries[this.#head] as FrontierEntry;
      if (!first.done) break;
      this.#position = first.nextOffset;
    }
    if (this.#head > 1024 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
  }
}
