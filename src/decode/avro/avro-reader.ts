/**
 * Avro's binary encoding → values, by the types that avsc makes of a schema. avsc's own reader isn't used: it throws at a
 * long beyond 2^53, reads on behind the end of the bytes for as long as a block's count says, mends broken UTF-8, and sets
 * the prototype of a map that has a key `__proto__`.
 *
 * A value of a logical type becomes what its underlying type does: a timestamp-millis is a number of milliseconds, a
 * decimal its bytes. A union's value stands for itself, without a name of its branch.
 */
import { ByteReader } from "../byte-reader.ts";
import { MAX_DEPTH, setOwn, tooDeep, Undecodable } from "../decoded.ts";
import type { AvroType } from "./avro-type.ts";

/** Reads one value. `depth` is how many records, arrays and maps it stands in. */
type Read = (reader: ByteReader, depth: number) => unknown;

/**
 * Makes the reader of a schema; it throws `Undecodable`.
 * @throws Error for a type that Avro doesn't know
 */
export function avroReader(type: AvroType): (payload: Buffer) => unknown {
  const read = readOf(type, new Map());
  return (payload) => {
    const reader = new ByteReader(payload);
    const value = read(reader, 0);
    if (reader.left > 0) throw new Undecodable("trailing-bytes", `${reader.left} bytes are left behind the value`);
    return value;
  };
}

/** `known` holds what is made already: schemas may refer to themselves. */
function readOf(type: AvroType, known: Map<AvroType, Read>): Read {
  const made = known.get(type);
  if (made !== undefined) return made;
  let read: Read | undefined;
  known.set(type, (reader, depth) => (read as Read)(reader, depth));
  read = newRead(type, known);
  known.set(type, read);
  return read;
}

function newRead(type: AvroType, known: Map<AvroType, Read>): Read {
  switch (type.typeName) {
    case "null":
      return (reader) => {
        reader.spend(1);
        return null;
      };
    case "boolean":
      return readBoolean;
    case "int":
      return readInt;
    case "long":
      return (reader) => reader.zigzag64();
    case "float":
      return (reader) => reader.float();
    case "double":
      return (reader) => reader.double();
    case "bytes":
      return (reader) => reader.take(reader.zigzag64());
    case "string":
      return (reader) => reader.text(reader.zigzag64());
    case "fixed":
      return readFixed(part(type, "size"));
    case "enum":
      return readEnum(part(type, "symbols"));
    case "union:wrapped":
    case "union:unwrapped":
      return readUnion(part(type, "types").map((branch) => readOf(branch, known)));
    case "array":
      return readArray(readOf(part(type, "itemsType"), known));
    case "map":
      return readMap(readOf(part(type, "valuesType"), known));
    case "record":
    case "error":
      return readRecord(part(type, "fields").map((field) => [field.name, readOf(field.type, known)]));
    default:
      throw new Error(`Avro has no type ${type.typeName}`);
  }
}

function part<K extends keyof AvroType>(type: AvroType, name: K): NonNullable<AvroType[K]> {
  const found = type[name];
  if (found === undefined || found === null) throw new Error(`a type ${type.typeName} has no ${name}`);
  return found;
}

function readBoolean(reader: ByteReader): boolean {
  const byte = reader.byte();
  if (byte > 1) throw new Undecodable("schema-mismatch", `a boolean is ${byte}`);
  return byte === 1;
}

function readInt(reader: ByteReader): number {
  const value = reader.zigzag64();
  if (value !== Number(value) || value !== (value | 0)) {
    throw new Undecodable("schema-mismatch", `an int is ${value}: it has more than 32 bits`);
  }
  return value;
}

function readFixed(size: number): Read {
  return (reader) => {
    reader.spend(1);
    return reader.take(size);
  };
}

function readEnum(symbols: readonly string[]): Read {
  return (reader) => oneOf(symbols, reader.zigzag64(), "symbols");
}

function readUnion(branches: readonly Read[]): Read {
  return (reader, depth) => oneOf(branches, reader.zigzag64(), "branches")(reader, depth);
}

function oneOf<T>(all: readonly T[], index: number | bigint, what: string): T {
  const found = all[Number(index)];
  if (found === undefined) throw new Undecodable("schema-mismatch", `${index} is none of ${all.length} ${what}`);
  return found;
}

function readArray(readItem: Read): Read {
  return (reader, depth) => {
    if (depth >= MAX_DEPTH) throw tooDeep();
    const items: unknown[] = [];
    for (let count = blockCount(reader); count > 0; count = blockCount(reader)) {
      for (let i = 0; i < count; i++) items.push(readItem(reader, depth + 1));
    }
    return items;
  };
}

function readMap(readValue: Read): Read {
  return (reader, depth) => {
    if (depth >= MAX_DEPTH) throw tooDeep();
    const entries: Record<string, unknown> = {};
    for (let count = blockCount(reader); count > 0; count = blockCount(reader)) {
      for (let i = 0; i < count; i++) {
        const key = reader.text(reader.zigzag64());
        setOwn(entries, key, readValue(reader, depth + 1));
      }
    }
    return entries;
  };
}

/**
 * How many items the next block has. However many it claims, each takes a byte or is paid for by `spend`, so a claim
 * that isn't kept ends soon.
 */
function blockCount(reader: ByteReader): number {
  const count = reader.zigzag64();
  if (count >= 0) return Number(count);
  reader.zigzag64(); // the block's size in bytes, for readers that pass over it
  return -Number(count);
}

function readRecord(fields: readonly (readonly [name: string, read: Read])[]): Read {
  return (reader, depth) => {
    if (depth >= MAX_DEPTH) throw tooDeep();
    reader.spend(1);
    const record: Record<string, unknown> = {};
    for (const [name, read] of fields) setOwn(record, name, read(reader, depth + 1));
    return record;
  };
}
