import { compressSync, uncompressSync } from "snappy";

/**
 * The framing that snappy-java gives snappy, and Kafka with it: a header of 16 bytes, then blocks, each behind its
 * length as int32. Some clients write one raw snappy block instead; that is read, too.
 *
 * @see https://github.com/xerial/snappy-java, SnappyOutputStream
 */
const MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const HEADER_BYTES = 16;
const HEADER = Buffer.concat([MAGIC, Buffer.from([0, 0, 0, 1, 0, 0, 0, 1])]);
const BLOCK_BYTES = 32 * 1024;
/**
 * Output in memory of V8's own. Otherwise every block is mapped anew and given back no sooner than the event loop turns:
 * that takes several times as long, and keeps all blocks of a response in memory.
 */
const COPIED = { copyOutputData: true };

export function compressXerial(records: Buffer): Buffer {
  const parts: Buffer[] = [HEADER];
  for (let at = 0; at < records.length; at += BLOCK_BYTES) {
    const block = compressSync(records.subarray(at, at + BLOCK_BYTES), COPIED);
    const length = Buffer.allocUnsafe(4);
    length.writeInt32BE(block.length);
    parts.push(length, block);
  }
  return Buffer.concat(parts);
}

/** @throws RangeError if lengths lie or `limit` is exceeded; an error of the codec */
export function decompressXerial(compressed: Buffer, limit: number): Buffer {
  if (!compressed.subarray(0, MAGIC.length).equals(MAGIC)) return uncompress(compressed, limit);
  if (compressed.length < HEADER_BYTES) throw new RangeError("the snappy header is cut");
  const blocks: Buffer[] = [];
  let left = limit;
  for (let at = HEADER_BYTES; at < compressed.length; ) {
    const length = at + 4 <= compressed.length ? compressed.readInt32BE(at) : -1;
    at += 4;
    if (length <= 0 || length > compressed.length - at) throw new RangeError("a snappy block's length lies");
    const block = uncompress(compressed.subarray(at, at + length), left);
    blocks.push(block);
    left -= block.length;
    at += length;
  }
  return Buffer.concat(blocks);
}

/** A raw block begins with the length it decompresses to, which is checked before anything is allocated for it. */
function uncompress(block: Buffer, limit: number): Buffer {
  let length = 0;
  for (let at = 0; at < 5; at++) {
    const byte = block[at] ?? 0x80;
    length += (byte & 0x7f) * 2 ** (7 * at);
    if (byte < 0x80) {
      if (length > limit) throw new RangeError(`a snappy block would grow to ${length} bytes`);
      return uncompressSync(block, COPIED) as Buffer;
    }
  }
  throw new RangeError("a snappy block has no length");
}
