import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { KafkaOptions } from "../../src/kafka/options.ts";
import { type Acknowledged, RecordProducer } from "../../src/kafka/record-producer.ts";
import { Beside } from "./beside.ts";
import { testLog } from "./kafka.ts";
import { type LogRecord, numberedValue, numberOf } from "./record-lines.ts";

const KEYS = 300;
const TURN_MS = 20;
const FLUSH_MS = 60_000;

/** Numbered records, written at a steady pace until it is told to stop, each with where it was acknowledged. */
export class Flow implements AsyncDisposable {
  readonly acknowledged = new Map<number, Acknowledged>();
  sent = 0;
  readonly #refused: unknown[] = [];
  readonly #writing: Beside;

  constructor(kafka: KafkaOptions, topic: string, recordsPerSecond: number) {
    this.#writing = new Beside((signal) => this.#write(kafka, topic, (recordsPerSecond * TURN_MS) / 1_000, signal));
  }

  /** @throws what a record was refused with */
  check(): void {
    this.#writing.check();
    if (this.#refused.length > 0) throw this.#refused[0];
  }

  /** Resolves when all that was sent is acknowledged. */
  async stop(): Promise<void> {
    await this.#writing.stop();
    this.check();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing[Symbol.asyncDispose]();
  }

  async #write(kafka: KafkaOptions, topic: string, recordsPerTurn: number, signal: AbortSignal): Promise<void> {
    const never = new AbortController().signal;
    await using producer = await RecordProducer.open({ kafka, log: testLog, signal: never });
    const settled: Promise<void>[] = [];
    while (!signal.aborted) {
      for (let i = 0; i < recordsPerTurn; i++) {
        const number = this.sent++;
        const record = {
          key: Buffer.from(`key-${(number * 7919) % KEYS}`),
          value: Buffer.from(numberedValue(number)),
          timestamp: Date.now(),
        };
        settled.push(
          producer.send(topic, record).then(
            (place) => void this.acknowledged.set(number, place),
            (error: unknown) => void this.#refused.push(error),
          ),
        );
      }
      await sleep(TURN_MS);
    }
    await producer.flush(FLUSH_MS);
    await Promise.all(settled);
  }
}

/** Every record sent is there once, where its acknowledgement says, nothing else is, and each partition is in order. */
export function assertWrittenOnce(log: readonly LogRecord[], { acknowledged, sent }: Flow): void {
  assert.equal(log.length, sent, "records in the log");
  assert.equal(acknowledged.size, sent, "records acknowledged");
  const numbers = new Map(log.map(({ partition, offset, value }) => [`${partition}/${offset}`, numberOf(value)]));
  const elsewhere = [...acknowledged].filter(
    ([number, { partition, offset }]) => numbers.get(`${partition}/${offset}`) !== number,
  );
  assert.deepEqual(elsewhere, [], "records that are not where their acknowledgement says");
  for (const [partition, records] of Map.groupBy(log, (record) => record.partition)) {
    const inLog = records.map(({ value }) => numberOf(value));
    const inOrder = inLog.toSorted((a, b) => a - b);
    assert.deepEqual(inLog, inOrder, `order in partition ${partition}`);
  }
}
