/**
 * Zigzag varints as in https://protobuf.dev/programming-guides/encoding/#signed-ints, which records are made of.
 *
 * A reader returns its value and leaves the position behind it in `end`: one shared cell instead of an object for each
 * number, since the relay reads several of them per record.
 */
export interface VarintEnd {
  end: number;
}

/**
 * Reads a 32-bit varint at `at`. The position behind it is left in `out.end`, which is -1 if the varint ends outside
 * `limit` or is longer than 5 bytes: callers check that once, after the fields they read in a row.
 */
export function readVarint(bytes: Uint8Array, at: number, limit: number, out: VarintEnd): number {
  let byte = at < limit ? (bytes[at] as number) : 0x80;
  if (byte < 0x80) {
    out.end = at + 1;
    return (byte >>> 1) ^ -(byte & 1);
  }
  let raw = 0;
  let shift = 0;
  let position = at;
  for (; shift < 35; shift += 7) {
    if (position >= limit) break;
    byte = bytes[position++] as number;
    raw |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      out.end = position;
      return (raw >>> 1) ^ -(raw & 1);
    }
  }
  out.end = -1;
  return 0;
}

/**
 * Reads a 64-bit varint as a number. Values outside ±2^53 are not exact: `out.end` is right all the same, and
 * `Number.isSafeInteger` of the result is false, so that the caller can read it again by `readVarlongExactly`.
 */
export function readVarlong(bytes: Uint8Array, at: number, limit: number, out: VarintEnd): number {
  let position = at;
  let low = 0;
  for (let shift = 0; shift < 28; shift += 7) {
    if (position >= limit) {
      out.end = -1;
      return 0;
    }
    const byte = bytes[position++] as number;
    low |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      out.end = position;
      return (low >>> 1) ^ -(low & 1);
    }
  }
  // 28 bits are read. The rest is added as a float, where shifts would wrap at 32 bits.
  let high = 0;
  let factor = 1;
  for (let count = 0; count < 6; count++) {
    if (position >= limit) break;
    const byte = bytes[position++] as number;
    high += (byte & 0x7f) * factor;
    factor *= 128;
    if (byte < 0x80) {
      out.end = position;
      const half = high * 2 ** 27 + (low >>> 1);
      return (low & 1) === 0 ? half : -half - 1;
    }
  }
  out.end = -1;
  return 0;
}

/** Reads a 64-bit varint exactly; for the rare value that `readVarlong` can't represent. The varint must be whole. */
export function readVarlongExactly(bytes: Uint8Array, at: number): bigint {
  let raw = 0n;
  let shift = 0n;
  for (let position = at; ; position++) {
    const byte = bytes[position] as number;
    raw |= BigInt(byte & 0x7f) << shift;
    shift += 7n;
    if (byte < 0x80) break;
  }
  raw &= 0xffffffffffffffffn;
  return BigInt.asIntN(64, (raw >> 1n) ^ -(raw & 1n));
}

/** Bytes that `writeVarint` takes for a 32-bit value. */
export function varintSize(value: number): number {
  const raw = ((value << 1) ^ (value >> 31)) >>> 0;
  if (raw < 0x80) return 1;
  if (raw < 0x4000) return 2;
  if (raw < 0x200000) return 3;
  return raw < 0x10000000 ? 4 : 5;
}

/** Writes a 32-bit value at `at`; returns the position behind it. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let raw = ((value << 1) ^ (value >> 31)) >>> 0;
  let position = at;
  while (raw >= 0x80) {
    bytes[position++] = (raw & 0x7f) | 0x80;
    raw >>>= 7;
  }
  bytes[position++] = raw;
  return position;
}

/** Bytes that `writeVarlong` takes for a safe integer. */
export function varlongSize(value: number): number {
  if (value >= -0x40000000 && value < 0x40000000) return varintSize(value);
  let raw = value < 0 ? -(value + 1) : value;
  let size = 1;
  // The first byte carries 6 bits of the magnitude beside the sign, the others 7.
  raw = Math.floor(raw / 64);
  while (raw > 0) {
    raw = Math.floor(raw / 128);
    size++;
  }
  return size;
}

/** Writes a safe integer as a 64-bit varint at `at`; returns the position behind it. */
export function writeVarlong(bytes: Uint8Array, at: number, value: number): number {
  if (value >= -0x40000000 && value < 0x40000000) return writeVarint(bytes, at, value);
  let magnitude = value < 0 ? -(value + 1) : value;
  let byte = ((magnitude % 64) << 1) | (value < 0 ? 1 : 0);
  magnitude = Math.floor(magnitude / 64);
  let position = at;
  while (magnitude > 0) {
    bytes[position++] = byte | 0x80;
    byte = magnitude % 128;
    magnitude = Math.floor(magnitude / 128);
  }
  bytes[position++] = byte;
  return position;
}
