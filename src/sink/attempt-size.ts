/**
 * How many operations are tried at once. All of a batch, as long as that goes well: what takes a database longer than the
 * deadline of a write would be tried in vain for ever. So an attempt of which nothing came halves it, if it took longer than
 * any that succeeded; each that succeeds at the full size makes it an eighth larger. All lanes share it, as they share the
 * database.
 */
export class AttemptSize {
  readonly #target: number;
  #most: number;
  /** Milliseconds, of those that succeeded. What fails sooner is no matter of size: nobody is there, or a document is locked. */
  #longest = 0;

  /** @param mostAtOnce that the target takes */
  constructor(mostAtOnce = Number.POSITIVE_INFINITY) {
    this.#target = Math.max(1, mostAtOnce);
    this.#most = this.#target;
  }

  get most(): number {
    return this.#most;
  }

  failed(tried: number, ms: number): void {
    if (ms > this.#longest) this.#most = Math.min(this.#most, Math.max(1, tried >> 1));
  }

  succeeded(tried: number, ms: number): void {
    this.#longest = Math.max(this.#longest, ms);
    if (tried >= this.#most) this.#most = Math.min(this.#target, tried + Math.max(1, tried >> 3));
  }
}
