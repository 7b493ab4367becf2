import { hash } from "node:crypto";
import type { RecordBatch } from "../record-batch/batch.ts";
import { murmur2 } from "../record-batch/murmur2.ts";
import { isOriginKey, ORIGIN_BYTES } from "../record-batch/origin.ts";
import type { RecordCursor } from "../record-batch/record-cursor.ts";
import { timestampOf } from "../record-batch/records.ts";
import { readVarint, writeVarint } from "../record-batch/varint.ts";

const KEYED_BUCKETS = 65_536;
const KEYLESS_BUCKETS = 65_536;
const COUNT_BYTES = 5;

/** Hashes records by what a relay must not change: key, value, headers but for the origin, and timestamp. */
export class ContentHasher {
  #scratch = Buffer.alloc(64 * 1024);

  /** SHA-256 of the cursor's record. */
  hash(cursor: RecordCursor, batch: RecordBatch): Buffer {
    const { bytes, keyField, headerCountField, headersStart, recordEnd, headerCount, originAt } = cursor;
    const needed = 8 + COUNT_BYTES + recordEnd - keyField;
    if (needed > this.#scratch.length) this.#scratch = Buffer.alloc(needed * 2);
    const scratch = this.#scratch;
    let at = scratch.writeBigInt64BE(timestampOf(cursor, batch), 0);
    at += bytes.copy(scratch, at, keyField, headerCountField);
    at = writeVarint(scratch, at, originAt < 0 ? headerCount : headerCount - 1);
    if (originAt < 0) {
      at += bytes.copy(scratch, at, headersStart, recordEnd);
    } else {
      at += bytes.copy(scratch, at, headersStart, originHeaderStart(cursor));
      at += bytes.copy(scratch, at, originAt + ORIGIN_BYTES, recordEnd);
    }
    return hash("sha256", scratch.subarray(0, at), "buffer");
  }
}

/** Where the header begins whose value is the cursor's origin. */
function originHeaderStart({ bytes, headersStart, originAt, recordEnd }: RecordCursor): number {
  const out = { end: headersStart };
  for (;;) {
    const start = out.end;
    const keyLength = readVarint(bytes, start, recordEnd, out);
    const keyStart = out.end;
    const valueLength = readVarint(bytes, keyStart + keyLength, recordEnd, out);
    if (out.end === originAt && isOriginKey(bytes, keyStart, keyStart + keyLength)) return start;
    out.end += Math.max(valueLength, 0);
  }
}

/**
 * Buckets by key. All keys of one bucket lie in one partition, in every topic that Kafka's partitioner filled: so their
 * order is the same in source and target, and a digest of it can be compared. Records without a key are in buckets of
 * their own by content.
 */
export class Buckets {
  readonly #keyed: number;

  /** @param partitionCounts of all topics that are compared */
  constructor(partitionCounts: readonly number[]) {
    const together = partitionCounts.reduce(leastCommonMultiple, 1);
    // With too many, a bucket's order differs without a fault; whoever looks into the bucket finds that there is none.
    this.#keyed = together > KEYED_BUCKETS ? KEYED_BUCKETS : KEYED_BUCKETS - (KEYED_BUCKETS % together);
  }

  get count(): number {
    return this.#keyed + KEYLESS_BUCKETS;
  }

  of({ bytes, keyStart, keyEnd }: Pick<RecordCursor, "bytes" | "keyStart" | "keyEnd">, content: Buffer): number {
    if (keyStart < 0) return this.#keyed + (content.readUInt32LE(0) % KEYLESS_BUCKETS);
    return (murmur2(bytes, keyStart, keyEnd) & 0x7fffffff) % this.#keyed;
  }

  isOrdered(bucket: number): boolean {
    return bucket < this.#keyed;
  }
}

/** A digest of 64 bits for each bucket: of a sequence where the order counts, else of a multiset. 1.5 MB. */
export class ContentDigest {
  readonly #buckets: Buckets;
  readonly records: Uint32Array;
  readonly #low: Uint32Array;
  readonly #high: Uint32Array;

  constructor(buckets: Buckets) {
    this.#buckets = buckets;
    this.records = new Uint32Array(buckets.count);
    this.#low = new Uint32Array(buckets.count);
    this.#high = new Uint32Array(buckets.count);
  }

  add(bucket: number, content: Buffer): void {
    const isOrdered = this.#buckets.isOrdered(bucket);
    const [low, high] = [this.#low[bucket] as number, this.#high[bucket] as number];
    this.#low[bucket] = Math.imul(low, isOrdered ? 0x5bd1e995 : 1) + content.readUInt32LE(4);
    this.#high[bucket] = Math.imul(high, isOrdered ? 0x01000193 : 1) + content.readUInt32LE(8);
    this.records[bucket] = (this.records[bucket] as number) + 1;
  }

  /** The buckets that hold something else, or in another order. */
  differing(other: ContentDigest): number[] {
    const found: number[] = [];
    for (let bucket = 0; bucket < this.records.length; bucket++) {
      const isSame =
        this.records[bucket] === other.records[bucket] &&
        this.#low[bucket] === other.#low[bucket] &&
        this.#high[bucket] === other.#high[bucket];
      if (!isSame) found.push(bucket);
    }
    return found;
  }
}

function leastCommonMultiple(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return (a / x) * b;
}
