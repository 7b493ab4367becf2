import { SpillwayError } from "../errors.ts";
import type { RecordBatch } from "../record-batch/batch.ts";
import type { RecordCursor } from "../record-batch/record-cursor.ts";
import { timestampOf } from "../record-batch/records.ts";
import { readVarint } from "../record-batch/varint.ts";

/** What a rule asks of a record. Header, key and time are read where they lie; a JSON field costs parsing the value. */
export type Condition =
  | { readonly kind: "always" }
  | {
      readonly kind: "header";
      readonly name: string;
      readonly match: "exists" | "equals" | "prefix";
      readonly value: string;
    }
  | { readonly kind: "key"; readonly match: "equals" | "prefix"; readonly value: string }
  /** Its timestamp is more than so many milliseconds before the time at which it is relayed. */
  | { readonly kind: "older-than"; readonly ms: number }
  /** Its timestamp, in milliseconds since the epoch, is at or behind `from` and before `to`. */
  | { readonly kind: "window"; readonly from: number; readonly to: number }
  | { readonly kind: "json"; readonly path: readonly string[]; readonly value: string };

/** A header's value, or a field of the JSON value, that becomes a record's key. Without it a record keeps its own. */
export type KeySource =
  | { readonly kind: "header"; readonly name: string }
  | { readonly kind: "json"; readonly path: readonly string[] };

export interface TargetTopic {
  readonly topic: string;
  readonly partitions: number;
}

/** Where records go that meet a condition. The first rule that fits counts; what fits none goes to the main target. */
export interface Rule {
  readonly when: Condition;
  readonly to: TargetTopic | "drop";
  readonly key?: KeySource;
}

/** All topics that are written to, each once, the main one first. @throws SpillwayError CONFIG_INVALID */
export function targetsOf(options: {
  readonly source: string;
  readonly target: string;
  readonly partitions: number;
  readonly rules?: readonly Rule[];
}): readonly TargetTopic[] {
  const { source, target, partitions, rules = [] } = options;
  const targets = new Map<string, TargetTopic>([[target, { topic: target, partitions }]]);
  for (const { to } of rules) {
    if (to === "drop") continue;
    const known = targets.get(to.topic) ?? to;
    if (known.partitions !== to.partitions) {
      throw new SpillwayError(
        "CONFIG_INVALID",
        `Topic ${to.topic} is given ${known.partitions} partitions and ${to.partitions}`,
      );
    }
    targets.set(to.topic, to);
  }
  if (targets.has(source)) throw new SpillwayError("CONFIG_INVALID", `A topic can't be relayed into itself: ${source}`);
  return [...targets.values()];
}

/** A rule that looks at more than the key can send records of one key different ways: then their order is lost. */
export function canSplitKeys({ when }: Rule): boolean {
  return when.kind !== "key" && when.kind !== "always";
}

/** Asks a condition of the record that the cursor is at. */
export type Matcher = (cursor: RecordCursor, batch: RecordBatch, nowMs: number) => boolean;

export function matcherOf(when: Condition): Matcher {
  switch (when.kind) {
    case "always":
      return () => true;
    case "header": {
      const [name, value] = [Buffer.from(when.name), Buffer.from(when.value)];
      if (when.match === "exists") return (cursor) => findHeader(cursor, name, () => true) !== undefined;
      const fits = when.match === "equals" ? equals : beginsWith;
      const wanted = (cursor: RecordCursor, start: number, end: number) => fits(cursor.bytes, start, end, value);
      return (cursor) => findHeader(cursor, name, wanted) !== undefined;
    }
    case "key": {
      const value = Buffer.from(when.value);
      const fits = when.match === "equals" ? equals : beginsWith;
      return ({ bytes, keyStart, keyEnd }) => keyStart >= 0 && fits(bytes, keyStart, keyEnd, value);
    }
    case "older-than":
      return (cursor, batch, nowMs) => nowMs - Number(timestampOf(cursor, batch)) > when.ms;
    case "window":
      return (cursor, batch) => {
        const timestamp = Number(timestampOf(cursor, batch));
        return timestamp >= when.from && timestamp < when.to;
      };
    case "json":
      return (cursor) => jsonField(cursor, when.path) === when.value;
  }
}

/** Takes a new key from the record that the cursor is at; undefined where it has none. */
export function keyReaderOf(key: KeySource): (cursor: RecordCursor) => Uint8Array | undefined {
  if (key.kind === "header") {
    const name = Buffer.from(key.name);
    return (cursor) => {
      const found = findHeader(cursor, name, (_, start) => start >= 0);
      return found === undefined ? undefined : cursor.bytes.subarray(found.start, found.end);
    };
  }
  return (cursor) => {
    const value = jsonField(cursor, key.path);
    return value === undefined ? undefined : Buffer.from(value);
  };
}

type HeaderTest = (cursor: RecordCursor, start: number, end: number) => boolean;

/** The first header of a name whose value passes; a null value starts at -1. The cursor has found them to be whole. */
function findHeader(
  cursor: RecordCursor,
  name: Buffer,
  test: HeaderTest,
): { readonly start: number; readonly end: number } | undefined {
  const { bytes, recordEnd } = cursor;
  const out = { end: cursor.headersStart };
  for (let i = 0; i < cursor.headerCount; i++) {
    const nameLength = readVarint(bytes, out.end, recordEnd, out);
    const nameStart = out.end;
    const valueLength = readVarint(bytes, nameStart + nameLength, recordEnd, out);
    const start = valueLength < 0 ? -1 : out.end;
    const end = valueLength < 0 ? -1 : out.end + valueLength;
    out.end += Math.max(valueLength, 0);
    if (equals(bytes, nameStart, nameStart + nameLength, name) && test(cursor, start, end)) return { start, end };
  }
  return undefined;
}

function equals(bytes: Buffer, start: number, end: number, value: Buffer): boolean {
  return start >= 0 && end - start === value.length && bytes.compare(value, 0, value.length, start, end) === 0;
}

function beginsWith(bytes: Buffer, start: number, end: number, value: Buffer): boolean {
  return start >= 0 && end - start >= value.length && equals(bytes, start, start + value.length, value);
}

/** A string, number or boolean in the JSON value, as text; undefined if there is none, or the value is no JSON. */
function jsonField({ bytes, valueStart, valueEnd }: RecordCursor, path: readonly string[]): string | undefined {
  if (valueStart < 0) return undefined;
  let field: unknown;
  try {
    field = JSON.parse(bytes.toString("utf8", valueStart, valueEnd));
  } catch {
    return undefined;
  }
  for (const name of path) {
    if (typeof field !== "object" || field === null || !Object.hasOwn(field, name)) return undefined;
    field = (field as Readonly<Record<string, unknown>>)[name];
  }
  return typeof field === "string" || typeof field === "number" || typeof field === "boolean"
    ? String(field)
    : undefined;
}
