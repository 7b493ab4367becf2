import { isUtf8 } from "node:buffer";
import { Undecodable } from "./decoded.ts";

/** Values that take no bytes of their own, for a start, and for each byte there is. */
const FREE_VALUES = 200_000;
const FREE_VALUES_PER_BYTE = 16;

/**
 * Reads a value's bytes from the front. Whatever goes beyond their end throws `Undecodable`, as does a value that would
 * unfold into far more than its bytes suggest: so a hostile value costs time and memory in proportion to its size.
 */
export class ByteReader {
  readonly bytes: Buffer;
  /** The next byte. */
  at = 0;
  /** Where reading ends. */
  end: number;
  /** Halves of the last varint, each as an unsigned 32-bit number. */
  #low = 0;
  #high = 0;
  #freeValues: number;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.end = bytes.length;
    this.#freeValues = FREE_VALUES + FREE_VALUES_PER_BYTE * bytes.length;
  }

  get left(): number {
    return this.end - this.at;
  }

  /** Asked for values that may take no bytes: the others are bounded by the bytes they take. */
  spend(values: number): void {
    this.#freeValues -= values;
    if (this.#freeValues < 0) {
      throw new Undecodable("too-many-values", "the value unfolds into far more values than its size suggests");
    }
  }

  /** The next bytes: a view, not a copy. */
  take(length: number | bigint): Buffer {
    const from = this.#pass(length);
    return this.bytes.subarray(from, this.at);
  }

  /** Goes on behind so many bytes; yields where they begin. */
  #pass(length: number | bigint): number {
    if (length < 0) throw new Undecodable("schema-mismatch", `a length is ${length}`);
    if (length > this.left) {
      throw new Undecodable("truncated", `the value ends where ${length} more bytes are needed, after ${this.left}`);
    }
    const from = this.at;
    this.at += Number(length);
    return from;
  }

  byte(): number {
    if (this.at >= this.end) throw new Undecodable("truncated", "the value ends in the middle");
    return this.bytes[this.at++] as number;
  }

  text(length: number | bigint): string {
    const from = this.#pass(length);
    const text = this.bytes.toString("utf8", from, this.at);
    // It also stands there where the text holds that very character.
    if (text.includes("\uFFFD") && !isUtf8(this.bytes.subarray(from, this.at))) {
      throw new Undecodable("invalid-utf8", "a string isn't UTF-8");
    }
    return text;
  }

  float(): number {
    return this.bytes.readFloatLE(this.#pass(4));
  }

  double(): number {
    return this.bytes.readDoubleLE(this.#pass(8));
  }

  /** A varint as two's complement of 64 bits. A number where that is exact. */
  int64(): number | bigint {
    this.#varint();
    return signed(this.#low, this.#high);
  }

  /** A varint of 64 bits without a sign. @throws beyond 63 bits, which no signed integer can hold */
  uint64(): number | bigint {
    this.#varint();
    return unsigned(this.#low, this.#high);
  }

  /** A varint whose lowest bit is the sign. */
  zigzag64(): number | bigint {
    this.#varint();
    const negative = (this.#low & 1) === 1;
    const low = ((this.#low >>> 1) | ((this.#high & 1) << 31)) >>> 0;
    const high = this.#high >>> 1;
    if (high < HIGH_OF_SAFE) {
      const half = high * 2 ** 32 + low;
      if (!negative) return half;
      if (half < Number.MAX_SAFE_INTEGER) return -half - 1;
    }
    const half = (BigInt(high) << 32n) | BigInt(low);
    return negative ? -half - 1n : half;
  }

  /** The lower 32 bits of a varint, with and without a sign. */
  int32(): number {
    this.#varint();
    return this.#low | 0;
  }

  uint32(): number {
    this.#varint();
    return this.#low;
  }

  fixed32(): number {
    return this.bytes.readUInt32LE(this.#pass(4));
  }

  sfixed32(): number {
    return this.bytes.readInt32LE(this.#pass(4));
  }

  /** @throws beyond 63 bits, which no signed integer can hold */
  fixed64(): number | bigint {
    const from = this.#pass(8);
    return unsigned(this.bytes.readUInt32LE(from), this.bytes.readUInt32LE(from + 4));
  }

  sfixed64(): number | bigint {
    const from = this.#pass(8);
    return signed(this.bytes.readUInt32LE(from), this.bytes.readUInt32LE(from + 4));
  }

  #varint(): void {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.byte();
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte >= 0x80) continue;
      if (shift === 63 && byte > 1) break;
      this.#low = low >>> 0;
      this.#high = high >>> 0;
      return;
    }
    throw new Undecodable("schema-mismatch", "a varint has more than 64 bits");
  }
}

/** 2^53 is this many times 2^32. */
const HIGH_OF_SAFE = 2 ** 21;

function unsigned(low: number, high: number): number | bigint {
  if (high < HIGH_OF_SAFE) return high * 2 ** 32 + low;
  const exact = (BigInt(high) << 32n) | BigInt(low);
  if (high >= 2 ** 31) throw new Undecodable("number-out-of-range", `${exact} is beyond 63 bits`);
  return exact;
}

function signed(low: number, high: number): number | bigint {
  if (high < 2 ** 31) return unsigned(low, high);
  const exact = BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low));
  return exact >= Number.MIN_SAFE_INTEGER ? Number(exact) : exact;
}
