import { writeVarint } from "./varint.ts";

/**
 * The header that says where a record first came from. It is written by the first relay a record goes through and kept
 * by every later one, so that a database can tell a replayed record from a new one, whatever topics lie between.
 * Its value is packed: topic id (16 bytes), partition (int32), offset (int64), all big-endian.
 */
export const ORIGIN_HEADER = "spillway-origin";
export const ORIGIN_BYTES = 28;

const KEY = Buffer.from(ORIGIN_HEADER, "latin1");
const PREFIX_BYTES = 1 + KEY.length + 1;
const TWO_POW_32 = 0x1_0000_0000;

/** Where a record came from. `topicId` is Kafka's own text form of a topic id: base64url without padding. */
export interface Origin {
  readonly topicId: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** A whole origin header for records of one partition, of which only the offset changes from record to record. */
export class OriginStamp {
  readonly bytes: Buffer;

  constructor(topicId: string, partition: number) {
    this.bytes = Buffer.alloc(PREFIX_BYTES + ORIGIN_BYTES);
    let at = writeVarint(this.bytes, 0, KEY.length);
    at += KEY.copy(this.bytes, at);
    at = writeVarint(this.bytes, at, ORIGIN_BYTES);
    topicIdToBytes(topicId).copy(this.bytes, at);
    this.bytes.writeInt32BE(partition, at + 16);
  }

  /** Sets the offset, which must be a safe integer (the reader of a batch has checked that). */
  setOffset(offset: number): void {
    const at = PREFIX_BYTES + 20;
    this.bytes.writeUInt32BE(Math.floor(offset / TWO_POW_32), at);
    this.bytes.writeUInt32BE(offset % TWO_POW_32, at + 4);
  }
}

/** True if the header key at `start`..`end` is the origin header's. */
export function isOriginKey(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start !== KEY.length) return false;
  for (let i = 0; i < KEY.length; i++) if (bytes[start + i] !== KEY[i]) return false;
  return true;
}

/** Reads a packed origin, which must be whole. */
export function readOrigin(bytes: Buffer, at: number): Origin {
  return {
    topicId: bytes.toString("base64url", at, at + 16),
    partition: bytes.readInt32BE(at + 16),
    offset: bytes.readBigInt64BE(at + 20),
  };
}

/** Packs an origin as the header's value. */
export function packOrigin({ topicId, partition, offset }: Origin): Buffer {
  const bytes = Buffer.alloc(ORIGIN_BYTES);
  topicIdToBytes(topicId).copy(bytes, 0);
  bytes.writeInt32BE(partition, 16);
  bytes.writeBigInt64BE(offset, 20);
  return bytes;
}

/** The 16 bytes of a topic id in its text form. @throws RangeError if it isn't one */
export function topicIdToBytes(topicId: string): Buffer {
  const bytes = Buffer.from(topicId, "base64url");
  if (bytes.length !== 16) throw new RangeError(`not a topic id: ${topicId}`);
  return bytes;
}
