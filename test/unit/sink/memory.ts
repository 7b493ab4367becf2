import type { Logger } from "pino";
import type { LetterPlace } from "../../../src/dead-letter/dead-letter.ts";
import type { DeadLetterReason } from "../../../src/dead-letter/reason.ts";
import { jsonDecoder } from "../../../src/decode/decoder.ts";
import { SpillwayError } from "../../../src/errors.ts";
import type { Generation } from "../../../src/kafka/generation.ts";
import type { FetchedPartition } from "../../../src/kafka/source.ts";
import { type Position, partitionKey } from "../../../src/kafka/topic-partition.ts";
import type { PoisonBatch } from "../../../src/record-batch/batch.ts";
import type { NewRecord } from "../../../src/record-batch/batch-builder.ts";
import type { Origin } from "../../../src/record-batch/origin.ts";
import type { KafkaRecord } from "../../../src/record-batch/records.ts";
import { collectionByTopic } from "../../../src/sink/collection-name.ts";
import { insertModel } from "../../../src/sink/models/insert.ts";
import type { Fields, Insert, Latest, Operation } from "../../../src/sink/operations.ts";
import { isNewer } from "../../../src/sink/operations.ts";
import { SINK_DEFAULTS, type SinkOptions } from "../../../src/sink/options.ts";
import type { SinkParts } from "../../../src/sink/sink.ts";
import { newSinkStats } from "../../../src/sink/stats.ts";
import {
  ALREADY_WRITTEN,
  type Availability,
  NOT_ATTEMPTED,
  type Outcome,
  type Target,
  WRITTEN,
} from "../../../src/sink/target.ts";
import { batchOf } from "../../helpers/batches.ts";

export const TOPIC = "orders";
export const TOPIC_ID = "AAAAAAAAAAAAAAAAAAAAAQ";

export interface LogLine {
  readonly level: "info" | "warn" | "error";
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

/** A logger that keeps its lines. */
export function keptLog(): { readonly log: Logger; readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const at =
    (level: LogLine["level"]) =>
    (fields: LogLine["fields"] | string, message = ""): void => {
      lines.push(typeof fields === "string" ? { level, fields: {}, message: fields } : { level, fields, message });
    };
  const log = { info: at("info"), warn: at("warn"), error: at("error"), debug: () => {}, trace: () => {} };
  return { log: log as unknown as Logger, lines };
}

/** A record whose key and sequence number stand in its value too. */
export function numbered(key: string | null, sequence: number, more: object = {}): NewRecord {
  return {
    key: key === null ? null : Buffer.from(key),
    value: Buffer.from(JSON.stringify({ key, sequence, ...more })),
    timestamp: 1_700_000_000_000 + sequence,
  };
}

/** Partitions as a broker would hold them, fetched in parts of `partRecords`. */
export class MemoryTopic {
  readonly topic: string;
  readonly partitions: readonly (readonly NewRecord[])[];
  readonly partRecords: number;
  /** Parts that the sink has asked for. */
  pulled = 0;

  constructor(partitions: readonly (readonly NewRecord[])[], { topic = TOPIC, partRecords = 500 } = {}) {
    this.topic = topic;
    this.partitions = partitions;
    this.partRecords = partRecords;
  }

  positions(offsets: ReadonlyMap<string, bigint> = new Map()): Position[] {
    return this.partitions.map((_, partition) => {
      const place = { topic: this.topic, topicId: TOPIC_ID, partition };
      return { ...place, offset: offsets.get(partitionKey(place)) ?? 0n };
    });
  }

  /** Round robin over the partitions, up to their ends; then waits for the signal if `endless`. */
  async *open(positions: readonly Position[], signal: AbortSignal, endless = false): AsyncGenerator<FetchedPartition> {
    const next = positions.map(({ offset }) => Number(offset));
    for (let left = true; left && !signal.aborted; ) {
      left = false;
      for (const [i, { partition }] of positions.entries()) {
        const from = next[i] ?? 0;
        const records = this.partitions[partition]?.slice(from, from + this.partRecords) ?? [];
        if (records.length === 0) continue;
        left = true;
        next[i] = from + records.length;
        this.pulled++;
        yield this.fetched(partition, from, records);
        if (signal.aborted) return;
      }
    }
    if (endless && !signal.aborted) {
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    }
  }

  fetched(partition: number, from: number, records: readonly NewRecord[]): FetchedPartition {
    const end = BigInt(from + records.length);
    return {
      topic: this.topic,
      topicId: TOPIC_ID,
      partition,
      fetchOffset: BigInt(from),
      batches: records.length === 0 ? Buffer.alloc(0) : batchOf(records, { baseOffset: BigInt(from) }),
      abortedTransactions: [],
      nextOffset: end,
      highWatermark: end,
    };
  }
}

export interface MemoryGeneration extends Generation {
  /** Ends it, as a rebalance or a shutdown would. */
  end(): void;
  /** What was committed, by partition. */
  readonly committed: Map<string, bigint>;
}

export function memoryGeneration(
  positions: readonly Position[],
  commit: (positions: readonly Position[]) => Promise<void> = async () => {},
): MemoryGeneration {
  const over = new AbortController();
  const committed = new Map<string, bigint>();
  return {
    group: "group",
    id: 1,
    memberId: "member",
    instanceId: undefined,
    confirm: async () => {},
    assignment: positions,
    signal: over.signal,
    positions: async () => positions,
    async commit(reached) {
      await commit(reached);
      for (const position of reached) committed.set(partitionKey(position), position.offset);
    },
    end: () => over.abort(new Error("the generation is over")),
    committed,
  };
}

export function memberOf(...generations: readonly Generation[]): SinkParts["member"] {
  return {
    async *generations() {
      yield* generations;
    },
  };
}

/** What a memory target can write. */
export type Written = (Insert | Latest) & { readonly bytes: number };

/** What a memory target does with an operation that is to be written. Undefined: it writes it. */
export type Fault = (operation: Written, collection: string) => Outcome | undefined;

/** A target that keeps documents in the order in which they came to be. */
export class MemoryTarget implements Target {
  readonly kinds = new Set(["insert", "latest"] as const);
  mostAtOnce = Number.POSITIVE_INFINITY;
  readonly documents = new Map<string, Fields>();
  readonly versions = new Map<string, Latest["version"]>();
  /** By collection, the ids in the order of their writing. */
  readonly order: { collection: string; id: string }[] = [];
  readonly batches: { collection: string; size: number; ordered: boolean }[] = [];
  writing = 0;
  mostWriting = 0;
  fault: Fault = () => undefined;
  /** Awaited before anything is written. */
  gate: (operations: readonly Operation[]) => Promise<void> = async () => {};
  availability: () => Availability = () => ({ kind: "available" });

  async prepare(): Promise<Availability> {
    return this.availability();
  }

  async check(): Promise<Availability> {
    return this.availability();
  }

  async write(collection: string, operations: readonly Operation[], ordered: boolean): Promise<readonly Outcome[]> {
    this.writing++;
    this.mostWriting = Math.max(this.mostWriting, this.writing);
    this.batches.push({ collection, size: operations.length, ordered });
    try {
      await this.gate(operations);
      let stopped = false;
      return operations.map((operation) => {
        if (stopped) return NOT_ATTEMPTED;
        const outcome = this.#one(collection, operation);
        stopped = ordered && outcome.kind !== "written" && outcome.kind !== "already-written";
        return outcome;
      });
    } finally {
      this.writing--;
    }
  }

  #one(collection: string, operation: Operation): Outcome {
    if (operation.kind !== "insert" && operation.kind !== "latest") throw new TypeError(`can't ${operation.kind}`);
    const fault = this.fault(operation, collection);
    if (fault !== undefined) return fault;
    const { kind, id } = operation;
    if (kind === "insert" && this.documents.has(id)) return ALREADY_WRITTEN;
    if (kind === "latest") {
      const there = this.versions.get(id);
      if (there !== undefined && isNewer(operation.version, there) !== true) return ALREADY_WRITTEN;
      this.versions.set(id, operation.version);
    }
    this.documents.set(id, operation.document);
    this.order.push({ collection, id });
    return WRITTEN;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

export interface Buried {
  readonly record: KafkaRecord;
  readonly origin: Origin;
  readonly reason: DeadLetterReason;
}

/** Dead letters that are kept. When one fails, those that were handed over behind it fail too, as a producer's do. */
export class MemoryDeadLetters {
  readonly buried: Buried[] = [];
  readonly buriedBatches: PoisonBatch[] = [];
  fault: () => Promise<void> = async () => {};
  #failures = 0;

  topicFor(topic: string): string {
    return `${topic}.dead-letter`;
  }

  async send(record: KafkaRecord, origin: Origin, reason: DeadLetterReason): Promise<LetterPlace> {
    const before = this.#failures;
    await this.fault().catch((error: unknown) => {
      this.#failures++;
      throw error;
    });
    if (before !== this.#failures) throw new SpillwayError("DELIVERY_FAILED", "behind a failure", { retryable: true });
    return { partition: 0, offset: BigInt(this.buried.push({ record, origin, reason }) - 1) };
  }

  async sendBatch(poison: PoisonBatch, _topicId: string): Promise<void> {
    await this.fault();
    this.buriedBatches.push(poison);
  }
}

export function sinkOptions(options: Partial<SinkOptions> = {}): SinkOptions {
  return {
    ...SINK_DEFAULTS,
    batching: "fixed",
    batchTimeoutMs: 5,
    commitIntervalMs: 5,
    retryBackoff: { baseMs: 1, maxMs: 5 },
    ...options,
  };
}

export interface MemoryParts extends SinkParts {
  readonly target: MemoryTarget;
  readonly deadLetters: MemoryDeadLetters;
  readonly lines: readonly LogLine[];
}

/** Everything a sink works with, in memory. */
export function memoryParts(
  topic: MemoryTopic,
  member: SinkParts["member"],
  parts: Partial<SinkParts> & { readonly target?: MemoryTarget; readonly deadLetters?: MemoryDeadLetters } = {},
): MemoryParts {
  const { log, lines } = keptLog();
  return {
    member,
    openSource: (positions, signal) => topic.open(positions, signal),
    decoder: jsonDecoder,
    model: insertModel(collectionByTopic([{ topic: topic.topic, collection: topic.topic }]), "value"),
    target: new MemoryTarget(),
    deadLetters: new MemoryDeadLetters(),
    signal: new AbortController().signal,
    stats: newSinkStats(),
    log,
    ...parts,
    lines,
  };
}
