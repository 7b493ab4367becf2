import type { AcknowledgedRecords, LedgerRecord } from "./acknowledged.ts";

/** A document as the database holds it: whatever it is, it may be wrong. */
export interface StoredDocument {
  readonly id: unknown;
  readonly key: unknown;
  readonly sequence: unknown;
}

/** Acknowledged records compared with the documents that are there. */
export interface Stock {
  readonly documents: number;
  /** Acknowledged records without a document. */
  readonly missing: number;
  /** Documents beyond one per record. */
  readonly duplicates: number;
  /** Documents that no acknowledged record accounts for. */
  readonly strangers: number;
  /** Documents of an acknowledged record whose `_id` isn't the one its place in the hot topic asks for. */
  readonly misnamed: number;
  /** Some of the missing records, for the message. */
  readonly firstMissing: readonly LedgerRecord[];
  /** How many records of the keys that `select` picks have a document. */
  readonly countWritten: (select: (key: string) => boolean) => number;
}

const SHOWN = 10;
const MANY = 255;

/**
 * Counts documents per record in one pass over all of them. Needs five bytes a record beside the ledger's own.
 * @throws RangeError if two records were acknowledged for one key and sequence number: then nothing can be counted
 */
export async function takeStock(
  records: AcknowledgedRecords,
  documents: AsyncIterable<StoredDocument>,
  onDocument?: (count: number) => void,
): Promise<Stock> {
  const slots = new Slots(records);
  const counts = new Uint8Array(slots.size);
  let total = 0;
  let duplicates = 0;
  let strangers = 0;
  let misnamed = 0;
  for await (const { id, key, sequence } of documents) {
    total++;
    onDocument?.(total);
    const slot = slots.find(key, sequence);
    const number = slot === undefined ? undefined : slots.recordIn(slot);
    if (slot === undefined || number === undefined) {
      strangers++;
      continue;
    }
    const before = counts[slot] as number;
    if (before > 0) duplicates++;
    counts[slot] = Math.min(MANY, before + 1);
    if (id !== records.idOf(number)) misnamed++;
  }

  let missing = 0;
  const firstMissing: LedgerRecord[] = [];
  const writtenOfKey = new Uint32Array(records.keyCount);
  for (let number = 0; number < records.count; number++) {
    const keyIndex = records.keyOf(number);
    if ((counts[slots.slot(keyIndex, records.sequenceOf(number))] as number) > 0) {
      writtenOfKey[keyIndex] = (writtenOfKey[keyIndex] as number) + 1;
    } else {
      missing++;
      if (firstMissing.length < SHOWN) firstMissing.push(records.record(number));
    }
  }
  return {
    documents: total,
    missing,
    duplicates,
    strangers,
    misnamed,
    firstMissing,
    countWritten: (select) =>
      writtenOfKey.reduce((sum, count, keyIndex) => (select(records.key(keyIndex)) ? sum + count : sum), 0),
  };
}

/** A place for each key and sequence number up to the key's highest, and which record is in it. */
class Slots {
  readonly size: number;
  readonly #records: AcknowledgedRecords;
  /** Key k has the slots from `#starts[k]` to below `#starts[k + 1]`. */
  readonly #starts: Uint32Array;
  /** The record's number + 1, 0 where there is none. */
  readonly #recordPlusOne: Uint32Array;

  constructor(records: AcknowledgedRecords) {
    this.#records = records;
    const lengths = new Uint32Array(records.keyCount);
    for (let number = 0; number < records.count; number++) {
      const keyIndex = records.keyOf(number);
      lengths[keyIndex] = Math.max(lengths[keyIndex] as number, records.sequenceOf(number) + 1);
    }
    this.#starts = new Uint32Array(records.keyCount + 1);
    for (const [keyIndex, length] of lengths.entries()) {
      this.#starts[keyIndex + 1] = (this.#starts[keyIndex] as number) + length;
    }
    this.size = this.#starts[records.keyCount] as number;
    this.#recordPlusOne = new Uint32Array(this.size);
    for (let number = 0; number < records.count; number++) {
      const slot = this.slot(records.keyOf(number), records.sequenceOf(number));
      if (this.#recordPlusOne[slot] !== 0) {
        const { key, sequence, id } = records.record(number);
        throw new RangeError(`record ${sequence} of key ${key} was acknowledged twice, the second time as ${id}`);
      }
      this.#recordPlusOne[slot] = number + 1;
    }
  }

  slot(keyIndex: number, sequence: number): number {
    return (this.#starts[keyIndex] as number) + sequence;
  }

  find(key: unknown, sequence: unknown): number | undefined {
    const keyIndex = typeof key === "string" ? this.#records.indexOfKey(key) : undefined;
    const number = typeof sequence === "bigint" ? Number(sequence) : sequence;
    if (keyIndex === undefined || typeof number !== "number" || !Number.isSafeInteger(number) || number < 0) {
      return undefined;
    }
    const slot = this.slot(keyIndex, number);
    return slot < (this.#starts[keyIndex + 1] as number) ? slot : undefined;
  }

  recordIn(slot: number): number | undefined {
    const plusOne = this.#recordPlusOne[slot] as number;
    return plusOne === 0 ? undefined : plusOne - 1;
  }
}
