/** Chooses lanes for records as they come in. */
export class LaneChoice {
  readonly #lanes: number;
  readonly #batchRecords: number;
  #keyless = 0;
  #given = 0;

  constructor({ lanes, batchRecords }: { readonly lanes: number; readonly batchRecords: number }) {
    this.#lanes = lanes;
    this.#batchRecords = batchRecords;
  }

  /** Records without a key may take any lane: they fill a batch of one, then of the next. */
  key(hash: number | undefined): number {
    if (hash !== undefined) return laneOf(hash, this.#lanes);
    if (this.#given === this.#batchRecords) this.nextFetch();
    this.#given++;
    return this.#keyless;
  }

  /** Those fetched next take another lane: it may be idle while this one still writes. */
  nextFetch(): void {
    this.#given = 0;
    this.#keyless = (this.#keyless + 1) % this.#lanes;
  }
}

/**
 * The lane of a key, from its murmur2 hash. Kafka places records by that same hash, so within one partition the plain
 * remainder would reach a few lanes only (4 of 32 where a topic has 24 partitions); mixed first, it reaches all.
 */
export function laneOf(keyHash: number, lanes: number): number {
  let h = keyHash ^ (keyHash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) % lanes;
}
