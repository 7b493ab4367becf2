import { readFileSync } from "node:fs";
import { join } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import type { DescribedFile } from "./describe.ts";

export const VECTORS = join(import.meta.dirname, "vectors");
export const MANIFEST = join(VECTORS, "manifest.jsonl");
/** Vectors of more bytes than this are kept compressed. */
export const COMPRESSED_ABOVE_BYTES = 16 * 1024;
export const COMPRESSED = ".br";

/** One file of batches that Kafka's Java classes wrote, and what they say is in it. */
export interface Vector extends DescribedFile {
  readonly name: string;
  readonly bytes: Buffer;
}

/** A line of the manifest. */
export interface ManifestEntry extends DescribedFile {
  readonly file: string;
}

export function readVectors(): readonly Vector[] {
  return readFileSync(MANIFEST, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => {
      const { file, ...described } = JSON.parse(line) as ManifestEntry;
      const bytes = readFileSync(join(VECTORS, file));
      return {
        name: file.slice(0, file.indexOf(".")),
        bytes: file.endsWith(COMPRESSED) ? brotliDecompressSync(bytes) : bytes,
        ...described,
      };
    });
}
