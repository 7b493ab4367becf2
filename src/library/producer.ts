import type { Logger } from "pino";
import { SpillwayError } from "../errors.ts";
import { kafkaOptionsOf, logOf } from "../kafka/kafkajs-config.ts";
import type { KafkaOptions } from "../kafka/options.ts";
import { prepareTopics } from "../kafka/prepare-topics.ts";
import { type Acknowledged, RecordProducer } from "../kafka/record-producer.ts";
import { type BackfillRun, runBackfill } from "../producer/backfill.ts";
import { BACKFILL_PROFILES, type BackfillOptions, BackfillPlan } from "../producer/backfill-plan.ts";
import { type LivePlan, type LiveRun, runLive } from "../producer/live.ts";
import type { RecordOutlet } from "../producer/outlet.ts";
import { type PriceFeedOptions, priceTopics, runPriceFeed } from "../producer/price-feed.ts";
import type { NewRecord } from "../record-batch/batch-builder.ts";
import { withDeadline } from "../runtime/deadline.ts";
import { withoutUndefined } from "../runtime/without-undefined.ts";
import type { Common } from "./options.ts";

const FLUSH_MS = 30_000;

export interface ProducerConfig extends Common {
  /** Makes topics that aren't there, with so many partitions. Left out: a topic that is missing is an error. */
  readonly partitions?: number;
  /** Milliseconds a record may wait for others to share its batch: 5 unless told. */
  readonly lingerMs?: number;
  /** A batch is sent when it has got this many bytes: 128 KiB unless told. */
  readonly batchBytes?: number;
  /** Milliseconds after which a record that is not acknowledged has failed, and the producer with it: 2 minutes unless told. */
  readonly deliveryTimeoutMs?: number;
  /** Bytes sent and not acknowledged; `send` waits while there are more: 16 MiB unless told. */
  readonly inFlightBytes?: number;
}

/** A record as an application has it. Texts are written as UTF-8. */
export interface OutgoingRecord {
  /** The partition follows from it, as Kafka's Java producer has it (murmur2). */
  readonly key?: string | Uint8Array | null;
  /** Null is a tombstone. */
  readonly value: string | Uint8Array | null;
  readonly headers?: Readonly<Record<string, string | Uint8Array | null>>;
  /** Milliseconds since the epoch; now unless told. */
  readonly timestamp?: number;
  /** Instead of the one by the key. */
  readonly partition?: number;
}

/**
 * Writes records. It connects when it is first used; leaving the scope of `await using`, or the abort of its signal, waits
 * for what was sent and disconnects.
 */
export interface Producer extends AsyncDisposable {
  /**
   * Resolves with where the record lies, once all in-sync replicas have it. Not awaiting each one lets them share batches;
   * memory is bounded all the same if every some are awaited.
   * @throws SpillwayError TOPIC_MISSING, RECORD_TOO_LARGE, DELIVERY_FAILED (then this producer is over: what follows would
   *   be out of order), BROKER_UNREACHABLE, NOT_AUTHORIZED, AUTHENTICATION_FAILED
   */
  send(topic: string, record: OutgoingRecord): Promise<Acknowledged>;
  /** Resolves once all that was sent is acknowledged. @throws SpillwayError TIMEOUT after 30 s, and those of `send` */
  flush(): Promise<void>;
  /** BTC, ETH and SOL prices, until the signal is aborted or `polls` are done; yields how many were acknowledged. */
  prices(options?: PriceFeedOptions): Promise<number>;
  /** A flood: the profile `burst` (200,000 records, at once) but for what is given; yields how many were acknowledged. */
  backfill(topic: string, options?: Partial<BackfillOptions>, watch?: BackfillWatch): Promise<number>;
  /** Messages at a fixed rate until the signal is aborted; yields how many were acknowledged. */
  live(topic: string, plan: LivePlan, watch?: LiveWatch): Promise<number>;
}

export type BackfillWatch = Pick<BackfillRun, "headers" | "onAcknowledged" | "onSent">;
export type LiveWatch = Pick<LiveRun, "onSent">;

/**
 * A producer of records of one's own, and of prices and floods to try things out.
 *
 * Guarantee: idempotent, acknowledged by all in-sync replicas: a record that is reported as written is in the log once,
 * and records of a key are in the log in the order of `send`. No signal handler, environment variable or exit of the
 * process is involved.
 * @throws SpillwayError CONFIG_INVALID
 */
export function createProducer(config: ProducerConfig): Producer {
  return new LibraryProducer(config);
}

class LibraryProducer implements Producer {
  readonly #config: ProducerConfig;
  readonly #kafka: KafkaOptions;
  readonly #log: Logger;
  /** Ends what goes on by itself: prices, floods. */
  readonly #stop = new AbortController();
  /** Of the connections, which outlive `#stop` until what was sent is acknowledged. */
  readonly #cut = new AbortController();
  readonly #topics = new Map<string, Promise<void>>();
  #opening: Promise<RecordProducer> | undefined;
  /** In turn, so that records keep their order while they wait for room. */
  #turn: Promise<void> = Promise.resolve();
  /** What is under way: records, prices, floods. */
  readonly #pending = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;
  readonly #close = () => void this[Symbol.asyncDispose]();

  constructor(config: ProducerConfig) {
    this.#config = config;
    this.#kafka = kafkaOptionsOf(config.kafka);
    this.#log = logOf(config.kafka, config.log);
    if (config.signal?.aborted) this.#close();
    else config.signal?.addEventListener("abort", this.#close, { once: true });
  }

  async send(topic: string, record: OutgoingRecord): Promise<Acknowledged> {
    return await this.#track(this.#send(topic, record));
  }

  async flush(): Promise<void> {
    await withDeadline(Promise.all(this.#pending), FLUSH_MS, "Writing what is in flight");
  }

  async prices(options: PriceFeedOptions = {}): Promise<number> {
    const run = async () => {
      const outlet = await this.#outlet(priceTopics(options));
      return await runPriceFeed(options, { outlet, stop: this.#stop.signal, log: this.#log });
    };
    return await this.#track(run());
  }

  async backfill(topic: string, options: Partial<BackfillOptions> = {}, watch: BackfillWatch = {}): Promise<number> {
    const plan = new BackfillPlan({ ...BACKFILL_PROFILES.burst, ...withoutUndefined(options) });
    const run = async () => {
      const outlet = await this.#outlet([topic]);
      return await runBackfill(plan, { ...watch, topic, outlet, signal: this.#stop.signal });
    };
    return await this.#track(run());
  }

  async live(topic: string, plan: LivePlan, watch: LiveWatch = {}): Promise<number> {
    const run = async () => {
      const outlet = await this.#outlet([topic]);
      return await runLive(plan, { ...watch, topic, outlet, stop: this.#stop.signal });
    };
    return await this.#track(run());
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #send(topic: string, record: OutgoingRecord): Promise<Acknowledged> {
    const { key = null, value, headers = {}, timestamp = Date.now(), partition } = record;
    const made: NewRecord = {
      key: bytesOf(key),
      value: bytesOf(value),
      timestamp,
      headers: Object.entries(headers).map(([name, content]) => ({ key: name, value: bytesOf(content) })),
    };
    const outlet = await this.#outlet([topic]);
    const turn = this.#turn.then(() => outlet.ready());
    this.#turn = turn.catch(() => {});
    await turn;
    return await outlet.send(topic, made, partition);
  }

  /** Whoever began it is told how it ended; here it only must not be forgotten while it goes on. */
  #track<T>(work: Promise<T>): Promise<T> {
    this.#pending.add(work);
    const forget = () => void this.#pending.delete(work);
    work.then(forget, forget);
    return work;
  }

  async #end(): Promise<void> {
    this.#config.signal?.removeEventListener("abort", this.#close);
    this.#stop.abort();
    const ended = Promise.allSettled(this.#pending);
    // Whoever sent a record is told by its own promise what became of it.
    await withDeadline(ended, FLUSH_MS, "Writing what is in flight").catch(() => {});
    const opened = await this.#opening?.catch(() => undefined);
    await opened?.flush(FLUSH_MS).catch(() => {});
    this.#cut.abort();
    await opened?.[Symbol.asyncDispose]();
  }

  /** The connected producer, once the topics are there. */
  async #outlet(topics: readonly string[]): Promise<RecordOutlet & RecordProducer> {
    if (this.#closing !== undefined) throw new SpillwayError("DELIVERY_FAILED", "The producer is closed");
    await Promise.all(topics.map((topic) => this.#ensure(topic)));
    this.#opening ??= this.#open();
    return await this.#opening;
  }

  async #open(): Promise<RecordProducer> {
    const { lingerMs, batchBytes, deliveryTimeoutMs, inFlightBytes } = this.#config;
    const opening = RecordProducer.open({
      ...withoutUndefined({ lingerMs, batchBytes }),
      writer: withoutUndefined({ deliveryTimeoutMs, inFlightBytes }),
      kafka: this.#kafka,
      log: this.#log,
      signal: this.#cut.signal,
    });
    // One that could not be opened is tried again by the next record.
    opening.catch(() => {
      this.#opening = undefined;
    });
    return await opening;
  }

  #ensure(topic: string): Promise<void> {
    const { partitions } = this.#config;
    if (partitions === undefined) return Promise.resolve();
    const known = this.#topics.get(topic);
    if (known !== undefined) return known;
    const wanted = { kafka: this.#kafka, log: this.#log, signal: this.#cut.signal };
    const made = prepareTopics({ ...wanted, existing: [], made: [topic], partitions });
    this.#topics.set(topic, made);
    made.catch(() => this.#topics.delete(topic));
    return made;
  }
}

function bytesOf(content: string | Uint8Array | null): Uint8Array | null {
  return typeof content === "string" ? Buffer.from(content) : content;
}
