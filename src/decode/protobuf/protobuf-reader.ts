/**
 * Protobuf's wire format → values, by the reflection that protobufjs makes of a .proto file. protobufjs's own reader isn't
 * used: its 64-bit integers are objects of a class, it mends broken UTF-8, and knows no bound for what a value unfolds
 * into.
 *
 * Names are those of Protobuf's JSON mapping (`user_id` becomes `userId`), enums are their names (numbers where the schema
 * has no name), messages and maps objects. A field that isn't there has its default value, unless the schema tells absent
 * from default (`optional`, messages, members of a oneof, proto2): then it is left out. Fields that the schema doesn't know
 * are passed over. Well-known types are messages like any others.
 */
import { ByteReader } from "../byte-reader.ts";
import { MAX_DEPTH, setOwn, tooDeep, Undecodable } from "../decoded.ts";
import { isMessage, type ProtobufEnum, type ProtobufField, type ProtobufMessage } from "./protobuf-type.ts";
import { readTag, SCALARS, type Scalar, skipField, WIRE } from "./wire.ts";

type Message = Record<string, unknown>;

interface FieldReader {
  readonly name: string;
  /** Of one value. */
  readonly wireType: number;
  /** Several values may stand in one field, behind each other. */
  readonly isPackable: boolean;
  /** Reads one value and puts it into the message. */
  readonly readInto: (message: Message, reader: ByteReader, depth: number) => void;
}

interface MessageReader {
  readonly fields: Map<number, FieldReader>;
  /** Fields that have a value although they aren't there. */
  readonly defaults: (readonly [name: string, value: () => unknown])[];
  readonly required: string[];
}

/** Makes the reader of a message type, whose fields' types are resolved; it throws `Undecodable`. */
export function protobufReader(type: ProtobufMessage): (payload: Buffer) => unknown {
  const messageReader = readerOf(type, new Map());
  return (payload) => readMessage(messageReader, new ByteReader(payload), 0);
}

/** `known` holds what is made already: messages may hold themselves. */
function readerOf(type: ProtobufMessage, known: Map<ProtobufMessage, MessageReader>): MessageReader {
  const made = known.get(type);
  if (made !== undefined) return made;
  const messageReader: MessageReader = { fields: new Map(), defaults: [], required: [] };
  known.set(type, messageReader);
  for (const field of type.fieldsArray) {
    const value = valueReaderOf(field, known);
    messageReader.fields.set(field.id, field.map ? mapField(field, value) : plainField(field, value));
    if (field.required) messageReader.required.push(field.name);
    if (field.map) messageReader.defaults.push([field.name, () => ({})]);
    else if (field.repeated) messageReader.defaults.push([field.name, () => []]);
    // Reflection says of messages without a label that they have no presence: they always have.
    else if (!field.hasPresence && !isMessage(field.resolvedType))
      messageReader.defaults.push([field.name, () => value.absent]);
  }
  return messageReader;
}

/** One value of a field. */
interface ValueReader {
  readonly wireType: number;
  readonly absent: unknown;
  /** `before` is what the message holds there already: parts of a message add up. */
  readonly read: (reader: ByteReader, depth: number, before: unknown) => unknown;
}

function valueReaderOf(field: ProtobufField, known: Map<ProtobufMessage, MessageReader>): ValueReader {
  const { resolvedType } = field;
  if (resolvedType === null) return scalar(field.type);
  if (!isMessage(resolvedType)) return enumValue(resolvedType);
  const messageReader = readerOf(resolvedType, known);
  const partOf = (before: unknown): Message | undefined => (isObject(before) ? before : undefined);
  if (field.delimited) {
    const read: ValueReader["read"] = (reader, depth, before) =>
      readMessage(messageReader, reader, depth, { into: partOf(before), group: field.id });
    return { wireType: WIRE.startGroup, absent: undefined, read };
  }
  const read: ValueReader["read"] = (reader, depth, before) =>
    within(reader, () => readMessage(messageReader, reader, depth, { into: partOf(before) }));
  return { wireType: WIRE.bytes, absent: undefined, read };
}

function scalar(type: string): Scalar {
  const found = SCALARS.get(type);
  if (found === undefined) throw new Error(`Protobuf has no type ${type}`);
  return found;
}

function enumValue({ valuesById }: ProtobufEnum): ValueReader {
  const nameOf = (number: number): string | number => valuesById[number] ?? number;
  return { wireType: WIRE.varint, absent: nameOf(0), read: (reader) => nameOf(reader.int32()) };
}

function plainField(field: ProtobufField, { wireType, read }: ValueReader): FieldReader {
  const { name, partOf, repeated } = field;
  const others = partOf?.oneof.filter((other) => other !== name) ?? [];
  return {
    name,
    wireType,
    isPackable: repeated && wireType !== WIRE.bytes && wireType !== WIRE.startGroup,
    readInto: (message, reader, depth) => {
      if (repeated) {
        (message[name] as unknown[]).push(read(reader, depth + 1, undefined));
        return;
      }
      const before = Object.hasOwn(message, name) ? message[name] : undefined;
      setOwn(message, name, read(reader, depth, before));
      for (const other of others) delete message[other];
    },
  };
}

/** A map is a repeated message of key (field 1) and value (field 2). */
function mapField(field: ProtobufField, value: ValueReader): FieldReader {
  const key = scalar(field.keyType ?? "");
  const parts = new Map<number, ValueReader>([
    [1, key],
    [2, value],
  ]);
  const isOfMessages = isMessage(field.resolvedType);
  const readEntry = (reader: ByteReader, depth: number): [unknown, unknown] => {
    const entry = [key.absent, isOfMessages ? undefined : value.absent] as [unknown, unknown];
    while (reader.left > 0) {
      const tag = readTag(reader);
      const found = parts.get(tag.id);
      if (found === undefined) skipField(reader, tag, depth);
      else {
        assertWireType(field.name, tag.wireType, found.wireType);
        entry[tag.id - 1] = found.read(reader, depth + 1, entry[tag.id - 1]);
      }
    }
    // An entry of a message without a value has an empty message.
    if (entry[1] === undefined) entry[1] = value.read(new ByteReader(NO_BYTES), depth + 1, undefined);
    return entry;
  };
  return {
    name: field.name,
    wireType: WIRE.bytes,
    isPackable: false,
    readInto: (message, reader, depth) => {
      if (depth >= MAX_DEPTH) throw tooDeep();
      const [name, one] = within(reader, () => readEntry(reader, depth));
      setOwn(message[field.name] as Message, String(name), one);
    },
  };
}

/** A message's length, 0. */
const NO_BYTES = Buffer.alloc(1);

function readMessage(
  { fields, defaults, required }: MessageReader,
  reader: ByteReader,
  depth: number,
  { into, group }: { readonly into?: Message | undefined; readonly group?: number } = {},
): Message {
  if (depth >= MAX_DEPTH) throw tooDeep();
  reader.spend(1 + defaults.length);
  const message = into ?? {};
  if (into === undefined) for (const [name, value] of defaults) setOwn(message, name, value());
  for (;;) {
    if (reader.left === 0) {
      if (group !== undefined) throw new Undecodable("truncated", `the value ends within group ${group}`);
      break;
    }
    const tag = readTag(reader);
    if (tag.wireType === WIRE.endGroup && tag.id === group) break;
    const field = fields.get(tag.id);
    if (field === undefined) skipField(reader, tag, depth + 1);
    else if (tag.wireType === WIRE.bytes && field.isPackable) {
      within(reader, () => {
        while (reader.left > 0) field.readInto(message, reader, depth + 1);
      });
    } else {
      assertWireType(field.name, tag.wireType, field.wireType);
      field.readInto(message, reader, depth + 1);
    }
  }
  const missing = required.length === 0 ? required : required.filter((name) => !Object.hasOwn(message, name));
  if (missing.length > 0) throw new Undecodable("schema-mismatch", `required and not there: ${missing.join(", ")}`);
  return message;
}

function assertWireType(field: string, found: number, wanted: number): void {
  if (found === wanted) return;
  throw new Undecodable("schema-mismatch", `field ${field} has wire type ${found} instead of ${wanted}`);
}

/** Reads what is preceded by its length, and no further. */
function within<T>(reader: ByteReader, read: () => T): T {
  const length = reader.uint64();
  const outer = reader.end;
  if (length > reader.left)
    throw new Undecodable("truncated", `the value ends before ${length} bytes that it announces`);
  reader.end = reader.at + Number(length);
  const value = read();
  reader.end = outer;
  return value;
}

function isObject(value: unknown): value is Message {
  return typeof value === "object" && value !== null;
}
