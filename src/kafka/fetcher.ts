import type { Logger } from "pino";
import { isRetryable, messageOf, SpillwayError } from "../errors.ts";
import { offsetAfter } from "../record-batch/batch.ts";
import { pause, retry } from "../runtime/backoff.ts";
import { InFlightLimit } from "../runtime/in-flight-limit.ts";
import { Brokers, kafkaError } from "./cluster.ts";
import { ERROR, errorName, isStaleMetadata } from "./error-codes.ts";
import { fetchRequest } from "./fetch-request.ts";
import { EARLIEST, LATEST, MISSING_TOPIC_MS, offsetsAt, topicMissing } from "./offsets.ts";
import type { KafkaOptions } from "./options.ts";
import type { ValueOf } from "./protocol/codec.ts";
import { fetch } from "./protocol/messages.ts";
import type { FetchedPartition, FetchOptions, LostOffsets } from "./source.ts";
import type { Position, TopicPartition } from "./topic-partition.ts";

const BACKOFF = { baseMs: 50, maxMs: 2_000 };
const FOREVER_MS = Number.POSITIVE_INFINITY;

interface Reading extends TopicPartition {
  /** Of the next record to be fetched. */
  offset: bigint;
  /** Node id, or -1 while it is unknown. */
  leader: number;
}

type FetchResponse = ValueOf<typeof fetch.response>;
type PartitionAnswer = FetchResponse["responses"][number]["partitions"][number];

/**
 * Fetches from all leaders at once, one request at a time from each, and queues what comes.
 *
 * Invariants: a partition is in at most one request at a time, so its batches are queued in order; its offset moves on
 * only with whole batches that were queued.
 */
export class Fetcher implements AsyncDisposable {
  readonly #log: Logger;
  readonly #options: FetchOptions;
  readonly #onLost: ((lost: LostOffsets) => void) | undefined;
  readonly #brokers: Brokers;
  readonly #readings: Reading[];
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #limit: InFlightLimit;
  readonly #queue: FetchedPartition[] = [];
  readonly #loops = new Map<number, Promise<void>>();
  #finding: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(options: {
    readonly kafka: KafkaOptions;
    readonly positions: readonly Position[];
    readonly signal: AbortSignal;
    readonly log: Logger;
    readonly fetch: FetchOptions;
    readonly onLost?: ((lost: LostOffsets) => void) | undefined;
  }) {
    this.#log = options.log;
    this.#options = options.fetch;
    this.#onLost = options.onLost;
    this.#brokers = new Brokers(options.kafka, options.log);
    this.#readings = options.positions.map((position) => ({ ...position, leader: -1 }));
    this.#signal = AbortSignal.any([options.signal, this.#stop.signal]);
    this.#limit = new InFlightLimit({ bytes: options.fetch.queuedBytes, items: Number.POSITIVE_INFINITY });
    this.#signal.addEventListener("abort", () => this.#wake?.(), { once: true });
    this.#findLeaders();
  }

  /** The next part in the queue, or undefined once the signal is aborted. @throws what ended the fetching */
  async next(): Promise<FetchedPartition | undefined> {
    for (;;) {
      if (this.#signal.aborted) return undefined;
      const fetched = this.#queue.shift();
      if (fetched !== undefined) {
        this.#limit.leave(fetched.batches.length);
        return fetched;
      }
      if (this.#failure !== undefined) throw this.#failure.error;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#brokers[Symbol.asyncDispose]();
    await Promise.allSettled([...this.#loops.values(), this.#finding]);
  }

  /** Looks for the leaders of all partitions that have none, and fetches from them. One search at a time. */
  #findLeaders(): void {
    if (this.#finding !== undefined || this.#signal.aborted) return;
    this.#finding = this.#search()
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#finding = undefined;
        if (this.#failure === undefined && this.#readings.some(({ leader }) => leader < 0)) this.#findLeaders();
      });
  }

  async #search(): Promise<void> {
    const startedAt = performance.now();
    await retry(() => this.#assignLeaders(performance.now() - startedAt), {
      signal: this.#signal,
      backoff: BACKOFF,
      deadlineMs: FOREVER_MS,
      onRetry: (error, attempt) => {
        // The first few are the ordinary course of an election.
        if (attempt % 5 === 0) this.#log.warn({ attempt, error: messageOf(error) }, "waiting for partition leaders");
      },
    });
    this.#startLoops();
  }

  /** Every broker that leads a partition has a loop. */
  #startLoops(): void {
    for (const { leader } of this.#readings) {
      if (leader < 0 || this.#loops.has(leader) || this.#signal.aborted || this.#failure !== undefined) continue;
      const loop = this.#fetchFrom(leader)
        .catch((error: unknown) => this.#fail(error))
        .finally(() => {
          this.#loops.delete(leader);
          this.#startLoops();
        });
      this.#loops.set(leader, loop);
    }
  }

  async #assignLeaders(searchedMs: number): Promise<void> {
    const names = [...new Set(this.#readings.map(({ topic }) => topic))];
    const topics = new Map((await this.#brokers.topics(names)).map((topic) => [topic.topic, topic]));
    for (const reading of this.#readings) {
      const metadata = topics.get(reading.topic);
      if (metadata === undefined && searchedMs > MISSING_TOPIC_MS) throw topicMissing(reading.topic);
      if (metadata !== undefined && metadata.topicId !== reading.topicId) throw recreated(reading, metadata.topicId);
      // Those that have one are being fetched, and are not to be in two requests.
      if (reading.leader < 0) reading.leader = metadata?.partitions[reading.partition]?.leader ?? -1;
    }
    const lost = this.#readings.find(({ leader }) => leader < 0);
    // Those that have a leader are fetched meanwhile: the search starts their loops and goes on for the others.
    if (lost !== undefined && this.#readings.every(({ leader }) => leader < 0 || this.#loops.has(leader))) {
      throw new SpillwayError("BROKER_UNREACHABLE", "The partition has no leader at the moment", {
        retryable: true,
        context: { topic: lost.topic, partition: lost.partition },
      });
    }
  }

  /** Fetches from one broker for as long as it leads anything. */
  async #fetchFrom(leader: number): Promise<void> {
    for (let failures = 0; !this.#signal.aborted; ) {
      await this.#limit.open(this.#signal);
      const led = this.#readings.filter((reading) => reading.leader === leader);
      if (led.length === 0) return;
      try {
        const response = await this.#brokers.request(
          fetch,
          fetchRequest(led, this.#options),
          leader,
          this.#options.maxWaitMs,
        );
        if (response.errorCode !== ERROR.NONE) throw kafkaError("Fetching", response.errorCode);
        await this.#take(response, led);
        failures = 0;
      } catch (error) {
        if (this.#signal.aborted) return;
        if (!isRetryable(error)) throw error;
        failures++;
        if (failures === 3) this.#log.warn({ broker: leader, error: messageOf(error) }, "fetching fails, trying again");
        for (const reading of led) reading.leader = -1;
        await pause(Math.random() * Math.min(BACKOFF.maxMs, BACKOFF.baseMs * 2 ** Math.min(failures, 8)), this.#signal);
        this.#findLeaders();
        return;
      }
    }
  }

  async #take(response: FetchResponse, led: readonly Reading[]): Promise<void> {
    let stale = false;
    const answers = new Map<Reading, PartitionAnswer>();
    for (const { topicId, partitions } of response.responses) {
      for (const answer of partitions) {
        const reading = led.find((one) => one.topicId === topicId && one.partition === answer.partitionIndex);
        if (reading !== undefined) answers.set(reading, answer);
      }
    }
    for (const [reading, answer] of answers) {
      const { topic, partition } = reading;
      if (answer.errorCode === ERROR.OFFSET_OUT_OF_RANGE) {
        await this.#returnIntoRange(reading);
      } else if (isStaleMetadata(answer.errorCode)) {
        this.#log.debug({ topic, partition, error: errorName(answer.errorCode) }, "partition leader has moved");
        reading.leader = -1;
        stale = true;
      } else if (answer.errorCode !== ERROR.NONE) {
        throw kafkaError("Fetching", answer.errorCode, { topic, partition, offset: reading.offset });
      } else {
        this.#queueBatches(reading, answer);
      }
    }
    if (stale) {
      await pause(BACKOFF.baseMs, this.#signal);
      this.#findLeaders();
    }
  }

  #queueBatches(reading: Reading, answer: PartitionAnswer): void {
    const batches = answer.records;
    if (batches === null || batches.length === 0) return;
    const { topic, topicId, partition, offset } = reading;
    const nextOffset = offsetAfter(batches, topic, partition);
    // A cut batch and nothing else: there was no room left for it. Its turn at the front of a response comes.
    this.#moveToBack(reading);
    if (nextOffset === undefined || nextOffset <= offset) return;
    reading.offset = nextOffset;
    this.#limit.enter(batches.length);
    const { highWatermark } = answer;
    const abortedTransactions = answer.abortedTransactions ?? [];
    this.#queue.push({
      topic,
      topicId,
      partition,
      fetchOffset: offset,
      batches,
      abortedTransactions,
      nextOffset,
      highWatermark,
    });
    this.#wake?.();
  }

  /** A broker fills its response in the order of the request, so those that were served go to the back. */
  #moveToBack(reading: Reading): void {
    this.#readings.push(...this.#readings.splice(this.#readings.indexOf(reading), 1));
  }

  async #returnIntoRange(reading: Reading): Promise<void> {
    const { topic, partition, offset } = reading;
    const { outOfRange, isolation } = this.#options;
    const [earliest] = await offsetsAt(this.#brokers, [reading], EARLIEST, isolation);
    const [latest] = await offsetsAt(this.#brokers, [reading], LATEST, isolation);
    if (earliest === undefined || latest === undefined) return;
    if (outOfRange === "stop") {
      throw new SpillwayError(
        "OFFSET_OUT_OF_RANGE",
        `The log now holds offsets ${earliest.offset} to ${latest.offset}`,
        {
          context: {
            topic,
            partition,
            offset,
            hint: "Set the group's offset, or choose where to go on by offset-reset",
          },
        },
      );
    }
    const goesOnAt = outOfRange === "earliest" ? earliest.offset : latest.offset;
    reading.offset = goesOnAt;
    const lost = goesOnAt > offset ? goesOnAt - offset : 0n;
    this.#log.error(
      { topic, partition, offset: String(offset), goesOnAt: String(goesOnAt), lostOffsets: String(lost) },
      lost > 0n
        ? "RECORDS LOST: retention deleted them before they were read"
        : "the offset to be read is not in the log",
    );
    if (lost > 0n) this.#onLost?.({ topic, partition, from: offset, to: goesOnAt });
  }

  #fail(error: unknown): void {
    if (this.#signal.aborted) return;
    this.#failure ??= { error };
    this.#wake?.();
  }
}

function recreated({ topic, partition, topicId, offset }: Reading, newId: string): SpillwayError {
  return new SpillwayError(
    "TOPIC_RECREATED",
    `The topic was deleted and made anew: its id was ${topicId} and is ${newId}`,
    {
      context: {
        topic,
        partition,
        offset,
        hint: "Its offsets begin anew too. Check that nothing is missing, delete the group's offsets for it, then start again",
      },
    },
  );
}
