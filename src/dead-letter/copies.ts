/** So many origins are remembered: some 30 MB. Copies come of a crash, so they lie close to each other. */
const REMEMBERED = 200_000;

/**
 * Tells copies of letters, by their origin, as long as they lie no more than `REMEMBERED` letters apart. Memory is
 * bounded by that: the origin that was met first is forgotten first.
 */
export class Copies {
  readonly #bound: number;
  readonly #seen = new Set<string>();
  /** True once an origin was forgotten: a copy of it would count again. */
  hasForgotten = false;

  constructor(bound = REMEMBERED) {
    this.#bound = bound;
  }

  /** True if the origin was met before. */
  has(origin: string): boolean {
    if (this.#seen.has(origin)) return true;
    this.#seen.add(origin);
    if (this.#seen.size > this.#bound) {
      const [first = ""] = this.#seen;
      this.#seen.delete(first);
      this.hasForgotten = true;
    }
    return false;
  }
}
