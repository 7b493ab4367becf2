import type { ByteReader } from "../byte-reader.ts";
import { MAX_DEPTH, tooDeep, Undecodable } from "../decoded.ts";

/** Protobuf's wire types. */
export const WIRE = { varint: 0, fixed64: 1, bytes: 2, startGroup: 3, endGroup: 4, fixed32: 5 } as const;

export interface Scalar {
  readonly wireType: number;
  readonly absent: unknown;
  readonly read: (reader: ByteReader) => unknown;
}

/** Every scalar type, with the value that a field has which isn't there. */
export const SCALARS: ReadonlyMap<string, Scalar> = new Map<string, Scalar>([
  ["double", { wireType: WIRE.fixed64, absent: 0, read: (reader) => reader.double() }],
  ["float", { wireType: WIRE.fixed32, absent: 0, read: (reader) => reader.float() }],
  ["int32", { wireType: WIRE.varint, absent: 0, read: (reader) => reader.int32() }],
  ["uint32", { wireType: WIRE.varint, absent: 0, read: (reader) => reader.uint32() }],
  ["sint32", { wireType: WIRE.varint, absent: 0, read: (reader) => sint32(reader.uint32()) }],
  ["int64", { wireType: WIRE.varint, absent: 0, read: (reader) => reader.int64() }],
  ["uint64", { wireType: WIRE.varint, absent: 0, read: (reader) => reader.uint64() }],
  ["sint64", { wireType: WIRE.varint, absent: 0, read: (reader) => reader.zigzag64() }],
  ["fixed32", { wireType: WIRE.fixed32, absent: 0, read: (reader) => reader.fixed32() }],
  ["sfixed32", { wireType: WIRE.fixed32, absent: 0, read: (reader) => reader.sfixed32() }],
  ["fixed64", { wireType: WIRE.fixed64, absent: 0, read: (reader) => reader.fixed64() }],
  ["sfixed64", { wireType: WIRE.fixed64, absent: 0, read: (reader) => reader.sfixed64() }],
  ["bool", { wireType: WIRE.varint, absent: false, read: readBool }],
  ["string", { wireType: WIRE.bytes, absent: "", read: (reader) => reader.text(reader.uint64()) }],
  ["bytes", { wireType: WIRE.bytes, absent: Buffer.alloc(0), read: (reader) => reader.take(reader.uint64()) }],
]);

function sint32(raw: number): number {
  return (raw >>> 1) ^ -(raw & 1);
}

/** Any bit makes it true, also one that a signed integer can't hold. */
function readBool(reader: ByteReader): boolean {
  return reader.zigzag64() !== 0;
}

export interface Tag {
  readonly id: number;
  readonly wireType: number;
}

export function readTag(reader: ByteReader): Tag {
  const tag = reader.uint64();
  if (tag > 0xffffffff || tag < 8) throw new Undecodable("schema-mismatch", `a field begins with ${tag}`);
  return { id: Math.floor(Number(tag) / 8), wireType: Number(tag) & 7 };
}

/** Passes over a field that the schema doesn't know. */
export function skipField(reader: ByteReader, { id, wireType }: Tag, depth: number): void {
  switch (wireType) {
    case WIRE.varint:
      reader.zigzag64();
      return;
    case WIRE.fixed64:
      reader.take(8);
      return;
    case WIRE.bytes:
      reader.take(reader.uint64());
      return;
    case WIRE.startGroup:
      skipGroup(reader, id, depth);
      return;
    case WIRE.fixed32:
      reader.take(4);
      return;
    default:
      throw new Undecodable("schema-mismatch", `field ${id} has wire type ${wireType}, which can't stand there`);
  }
}

function skipGroup(reader: ByteReader, group: number, depth: number): void {
  if (depth >= MAX_DEPTH) throw tooDeep();
  for (;;) {
    const tag = readTag(reader);
    if (tag.wireType === WIRE.endGroup && tag.id === group) return;
    skipField(reader, tag, depth + 1);
  }
}
