import { isUtf8 } from "node:buffer";
import { messageOf } from "../errors.ts";
import { type Decoded, MAX_DEPTH, poison, Undecodable } from "./decoded.ts";

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const INTEGER = /^-?\d+$/;
/**
 * An exponent of three digits or more, the only short way to write a number that a double can't hold. Looked for where a
 * number can begin: ids in hexadecimal are full of such letters between digits.
 */
const LONG_EXPONENT = /(?:^|[:[,\s-])\d[\d.]*[eE]\+?\d{3}/;
/** Numbers with fewer digits than this are exact as doubles. */
const LONG_RUN = 16;

/**
 * Decodes JSON so that what is written is exactly what was sent, or else says why it can't be:
 * - Integers beyond 2^53 become bigints where they fit into 64 bits. Fractions become doubles, as everywhere.
 * - Bytes that aren't UTF-8, escapes of half a surrogate pair, numbers beyond the range of double and 64-bit integer,
 *   and values nested deeper than `MAX_DEPTH` are poison.
 * - Of a name given twice in one object the last value counts; `__proto__` is a name like any other.
 *
 * It never throws, and its stack doesn't grow with the input.
 */
export function decodeJson(bytes: Buffer): Decoded {
  if (bytes.length === 0) return poison("empty", "the value has no bytes");
  if (!isUtf8(bytes)) return poison("invalid-utf8", "the value isn't UTF-8");
  if (isTooDeep(bytes)) return poison("too-deep", `the value is nested deeper than ${MAX_DEPTH} levels`);
  const text = bytes.toString("utf8");
  try {
    const value: unknown = needsCare(bytes, text) ? parseExactly(text) : JSON.parse(text);
    return { kind: "value", value };
  } catch (error) {
    if (error instanceof Undecodable) return poison(error.reason, error.message);
    return poison("invalid-json", messageOf(error));
  }
}

/** Counts brackets outside of strings. Short values can't be deep, and most values are short. */
function isTooDeep(bytes: Buffer): boolean {
  if (bytes.length <= 2 * MAX_DEPTH) return false;
  let depth = 0;
  let inString = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (inString) {
      if (byte === BACKSLASH) i++;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      depth++;
      if (depth > MAX_DEPTH) return true;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth--;
  }
  return false;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const COLON = 0x3a;
const COMMA = 0x2c;
const MINUS = 0x2d;

/**
 * True if plain `JSON.parse` might lose something. It may say so too often (of a long number inside a string, say): that
 * only costs time.
 */
function needsCare(bytes: Buffer, text: string): boolean {
  return hasLongDigitRun(bytes) || text.includes("\\u") || LONG_EXPONENT.test(text);
}

/**
 * Whether a number may have that many digits in a row before its point. Looks at every 16th byte: a run of 16 digits can't
 * pass between two looks.
 */
function hasLongDigitRun(bytes: Buffer): boolean {
  for (let i = LONG_RUN - 1; i < bytes.length; i += LONG_RUN) {
    if (!isDigit(bytes[i])) continue;
    let start = i;
    while (isDigit(bytes[start - 1])) start--;
    let end = i + 1;
    while (isDigit(bytes[end])) end++;
    if (end - start >= LONG_RUN && canBeginNumber(bytes[start - 1])) return true;
  }
  return false;
}

/** What can stand before a number's first digit; behind anything else digits are part of a string, or of a fraction. */
function canBeginNumber(before: number | undefined): boolean {
  switch (before) {
    case undefined:
    case COLON:
    case OPEN_BRACKET:
    case COMMA:
    case MINUS:
    case 0x20:
    case 0x09:
    case 0x0a:
    case 0x0d:
      return true;
    default:
      return false;
  }
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

/** What JSON.parse tells a reviver since ES2025; TypeScript's library for ES2024 doesn't know the third parameter. */
type Reviver = (name: string, value: unknown, context?: { readonly source?: string }) => unknown;

function parseExactly(text: string): unknown {
  const revive: Reviver = (name, value, context) => {
    assertWellFormed(name);
    if (typeof value === "string") assertWellFormed(value);
    return typeof value === "number" ? exactNumber(value, context?.source ?? "") : value;
  };
  return JSON.parse(text, revive);
}

function assertWellFormed(text: string): void {
  if (!text.isWellFormed()) throw new Undecodable("unpaired-surrogate", "a string holds half a surrogate pair");
}

function exactNumber(value: number, source: string): number | bigint {
  if (!Number.isFinite(value)) throw new Undecodable("number-out-of-range", "a number is beyond the range of a double");
  if (Number.isSafeInteger(value) || !INTEGER.test(source)) return value;
  const integer = BigInt(source);
  if (integer >= INT64_MIN && integer <= INT64_MAX) return integer;
  // The double is that very integer, or the text is how a program writes that double.
  if (integer === BigInt(value) || source === String(value)) return value;
  throw new Undecodable("number-out-of-range", "an integer is beyond 64 bits");
}
