import type { Logger } from "pino";
import { Brokers, partitionsOf } from "../kafka/cluster.ts";
import { offsetsOfGroup } from "../kafka/group-offsets.ts";
import { EARLIEST, LATEST } from "../kafka/offsets.ts";
import type { KafkaOptions } from "../kafka/options.ts";
import { openSource } from "../kafka/source.ts";
import { type Position, partitionKey } from "../kafka/topic-partition.ts";
import { readRecords } from "../record-batch/records.ts";
import { offsetsByKey } from "./facts.ts";

/** How far a group is behind in a partition. */
export interface PartitionLag extends Position {
  /** The last stable offset: readers of uncommitted records may get further. */
  readonly end: bigint;
  /** Offsets up to the end, transaction markers among them. */
  readonly messages: bigint;
  /** Age of the next record to be read; 0 if there is none. Undefined if it was not asked for, or not found in time. */
  readonly seconds: number | undefined;
}

export interface GroupLagOptions {
  readonly kafka: KafkaOptions;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly group: string;
  /** Looks at the next record of every partition, too. */
  readonly withAge: boolean;
}

/** Of a single look at the next records. */
const AGE_DEADLINE_MS = 5_000;

/** Looks at a group's lag, again and again over the same connections. */
export class GroupLag implements AsyncDisposable {
  readonly #options: GroupLagOptions;
  readonly #brokers: Brokers;

  constructor(options: GroupLagOptions) {
    this.#options = options;
    this.#brokers = new Brokers(options.kafka, options.log);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#brokers[Symbol.asyncDispose]();
  }

  /**
   * A look at every partition for which the group has committed something; those of topics that are gone are left out.
   * Retention may have taken what is next to be read: then it is behind from the log's first record on.
   * @throws SpillwayError BROKER_UNREACHABLE and PROTOCOL, retryable while leaders or coordinator move; NOT_AUTHORIZED
   */
  async look(): Promise<readonly PartitionLag[]> {
    const { group, withAge } = this.#options;
    const committed = await offsetsOfGroup(this.#brokers, group, "all");
    const topics = await this.#brokers.topics([...new Set(committed.map(({ topic }) => topic))]);
    const there = new Map(topics.flatMap(partitionsOf).map((partition) => [partitionKey(partition), partition]));
    const partitions = committed.flatMap((place) => there.get(partitionKey(place)) ?? []);
    const at = (timestamp: bigint) => offsetsByKey(this.#brokers, partitions, timestamp, "read_committed");
    const [starts, ends] = [await at(EARLIEST), await at(LATEST)];
    const behind = committed.flatMap(({ offset: stands, ...place }) => {
      const partition = there.get(partitionKey(place));
      if (partition === undefined) return [];
      const [start = stands, end = stands] = [starts.get(partitionKey(place)), ends.get(partitionKey(place))];
      const offset = stands < start ? start : stands;
      return [{ ...partition, offset, end, messages: end > offset ? end - offset : 0n }];
    });
    const ages = withAge ? await agesOf(behind, this.#options) : new Map<string, number>();
    return behind.map((lag) => ({ ...lag, seconds: ages.get(partitionKey(lag)) }));
  }
}

/** By partition: the age of the first record behind the committed offset. */
async function agesOf(behind: readonly Omit<PartitionLag, "seconds">[], { kafka, log, signal }: GroupLagOptions) {
  const ages = new Map(behind.filter(({ messages }) => messages === 0n).map((lag) => [partitionKey(lag), 0]));
  const waiting = new Map(behind.filter(({ messages }) => messages > 0n).map((lag) => [partitionKey(lag), lag]));
  if (waiting.size === 0) return ages;
  // Every response brings a batch of some partition at least, however few bytes are asked for.
  const fetch = { partitionBytes: 1, maxWaitMs: 100 };
  const stop = AbortSignal.any([signal, AbortSignal.timeout(AGE_DEADLINE_MS)]);
  for await (const fetched of openSource({ kafka, log, signal: stop, fetch, positions: [...waiting.values()] })) {
    const key = partitionKey(fetched);
    const lag = waiting.get(key);
    const [first] = readRecords(fetched);
    if (first !== undefined && first.timestamp >= 0n) {
      ages.set(key, Math.max(0, Date.now() - Number(first.timestamp)) / 1_000);
    }
    // Nothing but markers, or aborted records.
    else if (lag !== undefined && fetched.nextOffset >= lag.end) ages.set(key, 0);
    // One without a timestamp has no age.
    if (ages.has(key) || first !== undefined) waiting.delete(key);
    if (waiting.size === 0) break;
  }
  return ages;
}
