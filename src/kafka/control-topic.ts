import type { Logger } from "pino";
import { readRecords } from "../record-batch/records.ts";
import { retry } from "../runtime/backoff.ts";
import { ensureTopic } from "./admin.ts";
import { Brokers } from "./cluster.ts";
import { EARLIEST, LATEST, offsetsAt } from "./offsets.ts";
import type { KafkaOptions } from "./options.ts";
import { RecordProducer } from "./record-producer.ts";
import { openSource } from "./source.ts";

/** One small compacted topic holds what offsets can't say: all of Spillway's own state. */
export const CONTROL_TOPIC = "spillway-control";

const BACKOFF = { baseMs: 50, maxMs: 1_000 };
const DEADLINE_MS = 30_000;

export interface ControlOptions {
  readonly kafka: KafkaOptions;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/**
 * The values of a key that the control topic holds, the oldest first: compaction leaves the latest, and until it has run
 * the earlier ones too. Makes the topic if it isn't there.
 * @throws SpillwayError BROKER_UNREACHABLE, TOPIC_MISMATCH, NOT_AUTHORIZED; the signal's reason
 */
export async function readControl(key: string, { kafka, log, signal }: ControlOptions): Promise<readonly string[]> {
  await using brokers = new Brokers(kafka, log);
  await brokers.connect(signal, log);
  const config = { "cleanup.policy": "compact" };
  const { topicId } = await ensureTopic(brokers, { topic: CONTROL_TOPIC, partitions: 1, config }, signal);
  const partition = { topic: CONTROL_TOPIC, topicId, partition: 0 };
  const limits = { signal, backoff: BACKOFF, deadlineMs: DEADLINE_MS };
  const at = (timestamp: bigint) => retry(() => offsetsAt(brokers, [partition], timestamp, "read_committed"), limits);
  const [[start], [end]] = [await at(EARLIEST), await at(LATEST)];
  const values: string[] = [];
  if (start === undefined || end === undefined || start.offset >= end.offset) return values;
  for await (const fetched of openSource({ kafka, log, signal, positions: [start] })) {
    for (const record of readRecords(fetched)) {
      if (record.offset < end.offset && record.key?.toString() === key) values.push(record.value?.toString() ?? "");
    }
    if (fetched.nextOffset >= end.offset) return values;
  }
  signal.throwIfAborted();
  return values;
}

/** Resolves when it is acknowledged. @throws SpillwayError as `RecordProducer.send` */
export async function writeControl(key: string, value: string, { kafka, log, signal }: ControlOptions): Promise<void> {
  await using producer = await RecordProducer.open({ kafka, log, signal, lingerMs: 0 });
  await producer.send(CONTROL_TOPIC, { key: Buffer.from(key), value: Buffer.from(value), timestamp: Date.now() });
}
