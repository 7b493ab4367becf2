import { setTimeout as sleep } from "node:timers/promises";
import { isRetryable } from "../../src/errors.ts";
import { Brokers, type TopicMetadata } from "../../src/kafka/cluster.ts";
import { type Isolation, LATEST, offsetsAt } from "../../src/kafka/offsets.ts";
import type { KafkaOptions } from "../../src/kafka/options.ts";
import type { TopicPartition } from "../../src/kafka/topic-partition.ts";
import { Beside } from "./beside.ts";
import { testLog } from "./kafka.ts";

const PAUSE_MS = 50;

/** Where one partition's read_committed readers stand, and since when they can't go on although there is more. */
interface Held {
  readonly stable: bigint;
  readonly since: number | undefined;
}

/**
 * Asks again and again how long read_committed readers of a topic are held up: for how long the last stable offset of a
 * partition has not moved although the high watermark lies behind it.
 */
export class HoldUpWatch implements AsyncDisposable {
  readonly #brokers: Brokers;
  readonly #partitions: readonly TopicPartition[];
  readonly #watching: Beside;
  readonly #held = new Map<number, Held>();
  #longestMs = 0;
  #looks = 0;

  constructor(kafka: KafkaOptions, { topic, topicId, partitions }: TopicMetadata) {
    this.#brokers = new Brokers({ ...kafka, requestTimeoutMs: 1_000 }, testLog);
    this.#partitions = partitions.map(({ partition }) => ({ topic, topicId, partition }));
    this.#watching = new Beside((signal) => this.#watch(signal));
  }

  get looks(): number {
    this.#watching.check();
    return this.#looks;
  }

  /** Of all partitions, since the last call. What is held up at that call counts from its beginning. */
  takeLongestMs(): number {
    this.#watching.check();
    const longestMs = this.#longestMs;
    this.#longestMs = 0;
    return longestMs;
  }

  /** Nobody has been held up for as long as this at the last look. */
  isFree(ms: number): boolean {
    this.#watching.check();
    const now = performance.now();
    return this.#held.size > 0 && this.#held.values().every(({ since }) => since === undefined || now - since < ms);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watching[Symbol.asyncDispose]();
    await this.#brokers[Symbol.asyncDispose]();
  }

  async #watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#look();
      } catch (error) {
        // Brokers are killed while it watches.
        if (!isRetryable(error)) throw error;
      }
      await sleep(PAUSE_MS);
    }
  }

  async #look(): Promise<void> {
    // In this order: what is there by the first answer and can't be read by the second is held up.
    const ends = await this.#offsets("read_uncommitted");
    const stables = await this.#offsets("read_committed");
    const now = performance.now();
    for (const [partition, stable] of stables) {
      const before = this.#held.get(partition);
      const isHeld = stable < (ends.get(partition) ?? 0n);
      const since = isHeld ? (before?.stable === stable ? (before.since ?? now) : now) : undefined;
      // What ended between two looks lasted till the second at most.
      if (before?.since !== undefined) this.#longestMs = Math.max(this.#longestMs, now - before.since);
      this.#held.set(partition, { stable, since });
    }
    this.#looks++;
  }

  async #offsets(isolation: Isolation): Promise<ReadonlyMap<number, bigint>> {
    const found = await offsetsAt(this.#brokers, this.#partitions, LATEST, isolation);
    return new Map(found.map(({ partition, offset }) => [partition, offset]));
  }
}
