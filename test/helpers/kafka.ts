import assert from "node:assert/strict";
import { type Logger, pino } from "pino";
import { ensureTopic, type WantedTopic } from "../../src/kafka/admin.ts";
import { Brokers, type TopicMetadata } from "../../src/kafka/cluster.ts";
import { GROUP_DEFAULTS, type GroupOptions } from "../../src/kafka/group-member.ts";
import { committedOffsets } from "../../src/kafka/group-offsets.ts";
import { EARLIEST, offsetsAt } from "../../src/kafka/offsets.ts";
import { KAFKA_DEFAULTS, type KafkaOptions } from "../../src/kafka/options.ts";
import { type Acknowledged, RecordProducer } from "../../src/kafka/record-producer.ts";
import { openSource } from "../../src/kafka/source.ts";
import type { Position } from "../../src/kafka/topic-partition.ts";
import type { NewRecord } from "../../src/record-batch/batch-builder.ts";
import { type KafkaRecord, readRecords } from "../../src/record-batch/records.ts";
import { retry } from "../../src/runtime/backoff.ts";
import { testServices } from "./services.ts";

/** SPILLWAY_TEST_LOG=debug shows what the parts under test log. */
export const testLog: Logger = pino({ level: process.env["SPILLWAY_TEST_LOG"] ?? "silent" });

export function kafkaOf(brokers: readonly string[]): KafkaOptions {
  return { ...KAFKA_DEFAULTS, brokers, connectDeadlineMs: 30_000 };
}

/** A session that ends and rebalances soon, so that tests don't wait for it. */
export function groupOf(group: string, options: Partial<GroupOptions> = {}): Omit<GroupOptions, "topics"> {
  return {
    ...GROUP_DEFAULTS,
    group,
    sessionTimeoutMs: 6_000,
    heartbeatMs: 200,
    rebalanceTimeoutMs: 10_000,
    ...options,
  };
}

export async function makeTopic(kafka: KafkaOptions, wanted: WantedTopic): Promise<TopicMetadata> {
  const signal = AbortSignal.timeout(30_000);
  await using brokers = new Brokers(kafka, testLog);
  await brokers.connect(signal, testLog);
  return await ensureTopic(brokers, wanted, signal);
}

/** Writes records and returns where each lies. */
export async function produceAll(
  kafka: KafkaOptions,
  topic: string,
  records: readonly NewRecord[],
): Promise<readonly Acknowledged[]> {
  const signal = AbortSignal.timeout(60_000);
  await using producer = await RecordProducer.open({ kafka, log: testLog, signal });
  const acknowledged: Promise<Acknowledged>[] = [];
  for (const [i, record] of records.entries()) {
    if (i % 500 === 0) await producer.ready();
    acknowledged.push(producer.send(topic, record));
  }
  await producer.flush();
  return await Promise.all(acknowledged);
}

/** Reads a topic from its beginning until it has given as many records as are wanted. */
export async function consume(
  kafka: KafkaOptions,
  topic: string,
  wanted: number,
  deadlineMs = 60_000,
): Promise<readonly KafkaRecord[]> {
  const deadline = AbortSignal.timeout(deadlineMs);
  const positions = await startOf(kafka, topic);
  const read: KafkaRecord[] = [];
  for await (const fetched of openSource({ kafka, positions, signal: deadline, log: testLog })) {
    read.push(...readRecords(fetched));
    if (read.length >= wanted) break;
  }
  assert.ok(read.length >= wanted, `${topic} gave ${read.length} of ${wanted} records within ${deadlineMs} ms`);
  return read;
}

export async function startOf(kafka: KafkaOptions, topic: string): Promise<readonly Position[]> {
  await using brokers = new Brokers(kafka, testLog);
  const [metadata] = await brokers.topics([topic]);
  assert.ok(metadata !== undefined, `no topic ${topic}`);
  const { topicId } = metadata;
  const partitions = metadata.partitions.map(({ partition }) => ({ topic, topicId, partition }));
  return await offsetsAt(brokers, partitions, EARLIEST, "read_committed");
}

/** Waits for a condition by asking again and again. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
  deadlineMs = 60_000,
): Promise<T> {
  const giveUpAt = performance.now() + deadlineMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    assert.ok(performance.now() < giveUpAt, `${what}: not within ${deadlineMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export interface OracleReport {
  readonly records: number;
  readonly misplaced: number;
  readonly digest: string;
  readonly partitions: Readonly<Record<string, number>>;
}

/** What Kafka's own Java consumer and partitioner say of a topic. */
export async function javaOracle(topic: string): Promise<OracleReport> {
  const { java, brokers } = await testServices();
  const { code, stdout, stderr } = await java.runJavaSource("test/java/TopicOracle.java", [brokers.join(), topic], {
    timeoutMs: 150_000,
  });
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as OracleReport;
}

/** Asks until the group's coordinator is at work: a fresh broker's isn't at once. */
export async function coordinated<T>(ask: () => Promise<T>): Promise<T> {
  const signal = AbortSignal.timeout(30_000);
  return await retry(ask, { signal, backoff: { baseMs: 20, maxMs: 500 }, deadlineMs: 30_000 });
}

/** How many offsets of a topic a group has committed, over all partitions. */
export async function committedSum(
  connections: Brokers,
  group: string,
  source: { readonly topic: string; readonly partitions: number },
): Promise<number> {
  const committed = await coordinated(() => committedOffsets(connections, group, source));
  return Number(committed.values().reduce((sum, offset) => sum + offset, 0n));
}
