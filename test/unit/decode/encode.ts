/** Numbers as Avro and Protobuf write them, made here by hand: the code under test has no part in it. */

export function varint(raw: bigint | number): Buffer {
  const bytes: number[] = [];
  let left = BigInt.asUintN(64, BigInt(raw));
  for (; left >= 0x80n; left >>= 7n) bytes.push(Number(left & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(left)]);
}

export function zigzag(value: bigint | number): Buffer {
  const big = BigInt(value);
  return varint((big << 1n) ^ (big >> 63n));
}

export function double(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes;
}

export function float(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}

export function sized(bytes: Buffer | string, length: (count: number) => Buffer = varint): Buffer {
  const content = Buffer.from(bytes as string);
  return Buffer.concat([length(content.length), content]);
}

/** What a decoder makes of an integer: a number where that is exact. */
export function integer(value: bigint): number | bigint {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

/** In the registry's wire format. */
export function framed(id: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header.writeInt32BE(id, 1);
  return Buffer.concat([header, payload]);
}
