import type { Logger } from "pino";
import { isRetryable, SpillwayError } from "../errors.ts";
import { Brokers } from "../kafka/cluster.ts";
import type { GroupReaders } from "../kafka/group-readers.ts";
import { partitionKey } from "../kafka/topic-partition.ts";
import { retry } from "../runtime/backoff.ts";
import { withDeadline } from "../runtime/deadline.ts";
import { CountedRanges } from "./counted-ranges.ts";
import {
  commitsOf,
  type GroupCommits,
  knowNothing,
  type LogFacts,
  logBytesOf,
  logsOf,
  offsetsByKey,
  readersByGroup,
  retentionsOf,
  type Unseen,
  whyForeign,
} from "./facts.ts";
import { type LagOptions, NOTHING_PARKED } from "./options.ts";
import {
  arrivals,
  bySize,
  isBehind,
  isCountable,
  type Placed,
  type Track,
  trackKey,
  trackOf,
  transactionsOf,
} from "./placed.ts";
import { window } from "./rates.ts";
import { readUnread, type Unread } from "./read-waiting.ts";
import type { LagReport } from "./report.ts";
import { type Observed, reportOf } from "./report-of.ts";
import type { Retention } from "./until-deleted.ts";
import { waitingOf } from "./waiting.ts";

const BACKOFF = { baseMs: 100, maxMs: 1_000 };
const CONFIG_AGE_MS = 60_000;
/** In a first look: how far back timestamps tell what arrived. */
const ARRIVAL_MS = 60_000;

/** Looks at groups again and again over the same connections, and keeps what it needs to tell how they move. */
export class LagReader implements AsyncDisposable {
  readonly #options: LagOptions;
  readonly #log: Logger;
  #brokers: Brokers;
  readonly #signal: AbortSignal;
  #looks = 0;
  /** By group and `partitionKey`. */
  #tracks = new Map<string, Track>();
  /** By topic id and partition. */
  #ranges = new Map<string, CountedRanges>();
  #retentions: { readonly atMs: number; readonly byTopic: ReadonlyMap<string, Retention> } | undefined;

  constructor(options: LagOptions, { log, signal }: { readonly log: Logger; readonly signal: AbortSignal }) {
    this.#options = options;
    this.#log = log;
    this.#brokers = new Brokers(options.kafka, log);
    this.#signal = signal;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#brokers[Symbol.asyncDispose]();
  }

  /**
   * One look; the report rests on the looks before it, too.
   * @throws SpillwayError TIMEOUT, BROKER_UNREACHABLE, AUTHENTICATION_FAILED, NOT_AUTHORIZED, PROTOCOL; the signal's
   *   reason once that is aborted
   */
  async look(): Promise<LagReport> {
    const { deadlineMs, kafka } = this.#options;
    const brokers = this.#brokers;
    const late = new AbortController();
    const signal = AbortSignal.any([this.#signal, late.signal]);
    // A topic may be deleted between two questions.
    const retryable = (error: unknown) =>
      isRetryable(error) || (error instanceof SpillwayError && error.code === "TOPIC_MISSING");
    const looking = retry(() => this.#look(brokers, signal), { signal, retryable, backoff: BACKOFF, deadlineMs });
    try {
      return await withDeadline(looking, deadlineMs, "Looking at the groups");
    } catch (error) {
      this.#signal.throwIfAborted();
      // What still hangs must not be waited for by the next look.
      late.abort();
      this.#brokers = new Brokers(kafka, this.#log);
      await brokers[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #look(brokers: Brokers, signal: AbortSignal): Promise<LagReport> {
    const unseen: Unseen[] = [];
    await brokers.topics([]); // learns where the brokers are
    const groups = (await commitsOf(brokers, this.#options.groups, unseen, signal)).map((one) => this.#ofTopics(one));
    const [{ logs, partitions }, readers] = await Promise.all([
      logsOf(brokers, groups, unseen),
      readersByGroup(brokers, groups),
    ]);
    const atMs = performance.now();
    const placed = (await this.#recheck(brokers, groups, logs, signal)).flatMap((one) =>
      this.#place(one, logs, unseen),
    );
    const retentions = await this.#retentionsOf(brokers, placed);
    const counted = await this.#count(brokers, placed, { retentions, signal });
    signal.throwIfAborted();
    this.#ranges = counted;
    const observed = await this.#observe(brokers, placed, { atMs, readers, retentions });
    signal.throwIfAborted();
    this.#tracks = new Map(observed.map((one) => [trackKey(one.group, one.log), trackOf(one)]));
    this.#looks++;
    return reportOf({
      ...{ observed, readers, unseen, partitions, looks: this.#looks, nowMs: Date.now(), judge: this.#options.judge },
      groups: groups.filter(({ committed }) => committed.length > 0 || this.#options.groups !== undefined),
    });
  }

  #ofTopics(group: GroupCommits): GroupCommits {
    const { topics } = this.#options;
    if (topics === undefined) return group;
    return { ...group, committed: group.committed.filter(({ topic }) => topics.includes(topic)) };
  }

  /** Between two questions a group may go on, and the log's start follow it: whoever seems to have lost is asked again. */
  async #recheck(
    brokers: Brokers,
    groups: readonly GroupCommits[],
    logs: ReadonlyMap<string, LogFacts>,
    signal: AbortSignal,
  ) {
    const suspects = groups.filter(({ committed }) =>
      committed.some((place) => place.offset < (logs.get(partitionKey(place))?.start ?? 0n)),
    );
    if (suspects.length === 0) return groups;
    const names = suspects.map(({ group }) => group);
    const again = (await commitsOf(brokers, names, [], signal)).map((one) => this.#ofTopics(one));
    return groups.map((one) => again.find(({ group }) => group === one.group) ?? one);
  }

  /** The partitions of a group that there are. */
  #place({ group, committed }: GroupCommits, logs: ReadonlyMap<string, LogFacts>, unseen: Unseen[]): Placed[] {
    return committed.flatMap((place): Placed[] => {
      const log = logs.get(partitionKey(place));
      if (log === undefined) return [];
      const foreign = whyForeign(log, place, group);
      if (foreign !== undefined) {
        unseen.push({ what: `group ${group}`, why: foreign });
        return [];
      }
      // What is committed behind the last stable offset was read uncommitted.
      const end = place.offset > log.stable ? log.written : log.stable;
      const from = place.offset < log.start ? log.start : place.offset;
      const track = this.#tracks.get(trackKey(group, log));
      const known = track?.topicId === log.topicId ? track : undefined;
      const next = known?.next?.committed === place.offset ? known.next.record : undefined;
      return [{ group, log, committed: place.offset, from, end, track: known, next, ranges: new CountedRanges() }];
    });
  }

  /** Of the topics in which anything waits: the others need none. */
  async #retentionsOf(brokers: Brokers, placed: readonly Placed[]): Promise<ReadonlyMap<string, Retention>> {
    const wanted = [...new Set(placed.filter(isBehind).map(({ log: { topic } }) => topic))];
    const known = this.#retentions;
    const isFresh = known !== undefined && performance.now() - known.atMs < CONFIG_AGE_MS;
    if (isFresh && wanted.every((topic) => known.byTopic.has(topic))) return known.byTopic;
    const byTopic = await retentionsOf(brokers, wanted);
    this.#retentions = { atMs: performance.now(), byTopic };
    return byTopic;
  }

  /** Gives each what is counted of its partition, and finds its next record, within the limits. */
  async #count(
    brokers: Brokers,
    placed: Placed[],
    { retentions, signal }: { readonly retentions: ReadonlyMap<string, Retention>; readonly signal: AbortSignal },
  ): Promise<Map<string, CountedRanges>> {
    const ranges = new Map<string, CountedRanges>();
    for (const [key, ofLog] of Map.groupBy(placed, ({ log }) => `${log.topicId}/${log.partition}`)) {
      const topic = ofLog[0]?.log.topic ?? "";
      const isKept = retentions.get(topic)?.isCompacted === false;
      const counted = (isKept ? this.#ranges.get(key) : undefined) ?? new CountedRanges();
      counted.forgetBelow(ofLog.reduce((least, { from }) => (from < least ? from : least), ofLog[0]?.from ?? 0n));
      for (const one of ofLog) one.ranges = counted;
      ranges.set(key, counted);
    }
    const unread = new Map(
      placed.filter(isCountable).map((one): [Unread, Placed] => {
        const { log, from, end, next } = one;
        const { topic, topicId, partition, leader } = log;
        return [{ topic, topicId, partition, leader, from, to: end, ranges: one.ranges, next }, one];
      }),
    );
    for (const [one, next] of await readUnread(brokers, [...unread.keys()], this.#options.read, signal)) {
      const found = unread.get(one);
      if (found !== undefined) found.next = next;
    }
    return ranges;
  }

  async #observe(
    brokers: Brokers,
    placed: readonly Placed[],
    {
      atMs,
      readers,
      retentions,
    }: {
      readonly atMs: number;
      readonly readers: ReadonlyMap<string, GroupReaders>;
      readonly retentions: ReadonlyMap<string, Retention>;
    },
  ): Promise<readonly Observed[]> {
    const fresh = placed.filter(({ track }) => track === undefined).map(({ log }) => log);
    const since = BigInt(Date.now() - ARRIVAL_MS);
    const [arrived, bytes] = await Promise.all([
      fresh.length === 0 ? undefined : offsetsByKey(brokers, fresh, since, "read_uncommitted").catch(knowNothing),
      logBytesOf(brokers, bySize(placed, retentions)),
    ]);
    const transactions = await transactionsOf(brokers, placed);
    return placed.map((one): Observed => {
      const { group, log, committed, from, end, track, next } = one;
      const key = partitionKey(log);
      const waiting = waitingOf(one.ranges.count(from, end), end > from ? end - from : 0n);
      const isWaiting = waiting.messages > 0;
      const look = { atMs, committed, end, written: log.written, isWaiting };
      const looks = window([...(track?.looks ?? []), look], 2 * this.#options.judge.stalledAfterMs);
      const isRecent = atMs - (looks[0]?.atMs ?? atMs) < ARRIVAL_MS;
      const first = arrived?.has(key) === true ? arrivals(log, arrived.get(key)) : undefined;
      return {
        ...{ group, log, from, looks, waiting, next: isWaiting ? next : undefined },
        readers: readers.get(group),
        retention: retentions.get(log.topic),
        logBytes: bytes.get(key),
        transaction: transactions.get(key),
        arrived: track === undefined ? first : isRecent ? track.arrived : undefined,
        arrivedMs: ARRIVAL_MS,
        parked: this.#options.parked?.(group, log) ?? NOTHING_PARKED,
      };
    });
  }
}
