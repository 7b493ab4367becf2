import { compressFrameSync, decompressFrameSync } from "lz4-napi";

/**
 * LZ4 frames as Kafka's Java client reads and writes them: of independent blocks, without a dictionary.
 * @see https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md
 */
const MAGIC = 0x184d2204;
const CONTENT_SIZE_BIT = 0x08;
const CONTENT_CHECKSUM_BIT = 0x04;
const BLOCK_CHECKSUM_BIT = 0x10;
const DICTIONARY_BIT = 0x01;
const UNCOMPRESSED_BIT = 0x8000_0000;

export function compressLz4(records: Buffer): Buffer {
  return compressFrameSync(records);
}

/** @throws RangeError for a frame that could exceed `limit` or isn't whole; an error of the codec */
export function decompressLz4(compressed: Buffer, limit: number): Buffer {
  const frames: Buffer[] = [];
  let left = limit;
  for (let at = 0; at < compressed.length; ) {
    const { end, leastBytes } = measureFrame(compressed, at);
    if (leastBytes > left) throw new RangeError(`an lz4 frame would grow to at least ${leastBytes} bytes`);
    // The decoder takes the first frame only and says nothing of the others, so it gets them one by one.
    const frame = decompressFrameSync(compressed.subarray(at, end));
    if (frame.length > left) throw new RangeError(`an lz4 frame has grown to ${frame.length} bytes`);
    frames.push(frame);
    left -= frame.length;
    at = end;
  }
  return frames.length === 1 ? (frames[0] as Buffer) : Buffer.concat(frames);
}

/**
 * Where a frame ends, and the least it decompresses to: all its blocks but the last are full. So what is allocated
 * exceeds the limit by a block at most.
 */
function measureFrame(bytes: Buffer, start: number): { readonly end: number; readonly leastBytes: number } {
  if (bytes.length - start < 7 || bytes.readUInt32LE(start) !== MAGIC) throw new RangeError("not an lz4 frame");
  const flags = bytes[start + 4] as number;
  const maxBlockBytes = 2 ** (8 + 2 * (((bytes[start + 5] as number) >> 4) & 7));
  let at = start + 7 + ((flags & CONTENT_SIZE_BIT) === 0 ? 0 : 8) + ((flags & DICTIONARY_BIT) === 0 ? 0 : 4);
  for (let blocks = 0; at + 4 <= bytes.length; blocks++) {
    const size = bytes.readUInt32LE(at) & ~UNCOMPRESSED_BIT;
    at += 4;
    if (size === 0) {
      const end = at + ((flags & CONTENT_CHECKSUM_BIT) === 0 ? 0 : 4);
      if (end > bytes.length) break;
      return { end, leastBytes: Math.max(0, blocks - 1) * maxBlockBytes };
    }
    at += size + ((flags & BLOCK_CHECKSUM_BIT) === 0 ? 0 : 4);
  }
  throw new RangeError("an lz4 frame is cut");
}
