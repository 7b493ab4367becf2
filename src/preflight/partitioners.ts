import { crc32 } from "node:zlib";

/** Where producers put a key that don't use Kafka's own partitioner (murmur2: `record-batch/murmur2.ts`). */
export const OTHER_PARTITIONERS = {
  /** librdkafka's default, `consistent_random`: also confluent-kafka for Python, Go and .NET. */
  "librdkafka's CRC-32": (key: Uint8Array, partitions: number) => crc32(key) % partitions,
  /** Sarama's default for Go: FNV-1a, as a signed number. */
  "Sarama's FNV-1a": (key: Uint8Array, partitions: number) => Math.abs(fnv1a(key) % partitions),
} as const satisfies Readonly<Record<string, (key: Uint8Array, partitions: number) => number>>;

export type OtherPartitioner = keyof typeof OTHER_PARTITIONERS;

function fnv1a(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash | 0;
}
