import { crc32c } from "@node-rs/crc32";
import { decompress } from "../../src/record-batch/compression.ts";
import { CODECS } from "../../src/record-batch/layout.ts";
import { ORIGIN_BYTES, ORIGIN_HEADER } from "../../src/record-batch/origin.ts";
import type { HostileInput } from "./input.ts";

/** A record as the reference reader sees it. */
export interface ReferenceRecord {
  readonly offset: bigint;
  readonly timestamp: bigint;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly (readonly [Buffer, Buffer | null])[];
}

export interface ReferenceResult {
  readonly records: readonly ReferenceRecord[];
  /** Why reading stopped, undefined if it came to the end. */
  readonly refused: string | undefined;
}

/**
 * Reads record batches as slowly and plainly as can be, straight from Kafka's description of the format, so that what
 * the fast reader accepts and refuses is judged by something else. Only decompression is shared. It knows of no aborted
 * transactions.
 *
 * @see https://kafka.apache.org/documentation/#recordbatch
 */
export function readByReference({ batches, fetchOffset }: HostileInput): ReferenceResult {
  const records: ReferenceRecord[] = [];
  try {
    let next = 0n;
    for (let rest = batches; rest.length >= 17; ) {
      const length = 12 + rest.readInt32BE(8);
      if (rest[16] !== 2 || length < 61) throw new Refusal("no batch header");
      if (length > rest.length) break;
      next = readBatch(rest.subarray(0, length), next, fetchOffset, records);
      rest = rest.subarray(length);
    }
    return { records, refused: undefined };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { records, refused: error.message };
  }
}

class Refusal extends Error {}

/** Returns the offset behind the batch. */
function readBatch(batch: Buffer, behind: bigint, fetchOffset: bigint, into: ReferenceRecord[]): bigint {
  const baseOffset = batch.readBigInt64BE(0);
  const lastOffset = baseOffset + BigInt(batch.readInt32BE(23));
  if (baseOffset < behind || lastOffset < baseOffset || lastOffset >= 2n ** 53n) throw new Refusal("offsets");
  const attributes = batch.readInt16BE(21);
  // Nobody looks at a batch that is not wanted, unless it could be a marker.
  if ((attributes & 32) === 0 && lastOffset < fetchOffset) return lastOffset + 1n;
  if (crc32c(batch.subarray(21)) !== batch.readUInt32BE(17)) throw new Refusal("CRC");
  const count = batch.readInt32BE(57);
  if (count < 0) throw new Refusal("record count");
  const isControl = (attributes & 32) !== 0;
  if (isControl && count === 0) return lastOffset + 1n;
  const reader = new Reader(isControl ? batch.subarray(61) : open(attributes & 7, batch.subarray(61)));
  let last = -1n;
  // Of a control batch nobody needs more than its first record.
  for (let left = isControl ? 1 : count; left > 0; left--) {
    const record = new Reader(reader.take(reader.varint(32)));
    record.take(1);
    const timestampDelta = record.varint(64);
    const offsetDelta = record.varint(32);
    const key = record.nullable();
    const value = record.nullable();
    const headers = readHeaders(record);
    if (record.left > 0) throw new Refusal("bytes behind a record");
    if (offsetDelta <= last) throw new Refusal("offset");
    if (isControl) break;
    if (baseOffset + offsetDelta > lastOffset) throw new Refusal("offset");
    last = offsetDelta;
    const timestamp =
      (attributes & 8) !== 0 ? batch.readBigInt64BE(35) : BigInt.asIntN(64, batch.readBigInt64BE(27) + timestampDelta);
    const offset = baseOffset + offsetDelta;
    if (offset >= fetchOffset) into.push({ offset, timestamp, key, value, headers });
  }
  if (reader.left > 0 && !isControl) throw new Refusal("bytes behind the records");
  return lastOffset + 1n;
}

function open(codecNumber: number, payload: Buffer): Buffer {
  const codec = CODECS[codecNumber];
  if (codec === undefined) throw new Refusal("codec");
  try {
    return decompress(codec, payload);
  } catch (cause) {
    throw new Refusal("payload", { cause });
  }
}

const ORIGIN_KEY = Buffer.from(ORIGIN_HEADER);
/** As many as `MAX_HEADERS` in src/record-batch/record-cursor.ts; one more with an origin. */
const MOST_HEADERS = 4_096;

function readHeaders(record: Reader): (readonly [Buffer, Buffer | null])[] {
  const count = record.varint(32);
  if (count < 0n || count > MOST_HEADERS + 1) throw new Refusal("header count");
  const headers = Array.from({ length: Number(count) }, () => {
    const key = record.nullable();
    if (key === null) throw new Refusal("a header without a name");
    return [key, record.nullable()] as const;
  });
  const hasOrigin = headers.some(([key, value]) => key.equals(ORIGIN_KEY) && value?.length === ORIGIN_BYTES);
  if (count > MOST_HEADERS && !hasOrigin) throw new Refusal("header count");
  return headers;
}

/** Takes bytes from the front, and refuses where there are none. */
class Reader {
  #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length;
  }

  take(length: bigint | number): Buffer {
    if (length < 0 || length > this.#bytes.length) throw new Refusal("length");
    const taken = this.#bytes.subarray(0, Number(length));
    this.#bytes = this.#bytes.subarray(Number(length));
    return taken;
  }

  /** Zigzag; at most 5 bytes for 32 bits and 10 for 64, of which the last may hold bits too many, as Java has it. */
  varint(bits: 32 | 64): bigint {
    let raw = 0n;
    for (let i = 0n; i < (bits === 32 ? 5n : 10n); i++) {
      const byte = this.take(1)[0] ?? 0;
      raw |= BigInt(byte & 0x7f) << (7n * i);
      if (byte < 0x80) {
        const kept = BigInt.asUintN(bits, raw);
        return (kept >> 1n) ^ -(kept & 1n);
      }
    }
    throw new Refusal("varint");
  }

  nullable(): Buffer | null {
    const length = this.varint(32);
    return length === -1n ? null : this.take(length);
  }
}
