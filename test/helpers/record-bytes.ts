import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Java } from "../../services/kafka/java.ts";

/** A record as Kafka's own Java consumer read it. */
export interface ByteRecord {
  readonly partition: number;
  readonly offset: number;
  readonly key: Buffer | null;
  /** In base64, null for none; of a large value its number of bytes and their digest: see `shown`. */
  readonly value: string | null;
  readonly headers: ReadonlyMap<string, Buffer | null>;
}

const SHOWN_BYTES = 100_000;

/** All records of each topic, by Kafka's own Java consumer, each partition in the order of its log. */
export async function readBytes(
  java: Java,
  brokers: readonly string[],
  topics: readonly string[],
): Promise<ReadonlyMap<string, readonly ByteRecord[]>> {
  const args = [brokers.join(), ...topics];
  const { code, stdout, stderr } = await java.runJavaSource("test/java/RecordBytes.java", args, { timeoutMs: 150_000 });
  assert.equal(code, 0, stderr);
  const read = new Map<string, ByteRecord[]>(topics.map((topic) => [topic, []]));
  for (const line of stdout.split("\n")) {
    const [topic = "", partition, offset, key = "", value = "", headers = ""] = line.split("\t");
    const named = headers === "" ? [] : headers.split(",").map((header) => header.split(/=(.*)/s));
    read.get(topic)?.push({
      partition: Number(partition),
      offset: Number(offset),
      key: bytesOf(key),
      value: value === "-" ? null : value,
      headers: new Map(named.map(([name = "", text = ""]) => [name, bytesOf(text)])),
    });
  }
  return read;
}

/** A value as `ByteRecord` has it. */
export function shown(value: Buffer): string {
  if (value.length <= SHOWN_BYTES) return value.toString("base64");
  return `#${value.length}:${createHash("sha256").update(value).digest("hex")}`;
}

function bytesOf(text: string): Buffer | null {
  return text === "-" ? null : Buffer.from(text, "base64");
}
