/** The two bounds of an `InFlightLimit`. */
export interface InFlightBounds {
  readonly bytes: number;
  readonly items: number;
}

/** Once full, it opens again at this share of the bound, so that it doesn't flutter around it. */
const REOPEN_AT = 0.8;

/**
 * Bounds what is between two stages, in items and bytes. `enter` is called for every item that goes in and `leave` for
 * every one that comes out; whoever feeds the stage awaits `open` first. A single item may exceed the bound, so the
 * most that is ever in flight is the bound and one feeding step.
 */
export class InFlightLimit {
  readonly #bounds: InFlightBounds;
  #items = 0;
  #bytes = 0;
  #full = false;
  #waiting: (() => void)[] = [];

  constructor(bounds: InFlightBounds) {
    this.#bounds = bounds;
  }

  get items(): number {
    return this.#items;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** False from when a bound is reached until there is room again. */
  get isOpen(): boolean {
    return !this.#full;
  }

  enter(bytes: number, items = 1): void {
    this.#items += items;
    this.#bytes += bytes;
    if (this.#items >= this.#bounds.items || this.#bytes >= this.#bounds.bytes) this.#full = true;
  }

  leave(bytes: number, items = 1): void {
    this.#items -= items;
    this.#bytes -= bytes;
    const { items: maxItems, bytes: maxBytes } = this.#bounds;
    if (!this.#full || this.#items > maxItems * REOPEN_AT || this.#bytes > maxBytes * REOPEN_AT) return;
    this.#full = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  /** Resolves once there is room again. @throws the signal's reason when that is aborted first */
  async open(signal: AbortSignal): Promise<void> {
    while (this.#full) {
      signal.throwIfAborted();
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      signal.addEventListener("abort", resolve as () => void, { once: true });
      await promise;
      signal.removeEventListener("abort", resolve as () => void);
      this.#waiting = this.#waiting.filter((wake) => wake !== resolve);
    }
    signal.throwIfAborted();
  }
}
