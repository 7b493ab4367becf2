import { murmur2 } from "../record-batch/murmur2.ts";
import { type Lineage, type Lineages, originOffset } from "./lineage.ts";
import { OffsetCounts } from "./offset-counts.ts";
import type { TargetRecord } from "./target-records.ts";

const TWO_POW_32 = 0x1_0000_0000;
const TWO_POW_11 = 2 ** 11;
/** Some 60 MB. */
const REMEMBERED_KEYS = 1_000_000;

/** What is remembered of one origin partition. */
interface Seen {
  readonly offsets: OffsetCounts;
  /** The highest offset so far, by target topic and key. */
  readonly highest: Map<string, Map<number, number>>;
}

/**
 * Judges the order of each key by itself: see `TargetLedger` for what is out of order. Takes the same records once more,
 * since a memory of all keys is needed only where some record was overtaken by any other.
 */
export class KeyOrder {
  readonly #lineages: Lineages;
  readonly #seen = new Map<Lineage, Seen>();
  #room: number;
  /** Records of keys beyond those that can be remembered. */
  unchecked = 0;

  constructor(lineages: Lineages, rememberedKeys = REMEMBERED_KEYS) {
    this.#lineages = lineages;
    this.#room = rememberedKeys;
  }

  /** False for a record that is out of order. */
  isInOrder({ target: { topic }, cursor, inPlace }: TargetRecord): boolean {
    const { bytes, originAt, keyStart, keyEnd } = cursor;
    if (originAt < 0 || keyStart < 0 || !inPlace) return true;
    const lineage = this.#lineages.find(bytes, originAt);
    const offset = originOffset(bytes, originAt);
    // What the ledger has not placed is foreign.
    if (lineage === undefined || offset < 0 || lineage.placed.count(offset) === 0) return true;
    const seen = this.#seen.get(lineage) ?? { offsets: new OffsetCounts(), highest: new Map() };
    this.#seen.set(lineage, seen);
    if (seen.offsets.add(offset) > 1) return true;
    const ofTopic = seen.highest.get(topic) ?? new Map<number, number>();
    seen.highest.set(topic, ofTopic);
    return this.#rises(ofTopic, keyHash(bytes, keyStart, keyEnd), offset);
  }

  #rises(highest: Map<number, number>, key: number, offset: number): boolean {
    const before = highest.get(key);
    if (before === undefined) {
      if (this.#room === 0) {
        this.unchecked++;
        return true;
      }
      this.#room--;
    } else if (offset < before) return false;
    highest.set(key, offset);
    return true;
  }
}

/** A key's name in 53 bits: 32 of murmur2, and 21 of FNV-1a. */
export function keyHash(bytes: Uint8Array, start: number, end: number): number {
  let fnv = 0x811c9dc5;
  for (let at = start; at < end; at++) fnv = Math.imul(fnv ^ (bytes[at] as number), 0x01000193);
  return Math.floor((fnv >>> 0) / TWO_POW_11) * TWO_POW_32 + (murmur2(bytes, start, end) >>> 0);
}
