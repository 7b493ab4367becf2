import assert from "node:assert/strict";
import { isRetryable } from "../../src/errors.ts";
import { endOffsets } from "../../src/kafka/admin.ts";
import { Brokers } from "../../src/kafka/cluster.ts";
import { ERROR } from "../../src/kafka/error-codes.ts";
import type { KafkaOptions } from "../../src/kafka/options.ts";
import { findCoordinator, offsetFetch } from "../../src/kafka/protocol/messages.ts";
import { testLog } from "./kafka.ts";
import { firstAppearances, type LogRecord, numberOf } from "./record-lines.ts";

/** What was committed at one moment, and then how far the target's partitions were written. */
export interface CommitSample {
  readonly committed: ReadonlyMap<number, number>;
  readonly ends: ReadonlyMap<number, number>;
}

export interface Watched {
  readonly kafka: KafkaOptions;
  readonly group: string;
  readonly source: string;
  /** Of the source. */
  readonly partitions: number;
  readonly target: string;
  /** Between two looks: 25 ms unless told. */
  readonly pauseMs?: number;
}

const PAUSE_MS = 25;

/** Asks again and again, by requests of its own, what a relay's group has committed. */
export class CommitWatch implements AsyncDisposable {
  readonly samples: CommitSample[] = [];
  readonly #watched: Watched;
  readonly #brokers: Brokers;
  readonly #watching: Promise<void>;
  readonly #latest = new Map<number, number>();
  #coordinator: number | undefined;
  #stopped = false;

  constructor(watched: Watched) {
    this.#watched = watched;
    this.#brokers = new Brokers({ ...watched.kafka, requestTimeoutMs: 1_000 }, testLog);
    this.#watching = this.#watch();
    this.#watching.catch(() => {});
  }

  /** The latest committed offsets by partition; -1 where there is none. A look leaves out what is being committed. */
  get committed(): ReadonlyMap<number, number> {
    return this.#latest;
  }

  /** Of all partitions together. */
  get committedRecords(): number {
    return this.#latest.values().reduce((sum, offset) => sum + Math.max(0, offset), 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#watching.catch(() => {});
    await this.#brokers[Symbol.asyncDispose]();
  }

  /** Ends it. @throws what ended it early */
  async stop(): Promise<readonly CommitSample[]> {
    this.#stopped = true;
    await this.#watching;
    return this.samples;
  }

  async #watch(): Promise<void> {
    while (!this.#stopped) {
      try {
        const sample = await this.#look();
        this.samples.push(sample);
        for (const [partition, offset] of sample.committed) this.#latest.set(partition, offset);
      } catch (error) {
        // Brokers are frozen and killed while it watches.
        if (!isRetryable(error)) throw error;
        this.#coordinator = undefined;
      }
      await new Promise((resolve) => setTimeout(resolve, this.#watched.pauseMs ?? PAUSE_MS));
    }
  }

  async #look(): Promise<CommitSample> {
    const { group, source, target, partitions: count } = this.#watched;
    if (this.#coordinator === undefined) {
      await this.#brokers.topics([]);
      const request = { keyType: 0, coordinatorKeys: [group] };
      const { coordinators } = await this.#brokers.request(findCoordinator, request, "any");
      this.#coordinator = coordinators[0]?.nodeId ?? -1;
    }
    const topics = [{ name: source, partitionIndexes: Array.from({ length: count }, (_, partition) => partition) }];
    const request = { groups: [{ groupId: group, topics }], requireStable: true };
    const { groups } = await this.#brokers.request(offsetFetch, request, this.#coordinator);
    const committed = new Map<number, number>();
    for (const { errorCode: groupCode, topics } of groups) {
      for (const { partitions } of topics) {
        for (const { partitionIndex, errorCode, committedOffset } of partitions) {
          if (groupCode === ERROR.NONE && errorCode === ERROR.NONE) {
            committed.set(partitionIndex, Number(committedOffset));
          }
        }
      }
    }
    if (committed.size === 0) this.#coordinator = undefined;
    // Asked after the offsets: what they cover must be in the target by now.
    const ends = await endOffsets(this.#brokers, target);
    return { committed, ends: new Map([...ends].map(([partition, end]) => [partition, Number(end)])) };
  }
}

/**
 * Judges a relay's commits by the logs of its source and target, as they were read in the end.
 * @throws AssertionError where an offset went backwards, or covered a record that was not in the target at that moment
 */
export function assertCommitsSound(
  samples: readonly CommitSample[],
  sourceLog: readonly LogRecord[],
  targetLog: readonly LogRecord[],
): void {
  const source = new Map(sourceLog.map(({ partition, offset, value }) => [`${partition}/${offset}`, numberOf(value)]));
  const { places } = firstAppearances(targetLog);
  const covered = new Map<number, number>();
  for (const { committed, ends } of samples) {
    for (const [partition, offset] of committed) {
      const before = covered.get(partition) ?? 0;
      if (offset < 0 && before === 0) continue;
      assert.ok(offset >= before, `partition ${partition}: the committed offset went back from ${before} to ${offset}`);
      for (let at = before; at < offset; at++) {
        const number = source.get(`${partition}/${at}`);
        assert.ok(
          number !== undefined,
          `partition ${partition}: ${offset} is committed, and there is no record at ${at}`,
        );
        const place = places.get(number);
        assert.ok(
          place !== undefined && place.offset < (ends.get(place.partition) ?? 0),
          `partition ${partition}: ${offset} was committed when the record at ${at} was not in the target`,
        );
      }
      covered.set(partition, offset);
    }
  }
}
