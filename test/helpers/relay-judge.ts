import assert from "node:assert/strict";
import type { Java } from "../../services/kafka/java.ts";
import { endOffsets } from "../../src/kafka/admin.ts";
import { Brokers } from "../../src/kafka/cluster.ts";
import type { KafkaOptions } from "../../src/kafka/options.ts";
import { openSource } from "../../src/kafka/source.ts";
import { readRecords } from "../../src/record-batch/records.ts";
import { assertWrittenOnce, type Flow } from "./flow.ts";
import { type OracleReport, startOf, testLog } from "./kafka.ts";
import { type LogRecord, numberOf, readLogs } from "./record-lines.ts";

const READ_MS = 60_000;

/** What is wrong with a relayed topic, in records. */
export interface Faults {
  readonly missing: number;
  readonly duplicated: number;
  /** Behind a later record of the same key; of duplicates only the first counts. */
  readonly misordered: number;
  /** Where Kafka's own partitioner wouldn't put them. */
  readonly misplaced: number;
}

export interface Verdict {
  readonly faults: Faults;
  readonly source: readonly LogRecord[];
  readonly target: readonly LogRecord[];
  /** In the target, though no read_committed reader may see them. */
  readonly aborted: number;
  /** Keys, values, timestamps and headers are, all taken together, those of the source. */
  readonly isIntact: boolean;
}

export const FAULTLESS: Faults = { missing: 0, duplicated: 0, misordered: 0, misplaced: 0 };

/** Judges what a relay has made of a flow, by Kafka's own Java consumer and partitioner. The flow must have ended. */
export async function judge(
  java: Java,
  kafka: KafkaOptions,
  { source, target }: { readonly source: string; readonly target: string },
  flow: Flow,
): Promise<Verdict> {
  const [committed, [sourceReport, targetReport]] = await Promise.all([
    readLogs(java, kafka, [source, target]),
    oracle(java, kafka, [source, target]),
  ]);
  const sourceLog = committed.get(source) ?? [];
  const targetLog = committed.get(target) ?? [];
  assertWrittenOnce(sourceLog, flow);
  assert.equal(targetReport?.records, targetLog.length, "two readings of the target by the same consumer");
  return {
    faults: { ...faultsOf(targetLog, flow.sent), misplaced: targetReport.misplaced },
    source: sourceLog,
    target: targetLog,
    aborted: (await countAll(kafka, target)) - targetLog.length,
    isIntact: targetReport.digest === sourceReport?.digest,
  };
}

/** @throws AssertionError for a value that was never written */
export function faultsOf(log: readonly LogRecord[], sent: number): Omit<Faults, "misplaced"> {
  const seen = new Set<number>();
  const last = new Map<string, number>();
  let [duplicated, misordered] = [0, 0];
  for (const { key, value } of log) {
    const number = numberOf(value);
    assert.ok(number < sent, `${number} was never written`);
    if (seen.has(number)) {
      duplicated++;
      continue;
    }
    seen.add(number);
    const before = last.get(key) ?? -1;
    if (number < before) misordered++;
    last.set(key, Math.max(number, before));
  }
  return { missing: sent - seen.size, duplicated, misordered };
}

/** Those of aborted transactions too. */
async function countAll(kafka: KafkaOptions, topic: string): Promise<number> {
  await using brokers = new Brokers(kafka, testLog);
  const left = new Map((await endOffsets(brokers, topic)).entries().filter(([, end]) => end > 0n));
  const positions = await startOf(kafka, topic);
  const signal = AbortSignal.timeout(READ_MS);
  const fetch = { isolation: "read_uncommitted" } as const;
  let records = 0;
  for await (const fetched of openSource({ kafka, positions, fetch, signal, log: testLog })) {
    records += [...readRecords(fetched)].length;
    if (fetched.nextOffset >= (left.get(fetched.partition) ?? 0n)) left.delete(fetched.partition);
    if (left.size === 0) break;
  }
  assert.equal(left.size, 0, `${topic} could not be read to its end within ${READ_MS} ms`);
  return records;
}

async function oracle(java: Java, kafka: KafkaOptions, topics: readonly string[]): Promise<readonly OracleReport[]> {
  const args = [kafka.brokers.join(), ...topics];
  const { code, stdout, stderr } = await java.runJavaSource("test/java/TopicOracle.java", args, { timeoutMs: 150_000 });
  assert.equal(code, 0, stderr);
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as OracleReport);
}
