/**
 * Writes the golden vectors anew: `node test/golden/generate.ts`. It needs a JDK and, once, Maven for Kafka's jars; the
 * tests that read the vectors need neither. The same jars write the same bytes, so what git shows afterwards is a change
 * of Kafka's or of WriteVectors.java.
 */
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { brotliCompressSync } from "node:zlib";
import type { DescribedFile } from "./describe.ts";
import { openKafkaJava } from "./kafka-java.ts";
import { COMPRESSED, COMPRESSED_ABOVE_BYTES, MANIFEST, type ManifestEntry, VECTORS } from "./vectors.ts";

await using java = await openKafkaJava(console.log);
await java.run("WriteVectors.java", [java.directory]);
const names = (await readdir(java.directory)).filter((name) => name.endsWith(".bin")).toSorted();
const lines = await java.run(
  "ReadBatches.java",
  names.map((name) => join(java.directory, name)),
);
const described = lines.trimEnd().split("\n");

await rm(VECTORS, { recursive: true, force: true });
await mkdir(VECTORS);
const manifest: string[] = [];
let kept = 0;
for (const [i, name] of names.entries()) {
  const description = JSON.parse(described[i] ?? "{}") as DescribedFile;
  if (description.error !== undefined) throw new Error(`${name}: ${description.error}`);
  const bytes = await readFile(join(java.directory, name));
  const compressed = bytes.length > COMPRESSED_ABOVE_BYTES;
  const file = compressed ? name + COMPRESSED : name;
  const stored = compressed ? brotliCompressSync(bytes) : bytes;
  await writeFile(join(VECTORS, file), stored);
  manifest.push(JSON.stringify({ file, ...description } satisfies ManifestEntry));
  kept += stored.length;
}
await writeFile(MANIFEST, `${manifest.join("\n")}\n`);
console.log(`${names.length} vectors, ${kept} bytes, in ${VECTORS}`);
