/** What a database can't do of so few within the deadline of a write is an outage, and no matter of their number. */
const LEAST = 100;

/**
 * How many operations are tried at once. All of a batch, as long as answers come in time: what takes a database longer than
 * the deadline of a write would be tried in vain for ever. So an attempt whose answer is late halves it, and each that
 * succeeds at the full size makes it an eighth larger. All writers share it, as they share the database.
 */
export class AttemptSize {
  #most = Number.POSITIVE_INFINITY;

  get most(): number {
    return this.#most;
  }

  late(tried: number): void {
    if (tried > LEAST) this.#most = Math.min(this.#most, Math.max(LEAST, tried >> 1));
  }

  succeeded(tried: number): void {
    if (tried >= this.#most) this.#most = tried + (tried >> 3);
  }
}
