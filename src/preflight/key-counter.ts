import { createHash } from "node:crypto";
import { partitionForKey } from "../record-batch/murmur2.ts";
import { OTHER_PARTITIONERS, type OtherPartitioner } from "./partitioners.ts";
import type { KeyFacts } from "./sample.ts";

/** So many keys are remembered, and no more, however large the sample is asked to be. */
const REMEMBERED_KEYS = 50_000;
/** Longer ones are remembered by their hash. */
const LONGEST_KEY = 128;

interface Seen {
  readonly partition: number;
  way: string | undefined;
  isElsewhere: boolean;
  isSplit: boolean;
}

/** Looks where the keys of the source lie, and where they go. */
export class KeyCounter {
  readonly #sourcePartitions: number;
  readonly #seen = new Map<string, Seen>();
  readonly #elsewhere: Record<OtherPartitioner, number>;
  #isCut = false;
  #records = 0;
  #misplaced = 0;
  #inSeveralPartitions = 0;
  #onSeveralRoutes = 0;

  constructor(sourcePartitions: number) {
    this.#sourcePartitions = sourcePartitions;
    this.#elsewhere = { "librdkafka's CRC-32": 0, "Sarama's FNV-1a": 0 };
  }

  /** @param way where the record goes; undefined for one that is dropped, which splits nothing */
  add(key: Uint8Array, keyName: string, partition: number, way: string | undefined): void {
    this.#records++;
    if (partitionForKey(key, 0, key.length, this.#sourcePartitions) !== partition) {
      this.#misplaced++;
      for (const name of Object.keys(OTHER_PARTITIONERS) as OtherPartitioner[]) {
        if (OTHER_PARTITIONERS[name](key, this.#sourcePartitions) === partition) this.#elsewhere[name]++;
      }
    }
    const seen = this.#seen.get(keyName);
    if (seen === undefined) {
      this.#isCut ||= this.#seen.size >= REMEMBERED_KEYS;
      if (!this.#isCut) this.#seen.set(keyName, { partition, way, isElsewhere: false, isSplit: false });
      return;
    }
    if (!seen.isElsewhere && seen.partition !== partition) {
      seen.isElsewhere = true;
      this.#inSeveralPartitions++;
    }
    if (way === undefined || seen.isSplit || seen.way === way) return;
    if (seen.way === undefined) {
      seen.way = way;
    } else {
      seen.isSplit = true;
      this.#onSeveralRoutes++;
    }
  }

  get counted(): KeyFacts {
    return {
      records: this.#records,
      distinct: this.#seen.size,
      isCut: this.#isCut,
      misplaced: this.#misplaced,
      elsewhere: this.#elsewhere,
      inSeveralPartitions: this.#inSeveralPartitions,
      onSeveralRoutes: this.#onSeveralRoutes,
    };
  }
}

/** A key as it is remembered and shown. */
export function nameOf(key: Buffer): string {
  if (key.length > LONGEST_KEY) return `sha256:${createHash("sha256").update(key).digest("hex")}`;
  const text = key.toString("utf8");
  // Other bytes than text must not come out alike.
  return text.includes("\ufffd") ? `0x${key.toString("hex")}` : text;
}
