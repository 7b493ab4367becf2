import { constants, gunzipSync, gzipSync } from "node:zlib";
import { CODECS, type Codec } from "./layout.ts";

/** The most that one batch may grow to when it is decompressed, in bytes: a defence against decompression bombs. */
export const MAX_DECOMPRESSED_BYTES = 64 * 1024 * 1024;

/** How one codec turns the records of a batch into bytes and back. `decompress` throws if it would exceed `limit`. */
interface Compression {
  compress(records: Uint8Array): Buffer;
  decompress(compressed: Uint8Array, limit: number): Buffer;
}

const COMPRESSIONS: Partial<Record<Codec, Compression>> = {
  gzip: {
    // Level 1: the relay sits in the path of live traffic, and Kafka's own default is speed-minded too.
    compress: (records) => gzipSync(records, { level: constants.Z_BEST_SPEED }),
    decompress: (compressed, limit) => gunzipSync(compressed, { maxOutputLength: limit }),
  },
};

/** The codec whose number stands in a batch's attributes, if there is one. */
export function codecOf(number: number): Codec | undefined {
  return CODECS[number];
}

/** Compresses the records of a batch. @throws RangeError for a codec that isn't supported */
export function compress(codec: Codec, records: Uint8Array): Uint8Array {
  return codec === "none" ? records : compressionFor(codec).compress(records);
}

/** Decompresses the records of a batch. @throws an error of the codec, or RangeError for one that isn't supported */
export function decompress(codec: Codec, compressed: Uint8Array, limit = MAX_DECOMPRESSED_BYTES): Uint8Array {
  return codec === "none" ? compressed : compressionFor(codec).decompress(compressed, limit);
}

function compressionFor(codec: Codec): Compression {
  const compression = COMPRESSIONS[codec];
  if (compression === undefined) throw new RangeError(`codec ${codec} is not supported`);
  return compression;
}
