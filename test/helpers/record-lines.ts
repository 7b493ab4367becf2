import assert from "node:assert/strict";
import type { Java } from "../../services/kafka/java.ts";
import type { KafkaOptions } from "../../src/kafka/options.ts";

/** A record as Kafka's own Java consumer read it. */
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
  const args = [kafka.brokers.join(), ...topics];
  const { code, stdout, stderr } = await java.runJavaSource("test/java/RecordLines.java", args, { timeoutMs: 150_000 });
  assert.equal(code, 0, stderr);
  const logs = new Map<string, LogRecord[]>(topics.map((topic) => [topic, []]));
  for (const line of stdout.split("\n")) {
    const [topic = "", partition, offset, key = "", value = ""] = line.split("\t");
    logs.get(topic)?.push({ partition: Number(partition), offset: Number(offset), key, value });
  }
  return logs;
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
