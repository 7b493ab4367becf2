/**
 * Counts the keys that come up most, in bounded memory (Misra and Gries, 1982, pruned in bulk).
 *
 * Guarantee: a count is never more than the true one, and less by `error` at most, which is below total / capacity. So
 * every key with a greater share than that is among the counters.
 */
export class HeavyHitters {
  readonly #capacity: number;
  readonly #counts = new Map<string, number>();
  #total = 0;
  #error = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Of all that was added. */
  get total(): number {
    return this.#total;
  }

  /** By how much a count may fall short; 0 while no key was forgotten. */
  get error(): number {
    return this.#error;
  }

  add(key: string, weight = 1): void {
    this.#total += weight;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + weight);
    // Twice as many are let in before a look at all of them: then it costs little per record.
    if (this.#counts.size >= 2 * this.#capacity) this.#prune();
  }

  /** The keys with the highest counts, the highest first. */
  top(count: number): readonly { readonly key: string; readonly weight: number }[] {
    return [...this.#counts]
      .map(([key, weight]) => ({ key, weight }))
      .toSorted((a, b) => b.weight - a.weight)
      .slice(0, count);
  }

  /** Takes from all what the first that has no place would have: as much goes from `capacity` others, too. */
  #prune(): void {
    const cut = [...this.#counts.values()].toSorted((a, b) => b - a)[this.#capacity] ?? 0;
    this.#error += cut;
    for (const [key, weight] of this.#counts) {
      if (weight > cut) this.#counts.set(key, weight - cut);
      else this.#counts.delete(key);
    }
  }
}
