/** One transaction that was aborted, as a fetch response lists it. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
}

/**
 * Tells which batches of one fetch response belong to aborted transactions.
 *
 * A response's list is complete in itself but unsorted; it may name a producer several times, and names transactions
 * that began before the first batch or after the last. So entries become active in the order of their first offset as
 * the batches go by, and an abort marker ends its producer's entry again. Make a new filter for every response.
 */
export class AbortedFilter {
  readonly #waiting: AbortedTransaction[];
  readonly #active = new Set<bigint>();
  #next = 0;

  constructor(aborted: readonly AbortedTransaction[]) {
    this.#waiting = aborted.toSorted((a, b) =>
      a.firstOffset < b.firstOffset ? -1 : a.firstOffset > b.firstOffset ? 1 : 0,
    );
  }

  /** True if a transactional batch of data was aborted. Call it for every batch that has a producer id, in order. */
  isAborted(producerId: bigint, lastOffset: bigint): boolean {
    for (; this.#next < this.#waiting.length; this.#next++) {
      const entry = this.#waiting[this.#next] as AbortedTransaction;
      if (entry.firstOffset > lastOffset) break;
      this.#active.add(entry.producerId);
    }
    return this.#active.has(producerId);
  }

  /** An abort marker of this producer has gone by: its next transaction is judged anew. */
  abortMarker(producerId: bigint): void {
    this.#active.delete(producerId);
  }
}
