/** Why bytes can't be decoded; stands in dead letters, so it is stable. */
export type PoisonReason =
  | "empty"
  | "invalid-utf8"
  | "invalid-json"
  | "unpaired-surrogate"
  | "too-deep"
  | "too-many-values"
  | "number-out-of-range"
  /** It doesn't begin as the registry's wire format does. */
  | "wrong-magic-byte"
  /** The registry has no schema of that id, or misses one that it refers to. */
  | "unknown-schema"
  /** The registry has it, but nobody can read by it. */
  | "invalid-schema"
  /** The value isn't what its schema says. */
  | "schema-mismatch"
  | "truncated"
  | "trailing-bytes";

/** What decoding yields. Poison is an expected outcome: the record is at fault and no retry will mend it. */
export type Decoded =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "poison"; readonly reason: PoisonReason; readonly message: string };

/** Levels of nesting that MongoDB documents as its limit. It also keeps every recursive reader of the value safe. */
export const MAX_DEPTH = 100;

export function poison(reason: PoisonReason, message: string): Decoded {
  return { kind: "poison", reason, message };
}

/** Thrown inside of decoders, and turned into poison at their edge. */
export class Undecodable extends Error {
  readonly reason: PoisonReason;

  constructor(reason: PoisonReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

export function tooDeep(): Undecodable {
  return new Undecodable("too-deep", `the value is nested deeper than ${MAX_DEPTH} levels`);
}

/** Sets a property of the object's own, whatever its name: assigned, `__proto__` would set the prototype. */
export function setOwn(object: Record<string, unknown>, name: string, value: unknown): void {
  if (name !== "__proto__") object[name] = value;
  else Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
}
