import { isUtf8 } from "node:buffer";
import { Copies } from "./copies.ts";
import { type Letter, originText } from "./letter.ts";

/** So many keys are counted at once. */
const KEYS = 10_000;
const HOUR_MS = 3_600_000;
/** Whoever writes a time beyond these has written none. */
const FIRST_MS = Date.UTC(2000);
const LAST_MS = Date.UTC(2100);

export interface Count {
  readonly name: string;
  readonly letters: number;
}

export interface SummaryReport {
  /** Each record once. */
  readonly letters: number;
  /** The same record again, as a crash leaves it. */
  readonly copies: number;
  /** Letters lie so far apart that copies may have been counted as letters. */
  readonly copiesMayCount: boolean;
  /** Pieces of batches that could not be read: no records, and in none of the counts below. */
  readonly batchParts: number;
  readonly byError: readonly Count[];
  /** The most frequent keys. */
  readonly byKey: readonly Count[];
  /** False where there are so many keys that the counts are the least there is of each. */
  readonly keysAreExact: boolean;
  /** By hour, named by its beginning. */
  readonly byTime: readonly Count[];
  readonly withoutTime: number;
}

/**
 * Counts dead letters by what went wrong, key and hour. Memory is bounded, however many there are: by the origins that
 * `Copies` remembers, by 10,000 keys, by codes (a few) and hours (of a century).
 */
export class Summary {
  readonly #copies = new Copies();
  readonly #byError = new Map<string, number>();
  readonly #byKey: FrequentKeys;
  readonly #byHour = new Map<number, number>();
  #letters = 0;
  #copied = 0;
  #parts = 0;
  #timeless = 0;

  constructor(keys = KEYS) {
    this.#byKey = new FrequentKeys(keys);
  }

  add(letter: Letter): void {
    if (letter.batchPart !== undefined) {
      this.#parts++;
      return;
    }
    if (this.#copies.has(originText(letter))) {
      this.#copied++;
      return;
    }
    this.#letters++;
    count(this.#byError, letter.code);
    this.#byKey.add(keyName(letter.record.key));
    const { failedAt } = letter;
    if (failedAt === undefined || failedAt < FIRST_MS || failedAt > LAST_MS) this.#timeless++;
    else count(this.#byHour, Math.floor(failedAt / HOUR_MS));
  }

  /** @param top how many keys to name */
  report(top: number): SummaryReport {
    return {
      letters: this.#letters,
      copies: this.#copied,
      copiesMayCount: this.#copies.hasForgotten,
      batchParts: this.#parts,
      byError: sorted(this.#byError),
      byKey: sorted(this.#byKey.counts).slice(0, top),
      keysAreExact: this.#byKey.isExact,
      byTime: [...this.#byHour]
        .toSorted(([a], [b]) => a - b)
        .map(([hour, letters]) => ({ name: new Date(hour * HOUR_MS).toISOString(), letters })),
      withoutTime: this.#timeless,
    };
  }
}

/** As people read it: text, or base64 where it is none. */
export function keyName(key: Buffer | null): string {
  if (key === null) return "(no key)";
  return isUtf8(key) ? key.toString("utf8") : `base64:${key.toString("base64")}`;
}

/** Misra and Gries, 1982: what is more frequent than one in `bound` is there in the end, whatever else there is. */
class FrequentKeys {
  readonly counts = new Map<string, number>();
  readonly #bound: number;
  isExact = true;

  constructor(bound: number) {
    this.#bound = bound;
  }

  add(key: string): void {
    if (this.counts.has(key) || this.counts.size < this.#bound) {
      count(this.counts, key);
      return;
    }
    this.isExact = false;
    for (const [other, letters] of this.counts) {
      if (letters === 1) this.counts.delete(other);
      else this.counts.set(other, letters - 1);
    }
  }
}

function count<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function sorted(counts: ReadonlyMap<string, number>): readonly Count[] {
  return [...counts].map(([name, letters]) => ({ name, letters })).toSorted((a, b) => b.letters - a.letters);
}
