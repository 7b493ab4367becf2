/**
 * Documents as items of DynamoDB: exactly, or not at all.
 *
 * - Numbers and bigints become N, with all of their digits (DynamoDB keeps 38); a double as JavaScript prints it, the
 *   shortest text that is read as that very double. There is no -0, NaN or infinity.
 * - A Date becomes text, ISO 8601 in UTC (`2026-01-31T12:00:00.000Z`), which sorts by time and needs no unit.
 * - Buffers and other Uint8Arrays become B. Nothing becomes a set.
 * - `undefined`, functions, Maps and Sets have no counterpart: such a document can't be written.
 *
 * A mapping of our own, since that of `@aws-sdk/util-dynamodb` refuses every number beyond 2^53, also where it is exact, and
 * doesn't measure what it maps.
 */
import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { VERSION_FIELD } from "../models/latest.ts";
import type { Fields } from "../operations.ts";
import type { FoundDocument } from "../standing.ts";

export type Item = Record<string, AttributeValue>;

export type Marshalled =
  | { readonly kind: "item"; readonly item: Item /** As DynamoDB counts them. */; readonly bytes: number }
  | { readonly kind: "unfit"; readonly code: string; readonly message: string };

/** @see https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html */
export const MAX_ITEM_BYTES = 400 * 1024;
const MAX_KEY_BYTES = 2048;
const MAX_DEPTH = 32;
const MAX_DIGITS = 38;
/** Below it. */
const MAX_NUMBER = 1e126;
const MIN_NUMBER = 1e-130;
/** What each list or map costs, and each thing in it. */
const CONTAINER_BYTES = 3;
const ELEMENT_BYTES = 1;

/** The item of a document: under `keyName` stands its id, which the document holds as `_id`. */
export function toItem(document: Fields, id: string, keyName: string): Marshalled {
  const keyBytes = Buffer.byteLength(id);
  if (keyBytes === 0) return unfit("key-empty", "a key of DynamoDB can't be empty");
  if (keyBytes > MAX_KEY_BYTES) return unfit("key-too-large", `a key of ${keyBytes} bytes: ${MAX_KEY_BYTES} at most`);
  const marshaller = new Marshaller();
  try {
    const item: Item = { [keyName]: marshaller.attribute(keyName, id) };
    for (const [name, value] of Object.entries(document)) {
      if (name === "_id") continue;
      if (name !== keyName) item[name] = marshaller.attribute(name, value);
      else if (value !== id) {
        return unfit("has-own-key", `the object has a field ${keyName}, which is the table's key and holds its id`);
      }
    }
    const { bytes } = marshaller;
    if (bytes > MAX_ITEM_BYTES) return unfit("item-too-large", `${bytes} bytes: an item has ${MAX_ITEM_BYTES} at most`);
    return { kind: "item", item, bytes };
  } catch (error) {
    if (error instanceof NoCounterpart) return unfit(error.code, error.message);
    throw error;
  }
}

/** What version an item has, as model latest wrote it. */
export function foundIn(item: Item | undefined): FoundDocument | undefined {
  if (item === undefined) return undefined;
  const version = item[VERSION_FIELD]?.M;
  if (version === undefined) return { version };
  const { source, order } = version;
  return { version: { source: source?.S, order: order?.N === undefined ? order?.S : numberOf(order.N) } };
}

/** Exact for every integer. */
function numberOf(text: string): bigint | number {
  return /^-?\d+$/.test(text) ? BigInt(text) : Number(text);
}

function unfit(code: string, message: string): Marshalled {
  return { kind: "unfit", code, message };
}

class NoCounterpart extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** Maps values and adds up their size by the service's own rule: a value that is refused was refused for good. */
class Marshaller {
  bytes = 0;

  attribute(name: string, value: unknown, depth = 0): AttributeValue {
    // The SDK would drop it silently: it builds its objects by assignment.
    if (name === "__proto__") throw new NoCounterpart("reserved-name", "a field can't be called __proto__");
    this.bytes += Buffer.byteLength(wellFormed(name));
    return this.#value(value, depth);
  }

  #value(value: unknown, depth: number): AttributeValue {
    switch (typeof value) {
      case "string":
        this.bytes += Buffer.byteLength(wellFormed(value));
        return { S: value };
      case "number":
        return this.#number(value, String(value));
      case "bigint":
        return this.#number(Number(value), String(value));
      case "boolean":
        this.bytes++;
        return { BOOL: value };
      case "object":
        return value === null ? this.#nothing() : this.#object(value, depth);
      default:
        throw new NoCounterpart("unsupported-type", `DynamoDB has nothing for ${typeof value}`);
    }
  }

  #nothing(): AttributeValue {
    this.bytes++;
    return { NULL: true };
  }

  #number(value: number, text: string): AttributeValue {
    const digits = significantDigits(text);
    const size = Math.abs(value);
    // False for NaN too.
    const fits = (size === 0 || (size >= MIN_NUMBER && size < MAX_NUMBER)) && digits <= MAX_DIGITS;
    if (!fits) throw new NoCounterpart("number-out-of-range", `DynamoDB can't hold the number ${text.slice(0, 60)}`);
    this.bytes += 1 + Math.ceil(digits / 2);
    return { N: Object.is(value, -0) ? "0" : text };
  }

  #object(value: object, depth: number): AttributeValue {
    if (value instanceof Uint8Array) {
      this.bytes += value.length;
      return { B: value };
    }
    if (value instanceof Date) return this.#date(value);
    if (value instanceof Map || value instanceof Set) {
      throw new NoCounterpart("unsupported-type", `DynamoDB has nothing for a ${value.constructor.name}`);
    }
    if (depth === MAX_DEPTH) {
      throw new NoCounterpart("too-deep", `the value is nested deeper than ${MAX_DEPTH} levels`);
    }
    this.bytes += CONTAINER_BYTES;
    if (Array.isArray(value)) return { L: value.map((one: unknown) => this.#element(one, depth)) };
    const map: Item = {};
    for (const [name, one] of Object.entries(value)) {
      this.bytes += ELEMENT_BYTES;
      map[name] = this.attribute(name, one, depth + 1);
    }
    return { M: map };
  }

  #element(value: unknown, depth: number): AttributeValue {
    this.bytes += ELEMENT_BYTES;
    return this.#value(value, depth + 1);
  }

  #date(date: Date): AttributeValue {
    if (Number.isNaN(date.getTime())) throw new NoCounterpart("invalid-date", "the value holds a date that is none");
    return this.#value(date.toISOString(), 0);
  }
}

function wellFormed(text: string): string {
  if (text.isWellFormed()) return text;
  throw new NoCounterpart("unpaired-surrogate", "a string holds half a surrogate pair");
}

/** Of `-0.00120e5` there are two. */
function significantDigits(text: string): number {
  let digits = 0;
  let zeros = 0;
  for (const character of text) {
    if (character === "e") break;
    if (character === "0") zeros++;
    else if (character >= "1" && character <= "9") {
      digits += digits === 0 ? 1 : zeros + 1;
      zeros = 0;
    }
  }
  return digits;
}
