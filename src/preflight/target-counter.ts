import { partitionForKey } from "../record-batch/murmur2.ts";
import type { TargetTopic } from "../relay/routing.ts";
import { HeavyHitters } from "./heavy-hitters.ts";
import type { TargetSample } from "./sample.ts";

/** Every key with more than a thousandth of the records is known. */
const COUNTERS = 1_000;
const HOT_KEYS = 5;
/** So many keys are told apart; beyond that, there are enough. */
const DISTINCT_KEYS = 50_000;

/** A record on its way into a target. */
export interface Arriving {
  /** Where the key lies that it has there; a start of -1 for none. */
  readonly bytes: Uint8Array;
  readonly keyStart: number;
  readonly keyEnd: number;
  /** The same key, as it is remembered. */
  readonly keyName: string | undefined;
  /** Milliseconds since the epoch, -1 for none. */
  readonly timestamp: number;
  readonly size: number;
  readonly isCompressed: boolean;
}

/** Counts what would arrive in one target, where Kafka's own partitioner puts it. */
export class TargetCounter {
  readonly topic: string;
  readonly #partitions: { records: number; weight: number }[];
  readonly #hot = new HeavyHitters(COUNTERS);
  readonly #distinct = new Set<string>();
  #records = 0;
  #weight = 0;
  #keylessRecords = 0;
  #keylessWeight = 0;
  #oldest = Number.POSITIVE_INFINITY;
  #newest = Number.NEGATIVE_INFINITY;
  #largestRecord = 0;
  #largestPlainRecord = 0;

  constructor({ topic, partitions }: TargetTopic) {
    this.topic = topic;
    this.#partitions = Array.from({ length: partitions }, () => ({ records: 0, weight: 0 }));
  }

  add({ bytes, keyStart, keyEnd, keyName, timestamp, size, isCompressed }: Arriving, weight: number): void {
    this.#records++;
    this.#weight += weight;
    this.#largestRecord = Math.max(this.#largestRecord, size);
    if (!isCompressed) this.#largestPlainRecord = Math.max(this.#largestPlainRecord, size);
    if (timestamp >= 0) {
      this.#oldest = Math.min(this.#oldest, timestamp);
      this.#newest = Math.max(this.#newest, timestamp);
    }
    if (keyStart < 0 || keyName === undefined) {
      this.#keylessRecords++;
      this.#keylessWeight += weight;
      return;
    }
    if (this.#distinct.size < DISTINCT_KEYS) this.#distinct.add(keyName);
    this.#hot.add(keyName, weight);
    const partition = this.#partitions[partitionForKey(bytes, keyStart, keyEnd, this.#partitions.length)];
    if (partition === undefined) return;
    partition.records++;
    partition.weight += weight;
  }

  get counted(): TargetSample {
    return {
      records: this.#records,
      weight: this.#weight,
      keylessRecords: this.#keylessRecords,
      keylessWeight: this.#keylessWeight,
      distinctKeys: this.#distinct.size,
      partitions: this.#partitions,
      hotKeys: this.#hot.top(HOT_KEYS),
      oldest: Number.isFinite(this.#oldest) ? this.#oldest : undefined,
      newest: Number.isFinite(this.#newest) ? this.#newest : undefined,
      largestRecord: this.#largestRecord,
      largestPlainRecord: this.#largestPlainRecord,
    };
  }
}
