/**
 * JSON text → BSON document in one pass over the bytes, without making values of it: a third of what it takes to parse a
 * record of 200 bytes and to serialize it again, and nothing for the collector.
 *
 * It takes plain documents only, and says of all others that it doesn't: what isn't JSON, isn't an object, has `_id`, a
 * name twice, `\u` escapes, exponents, integers of more than 15 digits, and whatever else would need a thought. Whoever
 * calls it parses those, and judges them. What it does take it writes byte by byte as the driver's serializer would write
 * the parsed value.
 *
 * @see https://bsonspec.org/spec.html and RFC 8259
 */
import { isUtf8 } from "node:buffer";

/** Longer texts are few, and a parser is as good for them. */
const MAX_JSON_BYTES = 16 * 1024;
/** BSON takes at most six times the bytes of JSON (`[1,1,…]`). */
const MAX_GROWTH = 6;
const MAX_ID_BYTES = 1_024;
/** What must be free for the longest document. */
const ROOM = MAX_GROWTH * MAX_JSON_BYTES + MAX_ID_BYTES + 64;
/** Documents lie in slabs one behind the other; a slab is freed when none of its documents is held any more. */
const SLAB_BYTES = 4 * ROOM;
const MAX_DEPTH = 32;
/** Each name is compared with all before it. */
const MAX_NAMES = 64;
/** So many digits are exact in a double, whatever they are. */
const EXACT_DIGITS = 15;

const DOUBLE = 0x01;
const STRING = 0x02;
const OBJECT = 0x03;
const ARRAY = 0x04;
const FALSE_OR_TRUE = 0x08;
const NULL = 0x0a;
const INT32 = 0x10;

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const UNDERSCORE = 0x5f;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const LOWER_E = 0x65;
const UPPER_E = 0x45;

/** What stands behind a backslash, and the byte that is meant; 0 for what isn't plain. */
const ESCAPED = new Uint8Array(256);
for (const [letter, meant] of ['""', "\\\\", "//", "b\b", "f\f", "n\n", "r\r", "t\t"].map((pair) =>
  Buffer.from(pair),
)) {
  ESCAPED[letter as number] = meant as number;
}

/** 10^n for the digits behind a point: all are exact, so one division rounds right (Clinger 1990). */
const POWERS = Array.from({ length: EXACT_DIGITS + 1 }, (_, n) => 10 ** n);

/** What a document has of its own, and a name by which the driver's serializer knows its classes. */
const ID = Buffer.from("_id");
const BSON_TYPE = Buffer.from("_bsontype");

/** One writer at a time uses it; it is no process-wide state. */
export class JsonToBson {
  #json: Buffer = Buffer.alloc(0);
  #at = 0;
  #slab: Buffer = Buffer.alloc(0);
  #to = 0;
  readonly #double = new Float64Array(1);
  readonly #doubleBytes = new Uint8Array(this.#double.buffer);
  /** Hashes of the names of the objects that are open, the innermost last. */
  readonly #names = new Int32Array(MAX_DEPTH * MAX_NAMES);
  #namesEnd = 0;

  /**
   * The document with this `_id` in front. Neighbours in memory are those of calls one after the other.
   * @param id ASCII
   * @returns undefined if the text isn't plain
   */
  document(json: Buffer, id: string): Buffer | undefined {
    if (json.length > MAX_JSON_BYTES || id.length > MAX_ID_BYTES || !isUtf8(json)) return undefined;
    if (this.#slab.length - this.#to < ROOM) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.#to = 0;
    }
    const start = this.#to;
    this.#json = json;
    this.#at = 0;
    this.#namesEnd = 0;
    this.#to += 4;
    this.#id(id);
    this.#skipSpace();
    const isPlain = this.#json[this.#at] === OPEN_BRACE && this.#members(0) && this.#isAtEnd();
    if (!isPlain) {
      this.#to = start;
      return undefined;
    }
    this.#end(start);
    return this.#slab.subarray(start, this.#to);
  }

  #id(id: string): void {
    this.#byte(STRING);
    this.#to += ID.copy(this.#slab, this.#to);
    this.#byte(0);
    this.#int32(id.length + 1);
    const slab = this.#slab;
    let to = this.#to;
    for (let i = 0; i < id.length; i++) slab[to++] = id.charCodeAt(i);
    slab[to++] = 0;
    this.#to = to;
  }

  /** From the opening brace to behind the closing one. */
  #members(depth: number): boolean {
    const namesStart = this.#namesEnd;
    this.#at++;
    this.#skipSpace();
    if (this.#json[this.#at] === CLOSE_BRACE) {
      this.#at++;
      return true;
    }
    for (;;) {
      if (this.#json[this.#at] !== QUOTE) return false;
      const typeAt = this.#to++;
      if (!this.#name(depth, namesStart)) return false;
      this.#skipSpace();
      if (this.#json[this.#at] !== COLON) return false;
      this.#at++;
      this.#skipSpace();
      if (!this.#value(typeAt, depth)) return false;
      this.#skipSpace();
      const next = this.#json[this.#at++];
      if (next === CLOSE_BRACE) break;
      if (next !== COMMA) return false;
      this.#skipSpace();
    }
    this.#namesEnd = namesStart;
    return true;
  }

  #elements(depth: number): boolean {
    this.#at++;
    this.#skipSpace();
    if (this.#json[this.#at] === CLOSE_BRACKET) {
      this.#at++;
      return true;
    }
    for (let i = 0; ; i++) {
      const typeAt = this.#to++;
      this.#to += this.#slab.write(String(i), this.#to, "latin1");
      this.#byte(0);
      if (!this.#value(typeAt, depth)) return false;
      this.#skipSpace();
      const next = this.#json[this.#at++];
      if (next === CLOSE_BRACKET) return true;
      if (next !== COMMA) return false;
      this.#skipSpace();
    }
  }

  /** Copies a name; false if it has an escape, was there before, or means more than a name. */
  #name(depth: number, namesStart: number): boolean {
    const json = this.#json;
    const slab = this.#slab;
    const start = this.#at + 1;
    let at = start;
    let to = this.#to;
    let hash = 0;
    let byte = json[at] as number;
    // Parsed objects have names that are array indexes in front of all others.
    if (byte >= ZERO && byte <= NINE) return false;
    while (byte !== QUOTE) {
      if (byte < 0x20 || byte === BACKSLASH || at >= json.length) return false;
      slab[to++] = byte;
      hash = (Math.imul(hash, 31) + byte) | 0;
      byte = json[++at] as number;
    }
    slab[to++] = 0;
    this.#at = at + 1;
    this.#to = to;
    if (json[start] === UNDERSCORE) {
      const name = json.subarray(start, at);
      if (name.equals(BSON_TYPE) || (depth === 0 && name.equals(ID))) return false;
    }
    return this.#isNew(hash, namesStart);
  }

  /** Two names with one hash are rare, and then taken for one. */
  #isNew(hash: number, namesStart: number): boolean {
    const names = this.#names;
    const end = this.#namesEnd;
    if (end - namesStart === MAX_NAMES) return false;
    for (let i = namesStart; i < end; i++) if (names[i] === hash) return false;
    names[end] = hash;
    this.#namesEnd = end + 1;
    return true;
  }

  /** @param typeAt where the type is to be noted, before the name */
  #value(typeAt: number, depth: number): boolean {
    const byte = this.#json[this.#at];
    switch (byte) {
      case QUOTE:
        this.#slab[typeAt] = STRING;
        return this.#string();
      case OPEN_BRACE:
      case OPEN_BRACKET: {
        if (depth + 1 === MAX_DEPTH) return false;
        this.#slab[typeAt] = byte === OPEN_BRACE ? OBJECT : ARRAY;
        const start = this.#to;
        this.#to += 4;
        if (!(byte === OPEN_BRACE ? this.#members(depth + 1) : this.#elements(depth + 1))) return false;
        this.#end(start);
        return true;
      }
      case 0x74:
        this.#slab[typeAt] = FALSE_OR_TRUE;
        this.#byte(1);
        return this.#literal("true");
      case 0x66:
        this.#slab[typeAt] = FALSE_OR_TRUE;
        this.#byte(0);
        return this.#literal("false");
      case 0x6e:
        this.#slab[typeAt] = NULL;
        return this.#literal("null");
      default:
        return this.#number(typeAt);
    }
  }

  #string(): boolean {
    const json = this.#json;
    const slab = this.#slab;
    const end = json.length;
    const start = this.#to;
    let at = this.#at + 1;
    let to = start + 4;
    for (;;) {
      if (at >= end) return false;
      const byte = json[at++] as number;
      if (byte === QUOTE) break;
      if (byte < 0x20) return false;
      if (byte === BACKSLASH) {
        const meant = ESCAPED[json[at++] as number];
        if (!meant) return false;
        slab[to++] = meant;
      } else slab[to++] = byte;
    }
    slab[to++] = 0;
    this.#at = at;
    this.#to = start;
    this.#int32(to - start - 4);
    this.#to = to;
    return true;
  }

  #literal(text: string): boolean {
    for (let i = 0; i < text.length; i++) if (this.#json[this.#at + i] !== text.charCodeAt(i)) return false;
    this.#at += text.length;
    return true;
  }

  #number(typeAt: number): boolean {
    const json = this.#json;
    const start = this.#at;
    let at = start;
    const isNegative = json[at] === MINUS;
    if (isNegative) at++;
    const digitsAt = at;
    let mantissa = 0;
    let byte = json[at] as number;
    while (byte >= ZERO && byte <= NINE) {
      mantissa = mantissa * 10 + (byte - ZERO);
      byte = json[++at] as number;
    }
    const digits = at - digitsAt;
    if (digits === 0 || digits > EXACT_DIGITS || (digits > 1 && json[digitsAt] === ZERO)) return false;
    let behindPoint = 0;
    if (byte === POINT) {
      byte = json[++at] as number;
      while (byte >= ZERO && byte <= NINE) {
        mantissa = mantissa * 10 + (byte - ZERO);
        behindPoint++;
        byte = json[++at] as number;
      }
      if (behindPoint === 0) return false;
    }
    if (byte === LOWER_E || byte === UPPER_E) return false;
    let value: number;
    if (digits + behindPoint > EXACT_DIGITS) value = Number(json.toString("latin1", start, at));
    else {
      value = behindPoint === 0 ? mantissa : mantissa / (POWERS[behindPoint] as number);
      if (isNegative) value = -value;
    }
    this.#at = at;
    if ((value | 0) === value && !(value === 0 && isNegative)) {
      this.#slab[typeAt] = INT32;
      this.#int32(value);
    } else {
      this.#slab[typeAt] = DOUBLE;
      this.#double[0] = value;
      this.#slab.set(this.#doubleBytes, this.#to);
      this.#to += 8;
    }
    return true;
  }

  #isAtEnd(): boolean {
    this.#skipSpace();
    return this.#at === this.#json.length;
  }

  #skipSpace(): void {
    const json = this.#json;
    let at = this.#at;
    for (let byte = json[at]; byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09; ) byte = json[++at];
    this.#at = at;
  }

  /** Ends a document or array that begins there with its length. */
  #end(start: number): void {
    this.#byte(0);
    const end = this.#to;
    this.#to = start;
    this.#int32(end - start);
    this.#to = end;
  }

  #byte(byte: number): void {
    this.#slab[this.#to++] = byte;
  }

  #int32(value: number): void {
    const slab = this.#slab;
    const to = this.#to;
    slab[to] = value;
    slab[to + 1] = value >> 8;
    slab[to + 2] = value >> 16;
    slab[to + 3] = value >> 24;
    this.#to = to + 4;
  }
}
