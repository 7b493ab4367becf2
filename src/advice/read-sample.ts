import type { Brokers } from "../kafka/cluster.ts";
import { EARLIEST, LATEST, offsetsAt } from "../kafka/offsets.ts";
import { peek } from "../kafka/peek.ts";
import { type Position, partitionKey } from "../kafka/topic-partition.ts";
import { HeavyHitters } from "../preflight/heavy-hitters.ts";
import { nameOf } from "../preflight/key-counter.ts";
import { readRecords } from "../record-batch/records.ts";
import { withDeadline } from "../runtime/deadline.ts";
import type { RecordSample } from "./facts.ts";

/** So far behind the end of each partition the sample begins: what came last tells most of what comes next. */
const LAST_OFFSETS = 2_000n;
const PARTITION_BYTES = 256 * 1024;
const RESPONSE_BYTES = 8 * 1024 * 1024;
const DEADLINE_MS = 10_000;
/** Fewer tell nothing of shares. */
const ENOUGH_RECORDS = 100;
const COUNTERS = 1_000;
const HOT_KEYS = 5;

/**
 * Reads the newest records of each partition, a few: how large they are, and whether some keys come up often.
 * @param rates offsets per second by partition, so that a busy partition counts for more than a quiet one
 * @returns undefined where there are too few records
 * @throws SpillwayError as `Brokers.request`
 */
export async function readSample(
  brokers: Brokers,
  topics: readonly string[],
  rates: ReadonlyMap<string, number>,
): Promise<RecordSample | undefined> {
  const described = await brokers.topics(topics);
  const all = described.flatMap(({ topic, topicId, partitions }) =>
    partitions.map(({ partition, leader }) => ({ topic, topicId, partition, leader })),
  );
  const [earliest, latest] = await Promise.all([
    offsetsAt(brokers, all, EARLIEST, "read_committed"),
    offsetsAt(brokers, all, LATEST, "read_committed"),
  ]);
  const ends = new Map(latest.map((end) => [partitionKey(end), end.offset]));
  const positions = earliest.flatMap((start): Position[] => {
    const end = ends.get(partitionKey(start)) ?? start.offset;
    const begin = end - LAST_OFFSETS > start.offset ? end - LAST_OFFSETS : start.offset;
    return end > begin ? [{ ...start, offset: begin }] : [];
  });
  const leaderOf = new Map(all.map((one) => [partitionKey(one), one.leader]));
  const bounds = { partitionBytes: PARTITION_BYTES, responseBytes: RESPONSE_BYTES };
  const looks = [...Map.groupBy(positions, (one) => leaderOf.get(partitionKey(one)) ?? -1)].map(([leader, led]) =>
    withDeadline(peek(brokers, leader, led, bounds), DEADLINE_MS, "Reading a sample"),
  );
  const counted = new SampleOfKeys();
  for (const fetched of (await Promise.all(looks)).flat()) {
    const records = [...readRecords(fetched, () => {})];
    const rate = rates.get(partitionKey(fetched));
    for (const { key, value } of records) {
      counted.add(key, (key?.length ?? 0) + (value?.length ?? 0), rate === undefined ? 1 : rate / records.length);
    }
  }
  return counted.result;
}

class SampleOfKeys {
  readonly #hot = new HeavyHitters(COUNTERS);
  #records = 0;
  #bytes = 0;
  #weight = 0;

  add(key: Buffer | null, bytes: number, weight: number): void {
    this.#records++;
    this.#bytes += bytes;
    this.#weight += weight;
    if (key !== null) this.#hot.add(nameOf(key), weight);
  }

  get result(): RecordSample | undefined {
    if (this.#records < ENOUGH_RECORDS || this.#weight === 0) return undefined;
    return {
      records: this.#records,
      bytesPerRecord: Math.max(1, this.#bytes / this.#records),
      hotKeys: this.#hot.top(HOT_KEYS).map(({ key, weight }) => ({ key, share: weight / this.#weight })),
    };
  }
}
