import assert from "node:assert/strict";
import type { Java } from "../../services/kafka/java.ts";
import type { KafkaOptions } from "../../src/kafka/options.ts";
import { type ByteRecord, readBytes } from "./record-bytes.ts";

/** A record as Kafka's own Java consumer read it, of text: a value of 100,000 bytes at most. */
export interface LogRecord {
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly value: string;
}

/** All records of each topic, by Kafka's own Java consumer, each partition in the order of its log. */
export async function readLogs(
  java: Java,
  kafka: KafkaOptions,
  topics: readonly string[],
): Promise<ReadonlyMap<string, readonly LogRecord[]>> {
  const read = await readBytes(java, kafka.brokers, topics);
  return new Map([...read].map(([topic, records]) => [topic, records.map(asText)]));
}

function asText({ partition, offset, key, value }: ByteRecord): LogRecord {
  return {
    partition,
    offset,
    key: String(key),
    value: value === null ? "null" : Buffer.from(value, "base64").toString(),
  };
}

/** A numbered record's value: its length varies, and all of it follows from the number, so damage shows. */
export function numberedValue(number: number): string {
  return `${number} ${String.fromCharCode(97 + (number % 26)).repeat((number * 7919) % 400)}`;
}

/** @throws AssertionError for a value that isn't that of its number */
export function numberOf(value: string): number {
  const number = Number.parseInt(value, 10);
  assert.equal(value, numberedValue(number), "a value is not what was written");
  return number;
}

/**
 * Of a topic written at least once: what is there, and that the first appearances of each key's numbers come in their
 * order. Repeats of what was there already are counted.
 */
export function firstAppearances(log: readonly LogRecord[]): {
  readonly places: ReadonlyMap<number, LogRecord>;
  readonly repeats: number;
} {
  const places = new Map<number, LogRecord>();
  const last = new Map<string, number>();
  let repeats = 0;
  for (const record of log) {
    const number = numberOf(record.value);
    if (places.has(number)) {
      repeats++;
      continue;
    }
    places.set(number, record);
    const before = last.get(record.key) ?? -1;
    assert.ok(number > before, `key ${record.key}: ${number} comes after ${before}`);
    last.set(record.key, number);
  }
  return { places, repeats };
}
