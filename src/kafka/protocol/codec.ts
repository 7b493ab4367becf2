/**
 * A small codec for Kafka's protocol, as data: a message is described by its fields, and the type of its value follows
 * from the description. Only flexible versions (KIP-482) are spoken, so strings, bytes and arrays are compact, and
 * every struct ends in tagged fields, which are skipped unless they are named.
 *
 * @see https://kafka.apache.org/protocol#protocol_types
 */
export interface FieldCodec<T> {
  /** The type as Kafka's message definitions have it, with a `?` behind one that can be null. */
  readonly type: string;
  /** Of a struct, or of the structs in an array: its fields in their order. */
  readonly fields?: Readonly<Record<string, FieldCodec<unknown>>>;
  read(from: ProtocolReader): T;
  write(to: ProtocolWriter, value: T): void;
}

export type ValueOf<C> = C extends FieldCodec<infer T> ? T : never;

/** Reads a response. @throws RangeError where it ends too early */
export class ProtocolReader {
  readonly bytes: Buffer;
  at: number;

  constructor(bytes: Buffer, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  skip(bytes: number): number {
    const at = this.at;
    this.at += bytes;
    if (bytes < 0 || this.at > this.bytes.length) throw new RangeError(`response ends at byte ${this.bytes.length}`);
    return at;
  }

  unsignedVarint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.bytes[this.skip(1)] as number;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError("a varint is longer than 5 bytes");
  }

  /** A view, not a copy. */
  slice(length: number): Buffer {
    const at = this.skip(length);
    return this.bytes.subarray(at, at + length);
  }
}

/** Bytes of at least this length are sent from where they lie instead of being copied. */
const SHARED_BYTES = 4 * 1024;
const CHUNK_BYTES = 1024;

/** Writes a request, as chunks to be sent one behind the other. */
export class ProtocolWriter {
  readonly #chunks: Buffer[] = [];
  #open = Buffer.allocUnsafe(CHUNK_BYTES);
  #end = 0;

  /** All that was written. Nothing can be written any more. */
  finish(): readonly Buffer[] {
    this.#closeChunk();
    return this.#chunks;
  }

  #closeChunk(): void {
    if (this.#end > 0) this.#chunks.push(this.#open.subarray(0, this.#end));
    this.#open = this.#open.subarray(this.#end);
    this.#end = 0;
  }

  /** Makes room for `length` bytes and returns where they go. */
  #grow(length: number): number {
    if (this.#end + length > this.#open.length) {
      this.#closeChunk();
      this.#open = Buffer.allocUnsafe(Math.max(CHUNK_BYTES, length));
    }
    const at = this.#end;
    this.#end += length;
    return at;
  }

  int8(value: number): void {
    const at = this.#grow(1);
    this.#open.writeInt8(value, at);
  }

  int16(value: number): void {
    const at = this.#grow(2);
    this.#open.writeInt16BE(value, at);
  }

  int32(value: number): void {
    const at = this.#grow(4);
    this.#open.writeInt32BE(value, at);
  }

  int64(value: bigint): void {
    const at = this.#grow(8);
    this.#open.writeBigInt64BE(value, at);
  }

  unsignedVarint(value: number): void {
    let left = value;
    while (left >= 0x80) {
      this.#byte((left & 0x7f) | 0x80);
      left = Math.floor(left / 128);
    }
    this.#byte(left);
  }

  #byte(value: number): void {
    // The room is made first: that may replace the buffer.
    const at = this.#grow(1);
    this.#open[at] = value;
  }

  /** The bytes must stay as they are until the request is sent. */
  raw(bytes: Buffer): void {
    if (bytes.length >= SHARED_BYTES) {
      this.#closeChunk();
      this.#chunks.push(bytes);
    } else {
      const at = this.#grow(bytes.length);
      this.#open.set(bytes, at);
    }
  }
}

export const int8: FieldCodec<number> = {
  type: "int8",
  read: (from) => from.bytes.readInt8(from.skip(1)),
  write: (to, value) => to.int8(value),
};

export const int16: FieldCodec<number> = {
  type: "int16",
  read: (from) => from.bytes.readInt16BE(from.skip(2)),
  write: (to, value) => to.int16(value),
};

export const int32: FieldCodec<number> = {
  type: "int32",
  read: (from) => from.bytes.readInt32BE(from.skip(4)),
  write: (to, value) => to.int32(value),
};

export const int64: FieldCodec<bigint> = {
  type: "int64",
  read: (from) => from.bytes.readBigInt64BE(from.skip(8)),
  write: (to, value) => to.int64(value),
};

export const bool: FieldCodec<boolean> = {
  type: "bool",
  read: (from) => int8.read(from) !== 0,
  write: (to, value) => to.int8(value ? 1 : 0),
};

/** A topic id, in Kafka's text form: base64url without padding. */
export const uuid: FieldCodec<string> = {
  type: "uuid",
  read: (from) => from.slice(16).toString("base64url"),
  write: (to, value) => to.raw(Buffer.from(value, "base64url")),
};

/** The text form of the id that stands for "no topic id". */
export const ZERO_UUID = "AAAAAAAAAAAAAAAAAAAAAA";

/** Nullable bytes; what is read is a view of the response. */
export const nullableBytes: FieldCodec<Buffer | null> = {
  type: "bytes?",
  read(from) {
    const length = from.unsignedVarint();
    return length === 0 ? null : from.slice(length - 1);
  },
  write(to, value) {
    to.unsignedVarint(value === null ? 0 : value.length + 1);
    if (value !== null) to.raw(value);
  },
};

export const bytes: FieldCodec<Buffer> = {
  type: "bytes",
  read: (from) => notNull(nullableBytes.read(from)),
  write: nullableBytes.write,
};

export const nullableString: FieldCodec<string | null> = {
  type: "string?",
  read: (from) => nullableBytes.read(from)?.toString("utf8") ?? null,
  write: (to, value) => nullableBytes.write(to, value === null ? null : Buffer.from(value, "utf8")),
};

export const string: FieldCodec<string> = {
  type: "string",
  read: (from) => notNull(nullableString.read(from)),
  write: nullableString.write,
};

export function nullableArray<T>(item: FieldCodec<T>): FieldCodec<readonly T[] | null> {
  return {
    type: `[]${item.type}?`,
    ...(item.fields === undefined ? {} : { fields: item.fields }),
    read(from) {
      const length = from.unsignedVarint();
      if (length === 0) return null;
      // Not preallocated: a length that lies must run into the end of the response, not into the end of memory.
      const items: T[] = [];
      for (let i = 1; i < length; i++) items.push(item.read(from));
      return items;
    },
    write(to, values) {
      to.unsignedVarint(values === null ? 0 : values.length + 1);
      for (const value of values ?? []) item.write(to, value);
    },
  };
}

export function array<T>(item: FieldCodec<T>): FieldCodec<readonly T[]> {
  const nullable = nullableArray(item);
  return { ...nullable, type: `[]${item.type}`, read: (from) => notNull(nullable.read(from)) };
}

type Fields = Readonly<Record<string, FieldCodec<unknown>>>;
type Tagged = Readonly<Record<string, { readonly tag: number; readonly codec: FieldCodec<unknown> }>>;
type StructOf<F extends Fields, G extends Tagged> = { readonly [K in keyof F]: ValueOf<F[K]> } & {
  readonly [K in keyof G]?: ValueOf<G[K]["codec"]>;
};

/** A struct: its fields in their order, then tagged fields. Of these, the named ones are read; none are written. */
export function struct<F extends Fields, G extends Tagged = Record<never, never>>(
  fields: F,
  tagged?: G,
): FieldCodec<StructOf<F, G>> {
  const entries = Object.entries(fields);
  const byTag = new Map(Object.entries(tagged ?? {}).map(([name, { tag, codec }]) => [tag, { name, codec }]));
  return {
    type: "struct",
    fields,
    read(from) {
      const value: Record<string, unknown> = {};
      for (const [name, codec] of entries) value[name] = codec.read(from);
      for (let left = from.unsignedVarint(); left > 0; left--) {
        const field = byTag.get(from.unsignedVarint());
        const content = from.slice(from.unsignedVarint());
        if (field !== undefined) value[field.name] = field.codec.read(new ProtocolReader(content));
      }
      return value as StructOf<F, G>;
    },
    write(to, value) {
      for (const [name, codec] of entries) codec.write(to, (value as Readonly<Record<string, unknown>>)[name]);
      to.unsignedVarint(0);
    },
  };
}

function notNull<T>(value: T | null): T {
  if (value === null) throw new RangeError("a field that can't be null is null");
  return value;
}
