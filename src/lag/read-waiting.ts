import { SpillwayError } from "../errors.ts";
import type { Brokers } from "../kafka/cluster.ts";
import { peek } from "../kafka/peek.ts";
import type { FetchedPartition } from "../kafka/source.ts";
import { partitionKey, type TopicPartition } from "../kafka/topic-partition.ts";
import { withDeadline } from "../runtime/deadline.ts";
import type { CountedRanges } from "./counted-ranges.ts";
import type { ReadLimits } from "./options.ts";
import { firstRecordOf, type NextRecord, rangesOf } from "./ranges-of-part.ts";

/** What is to be known of one group in one partition. */
export interface Unread extends TopicPartition {
  /** Node id. */
  readonly leader: number;
  /** From where it reads on, up to where it can. */
  readonly from: bigint;
  readonly to: bigint;
  /** Of the partition: what is read is added. */
  readonly ranges: CountedRanges;
  /** If it is known already. */
  readonly next: NextRecord | undefined;
}

/** Of one partition in one response: enough for the first record, or to count. A larger batch comes whole. */
const SEARCH_BYTES = 128 * 1024;
const COUNT_BYTES = 1024 * 1024;
const RESPONSE_BYTES = 4 * 1024 * 1024;
const PARTITIONS_AT_ONCE = 64;
/** Windows in what is too much to be read, so that an estimate doesn't rest on its beginning alone. */
const PROBES = 3;

/**
 * Reads unread records: first the next one of each group and partition, then, the shortest first, all that are not
 * counted yet. What is too much to be read within the limits is probed here and there. What can't be read is left out.
 * Returns the next records that were found.
 * @throws the signal's reason once that is aborted
 */
export async function readUnread(
  brokers: Brokers,
  unread: readonly Unread[],
  limits: ReadLimits,
  signal: AbortSignal,
): Promise<ReadonlyMap<Unread, NextRecord>> {
  const budget = new Budget(limits);
  const readings = unread.map((one) => new Reading(one));
  const led = Map.groupBy(readings, ({ unread: { leader } }) => leader);
  await Promise.all([...led].map(([leader, ofLeader]) => readFrom(brokers, leader, ofLeader, budget, signal)));
  return new Map(readings.flatMap(({ unread: one, next }) => (next === undefined ? [] : [[one, next] as const])));
}

class Budget {
  bytes: number;
  readonly #endsAt: number;

  constructor({ bytes, ms }: ReadLimits) {
    this.bytes = bytes;
    this.#endsAt = performance.now() + ms;
  }

  get leftMs(): number {
    return this.bytes <= 0 ? 0 : Math.max(0, this.#endsAt - performance.now());
  }
}

async function readFrom(
  brokers: Brokers,
  leader: number,
  readings: readonly Reading[],
  budget: Budget,
  signal: AbortSignal,
): Promise<void> {
  let open = readings;
  for (;;) {
    const share = budget.bytes / Math.max(1, open.length);
    open = open.filter((reading) => reading.position(share) !== undefined).toSorted(bySize);
    if (open.length === 0 || budget.leftMs === 0) return;
    signal.throwIfAborted();
    // A request names a partition once: another group's turn comes in another one.
    const chosen = [...new Map(open.toReversed().map((one) => [partitionKey(one.unread), one])).values()]
      .toReversed()
      .slice(0, PARTITIONS_AT_ONCE);
    const served = await serve(brokers, leader, chosen, share, budget);
    signal.throwIfAborted();
    // Whatever the size of its batches, the first is served; if it wasn't, it can't be.
    const [first] = chosen;
    if (served === undefined) return;
    open = open.filter((one) => one !== first || served.has(one));
  }
}

/** Undefined where nothing can be read from this broker any more. */
async function serve(
  brokers: Brokers,
  leader: number,
  chosen: readonly Reading[],
  share: number,
  budget: Budget,
): Promise<ReadonlySet<Reading> | undefined> {
  const positions = chosen.flatMap((one) => {
    const offset = one.position(share);
    const { topic, topicId, partition } = one.unread;
    return offset === undefined ? [] : [{ topic, topicId, partition, offset }];
  });
  const partitionBytes = chosen.some(({ isSearching }) => isSearching) ? SEARCH_BYTES : COUNT_BYTES;
  const responseBytes = Math.min(RESPONSE_BYTES, budget.bytes);
  const served = new Set<Reading>();
  try {
    const parts = await withDeadline(
      peek(brokers, leader, positions, { partitionBytes, responseBytes }),
      budget.leftMs,
      "Reading unread records",
    );
    for (const part of parts) {
      const reading = chosen.find(({ unread }) => partitionKey(unread) === partitionKey(part));
      if (reading === undefined) continue;
      budget.bytes -= part.batches.length;
      reading.take(part);
      served.add(reading);
    }
  } catch (error) {
    if (!(error instanceof SpillwayError)) throw error;
    const { topic = "", partition = -1 } = error.context;
    const corrupt = chosen.find(({ unread }) => partitionKey(unread) === partitionKey({ topic, partition }));
    if (error.code !== "BATCH_CORRUPT" || corrupt === undefined) return undefined;
    // One log that can't be read hides no other.
    corrupt.giveUp();
    for (const one of chosen) served.add(one);
  }
  return served;
}

/** Those whose next record isn't known yet, then those that can be counted soonest. */
function bySize(a: Reading, b: Reading): number {
  if (a.isSearching !== b.isSearching) return a.isSearching ? -1 : 1;
  return a.offsets < b.offsets ? -1 : a.offsets > b.offsets ? 1 : 0;
}

/** How far the reading of one of them is. */
class Reading {
  readonly unread: Unread;
  next: NextRecord | undefined;
  /** Before it the next record doesn't lie. */
  #searchedTo: bigint;
  /** Before it there is nothing to be counted that could be. */
  #triedTo: bigint;
  #bytesPerOffset = 0;
  /** Not known before they are needed. */
  #probes: bigint[] | undefined;

  constructor(unread: Unread) {
    this.unread = unread;
    this.next = unread.next;
    this.#searchedTo = unread.from;
    this.#triedTo = unread.from;
  }

  get offsets(): bigint {
    return this.unread.to - this.unread.from;
  }

  get isSearching(): boolean {
    if (this.next !== undefined || this.#searchedTo >= this.unread.to) return false;
    const { records, uncounted } = this.unread.ranges.count(this.#searchedTo, this.unread.to);
    return records > 0 || uncounted > 0n;
  }

  /** Nothing more of it can be read. */
  giveUp(): void {
    this.#searchedTo = this.unread.to;
    this.#triedTo = this.unread.to;
    this.#probes = [];
  }

  /** Where to read on; undefined if there is nothing left to do. @param share bytes that may be read of it */
  position(share: number): bigint | undefined {
    const { ranges, to } = this.unread;
    if (this.isSearching) return this.#searchedTo;
    const gap = ranges.gap(this.#triedTo, to);
    if (gap === undefined) return undefined;
    if (this.#probes === undefined && Number(gap.to - gap.from) * this.#bytesPerOffset <= share) return gap.from;
    const step = (to - gap.from) / BigInt(PROBES + 1);
    this.#probes ??= Array.from({ length: PROBES }, (_, i) => gap.from + step * BigInt(i + 1));
    return this.#probes[0];
  }

  take(part: FetchedPartition): void {
    const { ranges, to } = this.unread;
    const { fetchOffset, nextOffset } = part;
    ranges.add(rangesOf(part));
    this.#bytesPerOffset = part.batches.length / Math.max(1, Number(nextOffset - fetchOffset));
    if (this.next === undefined && this.#searchedTo === fetchOffset) {
      const first = firstRecordOf(part);
      if (first !== undefined && first.offset < to) this.next = first;
      this.#searchedTo = nextOffset;
    }
    if (this.#probes?.[0] === fetchOffset) this.#probes.shift();
    // A batch that can't be read stays uncounted: it is not read again.
    else if (ranges.gap(this.#triedTo, to)?.from === fetchOffset) this.#triedTo = nextOffset;
  }
}
