import type { RecordBatch } from "./batch.ts";
import { isOriginKey, ORIGIN_BYTES } from "./origin.ts";
import { readVarint, readVarlong, type VarintEnd } from "./varint.ts";

/**
 * The most headers of one record, not counting its origin, which a relay may add. Each becomes an object of some 170
 * bytes, though it may take but two in its batch: a batch of a few thousand bytes could decompress to millions of them.
 */
const MAX_HEADERS = 4_096;

/**
 * Walks the records of a batch without making an object for any: after `next()` its fields say where in `bytes` the
 * parts of the current record lie. An end of -1 with a start of -1 is null, which differs from empty.
 *
 * @see https://kafka.apache.org/documentation/#record
 */
export class RecordCursor implements VarintEnd {
  bytes: Buffer = Buffer.alloc(0);
  /** Behind the varint that was read last. */
  end = 0;

  offsetDelta = 0;
  /** Not exact outside ±2^53: see `readVarlong`. Its first byte lies at `timestampAt`. */
  timestampDelta = 0;
  timestampAt = 0;
  /** The length field of the key: from here to `recordEnd` a record is copied as it is. */
  keyField = 0;
  keyStart = -1;
  keyEnd = -1;
  /** The length field of the value: what stands before it from `keyField` on is the key. */
  valueField = 0;
  valueStart = -1;
  valueEnd = -1;
  headerCount = 0;
  /** The field with the number of headers, and the first header behind it. */
  headerCountField = 0;
  headersStart = 0;
  /** The packed origin in the first `spillway-origin` header, or -1. */
  originAt = -1;
  recordEnd = 0;

  #position = 0;
  #left = 0;
  #lastOffsetDelta = 0;

  /** Bytes of the batch's records that are behind the cursor. */
  get position(): number {
    return this.#position;
  }

  /** Starts with the records of a batch. */
  open(batch: RecordBatch): void {
    this.openBytes(batch.records, batch.recordCount, Number(batch.lastOffset - batch.baseOffset));
  }

  openBytes(bytes: Buffer, count: number, lastOffsetDelta: number): void {
    this.bytes = bytes;
    this.offsetDelta = -1;
    this.#position = 0;
    this.#left = count;
    this.#lastOffsetDelta = lastOffsetDelta;
  }

  /**
   * Goes to the next record; false behind the last.
   * @throws RangeError if the bytes are not a record, or if bytes are left behind the last
   */
  next(): boolean {
    const { bytes } = this;
    if (this.#left === 0) {
      if (this.#position !== bytes.length)
        throw new RangeError(`${bytes.length - this.#position} bytes behind the last record`);
      return false;
    }
    this.#left--;
    const length = readVarint(bytes, this.#position, bytes.length, this);
    const limit = this.end + length;
    if (this.end < 0 || length < 0 || limit > bytes.length) throw new RangeError("a record's length lies");
    this.recordEnd = limit;
    this.#position = limit;

    this.timestampAt = this.end + 1; // one byte of attributes, all unused
    this.timestampDelta = readVarlong(bytes, this.timestampAt, limit, this);
    if (this.end < 0) throw new RangeError("a record's timestamp is cut");
    const previous = this.offsetDelta;
    this.offsetDelta = readVarint(bytes, this.end, limit, this);
    // Whoever commits relies on it: offsets rise, and none lies behind its batch.
    if (this.end < 0 || this.offsetDelta <= previous || this.offsetDelta > this.#lastOffsetDelta)
      throw new RangeError("a record's offset is cut, out of order or outside of its batch");

    this.keyField = this.end;
    const keyLength = readVarint(bytes, this.end, limit, this);
    if (this.end < 0 || keyLength < -1 || keyLength > limit - this.end) throw new RangeError("a key's length lies");
    this.keyStart = keyLength < 0 ? -1 : this.end;
    this.keyEnd = keyLength < 0 ? -1 : this.end + keyLength;
    if (keyLength > 0) this.end += keyLength;

    this.valueField = this.end;
    const valueLength = readVarint(bytes, this.end, limit, this);
    if (this.end < 0 || valueLength < -1 || valueLength > limit - this.end)
      throw new RangeError("a value's length lies");
    this.valueStart = valueLength < 0 ? -1 : this.end;
    this.valueEnd = valueLength < 0 ? -1 : this.end + valueLength;
    if (valueLength > 0) this.end += valueLength;

    this.headerCountField = this.end;
    this.headerCount = readVarint(bytes, this.end, limit, this);
    if (this.end < 0 || this.headerCount < 0) throw new RangeError("a record's headers are cut");
    this.headersStart = this.end;
    this.originAt = -1;
    if (this.headerCount > 0) this.#walkHeaders(limit);
    if (this.end !== limit) throw new RangeError("a record's parts don't fill its length");
    if (this.headerCount > MAX_HEADERS + (this.originAt < 0 ? 0 : 1))
      throw new RangeError(`a record has ${this.headerCount} headers`);
    return true;
  }

  #walkHeaders(limit: number): void {
    const { bytes } = this;
    for (let i = 0; i < this.headerCount; i++) {
      const keyLength = readVarint(bytes, this.end, limit, this);
      if (this.end < 0 || keyLength < 0 || keyLength > limit - this.end)
        throw new RangeError("a header key's length lies");
      const keyStart = this.end;
      const keyEnd = keyStart + keyLength;
      const valueLength = readVarint(bytes, keyEnd, limit, this);
      if (this.end < 0 || valueLength < -1 || valueLength > limit - this.end) {
        throw new RangeError("a header value's length lies");
      }
      if (this.originAt < 0 && valueLength === ORIGIN_BYTES && isOriginKey(bytes, keyStart, keyEnd))
        this.originAt = this.end;
      if (valueLength > 0) this.end += valueLength;
    }
  }
}
