import { compressSync, decompressFrameSync, uncompressSync } from "lz4-napi";

/**
 * LZ4 frames as Kafka's Java client reads and writes them: of independent blocks, without a dictionary.
 *
 * Only blocks are left to the codec. Its own frames cost five times as much to read and twice as much to write: it
 * allocates the largest block there may be, several times over, for every batch (bench/notes.md).
 * @see https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md
 */
const MAGIC = 0x184d2204;
const VERSION_1 = 0x40;
const INDEPENDENT_BIT = 0x20;
const BLOCK_CHECKSUM_BIT = 0x10;
const CONTENT_SIZE_BIT = 0x08;
const CONTENT_CHECKSUM_BIT = 0x04;
const DICTIONARY_BIT = 0x01;
const UNCOMPRESSED_BIT = 0x8000_0000;
/** Writers make one frame of a batch. The codec takes 0.14 ms for one even if it is all but empty. */
const MAX_FRAMES = 1_000;
/** A byte of a block stands for so many at most: a small one needs no memory for a full one. */
const MOST_PER_BYTE = 255;
/** Before a block stands its size: in the frame that of its bytes, for the codec that of what it holds. */
const SIZE_BYTES = 4;

/** The sizes that a block may have, and the headers of frames with such blocks, their last byte a checksum. */
const HEADERS = [
  { blockBytes: 64 * 1024, header: Buffer.from("04224d18604082", "hex") },
  { blockBytes: 256 * 1024, header: Buffer.from("04224d186050fb", "hex") },
  { blockBytes: 1024 * 1024, header: Buffer.from("04224d18606051", "hex") },
  { blockBytes: 4 * 1024 * 1024, header: Buffer.from("04224d18607073", "hex") },
] as const;
const END = Buffer.alloc(SIZE_BYTES);

export function compressLz4(records: Buffer): Buffer {
  const { blockBytes, header } = HEADERS.find((one) => one.blockBytes >= records.length) ?? HEADERS[3];
  const parts: Buffer[] = [header];
  for (let at = 0; at < records.length; at += blockBytes) {
    const plain = records.subarray(at, at + blockBytes);
    const block = compressSync(plain);
    const size = block.length - SIZE_BYTES;
    if (size < plain.length) {
      block.writeUInt32LE(size, 0);
      parts.push(block);
    } else {
      const plainSize = Buffer.alloc(SIZE_BYTES);
      plainSize.writeUInt32LE((plain.length | UNCOMPRESSED_BIT) >>> 0, 0);
      parts.push(plainSize, plain);
    }
  }
  return Buffer.concat([...parts, END]);
}

/** @throws RangeError for a frame that could exceed `limit` or isn't whole; an error of the codec */
export function decompressLz4(compressed: Buffer, limit: number): Buffer {
  const blocks: Buffer[] = [];
  let left = limit;
  for (let at = 0, frames = 0; at < compressed.length; frames++) {
    if (frames === MAX_FRAMES) throw new RangeError(`more than ${MAX_FRAMES} lz4 frames`);
    const frame = readFrame(compressed, at);
    // The codec takes a frame as a whole, and all blocks but the last are full: so what it allocates exceeds the limit by
    // a block at most. Blocks are taken one by one, and may be less than full where a writer has flushed.
    const leastBytes = frame.isPlain ? 0 : Math.max(0, frame.blocks.length - 1) * frame.blockBytes;
    if (leastBytes > left) throw new RangeError(`an lz4 frame would grow to at least ${leastBytes} bytes`);
    for (const block of blocksOf(frame, compressed.subarray(at, frame.end))) {
      left -= block.length;
      if (left < 0) throw new RangeError(`lz4 blocks have grown beyond ${limit} bytes`);
      blocks.push(block);
    }
    at = frame.end;
  }
  return blocks.length === 1 ? (blocks[0] as Buffer) : Buffer.concat(blocks);
}

interface Frame {
  readonly blockBytes: number;
  /** Its blocks don't refer to one another, and nothing but they themselves is to be checked. */
  readonly isPlain: boolean;
  readonly blocks: readonly { readonly isCompressed: boolean; readonly bytes: Buffer }[];
  readonly end: number;
}

function readFrame(bytes: Buffer, start: number): Frame {
  if (bytes.length - start < 7 || bytes.readUInt32LE(start) !== MAGIC) throw new RangeError("not an lz4 frame");
  const [flags, sizes] = [bytes[start + 4] as number, bytes[start + 5] as number];
  const blockBytes = 2 ** (8 + 2 * ((sizes >> 4) & 7));
  const isChecked = (flags & (BLOCK_CHECKSUM_BIT | CONTENT_CHECKSUM_BIT)) !== 0;
  const isPlain = (flags & ~CONTENT_SIZE_BIT) === (VERSION_1 | INDEPENDENT_BIT) && !isChecked;
  const blocks: { readonly isCompressed: boolean; readonly bytes: Buffer }[] = [];
  let at = start + 7 + ((flags & CONTENT_SIZE_BIT) === 0 ? 0 : 8) + ((flags & DICTIONARY_BIT) === 0 ? 0 : 4);
  while (at + SIZE_BYTES <= bytes.length) {
    const field = bytes.readUInt32LE(at);
    const size = (field & ~UNCOMPRESSED_BIT) >>> 0;
    at += SIZE_BYTES;
    if (size === 0) {
      const end = at + ((flags & CONTENT_CHECKSUM_BIT) === 0 ? 0 : 4);
      if (end > bytes.length) break;
      return { blockBytes, isPlain, blocks, end };
    }
    blocks.push({ isCompressed: field < UNCOMPRESSED_BIT, bytes: bytes.subarray(at, at + size) });
    at += size + ((flags & BLOCK_CHECKSUM_BIT) === 0 ? 0 : 4);
  }
  throw new RangeError("an lz4 frame is cut");
}

function* blocksOf({ isPlain, blocks, blockBytes }: Frame, frame: Buffer): Generator<Buffer, void, undefined> {
  if (!isPlain) {
    yield decompressFrameSync(frame);
    return;
  }
  for (const { isCompressed, bytes } of blocks) {
    if (!isCompressed) yield bytes;
    else {
      const sized = Buffer.allocUnsafe(SIZE_BYTES + bytes.length);
      sized.writeUInt32LE(Math.min(blockBytes, MOST_PER_BYTE * bytes.length), 0);
      bytes.copy(sized, SIZE_BYTES);
      yield uncompressSync(sized);
    }
  }
}
