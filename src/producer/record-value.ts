import { SpillwayError } from "../errors.ts";
import { randomUint32 } from "./random.ts";

/** Whether a record is part of a flood or of the traffic that the flood must not hold up. */
export type RecordKind = "backfill" | "live";

/** What a generated record says about itself. */
export interface RecordFacts {
  readonly kind: RecordKind;
  readonly key: string;
  /** The place among the records of its key, from 0. */
  readonly sequence: number;
  /** When it was due, in milliseconds since the epoch. */
  readonly createdAt: number;
}

export interface Padding {
  /** The value's exact length. */
  readonly valueBytes: number;
  /**
   * The share of the padding that is one repeated character and so takes next to no room once compressed. The rest is
   * random text of 64 characters, of which no compression can save more than a quarter.
   */
  readonly compressibility: number;
  readonly seed: number;
}

const ALPHABET = Buffer.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", "latin1");
const CLOSE = '"}';
const FILLER = ".".charCodeAt(0);
const PADDING_STREAM = 0x9ad;

/** The value as JSON of exactly `valueBytes` bytes. @throws SpillwayError CONFIG_INVALID if that is too short for it */
export function encodeValue(facts: RecordFacts, index: number, { valueBytes, compressibility, seed }: Padding): Buffer {
  const open = opening(facts);
  const padding = valueBytes - open.length - CLOSE.length;
  if (padding < 0) {
    throw new SpillwayError(
      "CONFIG_INVALID",
      `a value of ${valueBytes} bytes is too short: ${open.length + CLOSE.length} are needed`,
    );
  }
  const bytes = Buffer.allocUnsafe(valueBytes);
  let at = bytes.write(open, 0, "latin1");
  const randomEnd = at + Math.round(padding * (1 - compressibility));
  for (let word = 0; at < randomEnd; word++) {
    let bits = randomUint32(seed ^ index, PADDING_STREAM, word);
    // A word has room for five characters of six bits.
    for (const end = Math.min(randomEnd, at + 5); at < end; at++) {
      bytes[at] = ALPHABET[bits & 63] as number;
      bits >>>= 6;
    }
  }
  bytes.fill(FILLER, at, valueBytes - CLOSE.length);
  bytes.write(CLOSE, valueBytes - CLOSE.length, "latin1");
  return bytes;
}

/** The shortest value that has room for these facts. */
export function shortestValue(facts: RecordFacts): number {
  return opening(facts).length + CLOSE.length;
}

/** Keys come from this folder's generators and need no escaping; every character is one byte. */
function opening({ kind, key, sequence, createdAt }: RecordFacts): string {
  return `{"kind":"${kind}","key":"${key}","seq":${sequence},"created":${createdAt},"pad":"`;
}
