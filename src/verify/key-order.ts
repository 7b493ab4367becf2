import { murmur2 } from "../record-batch/murmur2.ts";

const TWO_POW_32 = 0x1_0000_0000;
const TWO_POW_11 = 2 ** 11;

/** How many more keys may be remembered, by all that share the budget. */
export interface KeyBudget {
  left: number;
  /** Records that were not judged since it was used up. */
  unchecked: number;
}

/** Some 60 MB of keys. */
export function newKeyBudget(left = 1_000_000): KeyBudget {
  return { left, unchecked: 0 };
}

/**
 * The highest offset so far of each key, where nothing less will do: of records that came through several relays, those
 * of different keys may overtake each other rightly. Keys are known by 53 bits of hash.
 */
export class KeyOrder {
  readonly #highest = new Map<number, number>();
  readonly #budget: KeyBudget;

  constructor(budget: KeyBudget) {
    this.#budget = budget;
  }

  /** False if a higher offset of the key has come before. */
  rises(key: number, offset: number): boolean {
    const before = this.#highest.get(key);
    if (before === undefined) {
      if (this.#budget.left === 0) {
        this.#budget.unchecked++;
        return true;
      }
      this.#budget.left--;
    } else if (offset < before) return false;
    this.#highest.set(key, offset);
    return true;
  }
}

/** 32 bits of murmur2 and 21 of FNV-1a. */
export function keyHash(bytes: Uint8Array, start: number, end: number): number {
  let fnv = 0x811c9dc5;
  for (let at = start; at < end; at++) fnv = Math.imul(fnv ^ (bytes[at] as number), 0x01000193);
  return Math.floor((fnv >>> 0) / TWO_POW_11) * TWO_POW_32 + (murmur2(bytes, start, end) >>> 0);
}
