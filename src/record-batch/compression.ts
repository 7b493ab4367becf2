import { constants, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { CODECS, type Codec } from "./layout.ts";
import { compressLz4, decompressLz4 } from "./lz4.ts";
import { compressXerial, decompressXerial } from "./xerial.ts";

/** The most that one batch may grow to when it is decompressed, in bytes: a defence against decompression bombs. */
export const MAX_DECOMPRESSED_BYTES = 64 * 1024 * 1024;

/** How one codec turns the records of a batch into bytes and back. `decompress` throws rather than exceed `limit`. */
interface Compression {
  compress(records: Buffer): Buffer;
  decompress(compressed: Buffer, limit: number): Buffer;
}

/**
 * In the frames that Kafka's Java client writes and reads. The levels are fast ones: the relay sits in the path of live
 * traffic. All are synchronous: a thread per batch costs more than most batches, and order would have to be kept.
 */
const COMPRESSIONS: Record<Codec, Compression> = {
  none: { compress: (records) => records, decompress: (records) => records },
  gzip: {
    compress: (records) => gzipSync(records, { level: constants.Z_BEST_SPEED }),
    decompress: (compressed, limit) => gunzipSync(compressed, { maxOutputLength: limit }),
  },
  snappy: { compress: compressXerial, decompress: decompressXerial },
  lz4: { compress: compressLz4, decompress: decompressLz4 },
  zstd: {
    compress: (records) => zstdCompressSync(records, { params: { [constants.ZSTD_c_compressionLevel]: 1 } }),
    decompress: decompressZstd,
  },
};

/** The codec whose number stands in a batch's attributes, if there is one. */
export function codecOf(number: number): Codec | undefined {
  return CODECS[number];
}

/** Compresses the records of a batch. */
export function compress(codec: Codec, records: Buffer): Buffer {
  return COMPRESSIONS[codec].compress(records);
}

/** Decompresses the records of a batch. @throws an error of the codec; RangeError beyond `limit` */
export function decompress(codec: Codec, compressed: Buffer, limit = MAX_DECOMPRESSED_BYTES): Buffer {
  return COMPRESSIONS[codec].decompress(compressed, limit);
}

/** Node takes what it decompresses in chunks, each a call: 0.6 µs a record in chunks of 16 KiB, 0.3 in one. */
const LEAST_CHUNK_BYTES = 16 * 1024;
const MOST_CHUNK_BYTES = 256 * 1024;
/** JSON shrinks to a fifth or so. */
const EXPECTED_RATIO = 6;

/** Writers make one frame of a batch. A frame takes Node 25 µs even if it is empty, and 9 bytes hold an empty one. */
const MAX_ZSTD_FRAMES = 1_000;

/** Node decompresses the first frame only and says nothing of the others. */
function decompressZstd(compressed: Buffer, limit: number): Buffer {
  const frames: Buffer[] = [];
  let left = limit;
  for (let at = 0; at < compressed.length; ) {
    if (frames.length === MAX_ZSTD_FRAMES) throw new RangeError(`more than ${MAX_ZSTD_FRAMES} zstd frames`);
    // With `info` both come back, which the types don't know.
    const expected = (compressed.length - at) * EXPECTED_RATIO;
    const { buffer, engine } = zstdDecompressSync(compressed.subarray(at), {
      chunkSize: Math.min(MOST_CHUNK_BYTES, Math.max(LEAST_CHUNK_BYTES, expected)),
      maxOutputLength: Math.max(1, left),
      info: true,
    }) as unknown as { readonly buffer: Buffer; readonly engine: { readonly bytesWritten: number } };
    frames.push(buffer);
    left -= buffer.length;
    if (engine.bytesWritten <= 0) throw new RangeError("a zstd frame has no length");
    at += engine.bytesWritten;
  }
  return frames.length === 1 ? (frames[0] as Buffer) : Buffer.concat(frames);
}
