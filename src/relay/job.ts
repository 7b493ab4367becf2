import { randomUUID } from "node:crypto";
import { SpillwayError } from "../errors.ts";
import { Brokers, partitionsOf, type TopicMetadata } from "../kafka/cluster.ts";
import { type ControlOptions, readControl, writeControl } from "../kafka/control-topic.ts";
import { committedOffsets } from "../kafka/group-offsets.ts";
import { EARLIEST, LATEST, offsetsAt, topicMissing } from "../kafka/offsets.ts";
import type { FetchedPartition } from "../kafka/source.ts";
import { pause, retry } from "../runtime/backoff.ts";
import type { RelayOptions } from "./options.ts";
import type { RelayName } from "./settings.ts";

const BACKOFF = { baseMs: 50, maxMs: 1_000 };
const DEADLINE_MS = 30_000;
const DONE_POLL_MS = 500;

/** Where a relay ends: what is in the source when it starts; the first record at or behind a time; given offsets. */
export type Until =
  | { readonly kind: "now" }
  /** Milliseconds since the epoch. */
  | { readonly kind: "time"; readonly at: number }
  /** By partition, of the first record that is not relayed. */
  | { readonly kind: "offsets"; readonly ends: ReadonlyMap<number, bigint> };

/** A job as the control topic has it. */
export interface JobState {
  readonly id: string;
  readonly topicId: string;
  /** By partition. Those with nothing to relay are left out. */
  readonly ends: Readonly<Record<string, string>>;
  readonly startedAt: string;
  readonly finishedAt?: string;
}

/**
 * A relay that ends. Its ends are settled once, kept in the control topic, and the same for every instance and after
 * every restart, until all partitions are committed up to them.
 */
export class Job {
  readonly startedAt: string;
  readonly ends: ReadonlyMap<number, bigint>;
  readonly #key: string;
  readonly #options: RelayOptions;
  readonly #control: ControlOptions;
  readonly #state: JobState;

  private constructor(key: string, state: JobState, options: RelayOptions, control: ControlOptions) {
    this.#key = key;
    this.#state = state;
    this.#options = options;
    this.#control = control;
    this.startedAt = state.startedAt;
    this.ends = new Map(Object.entries(state.ends).map(([partition, end]) => [Number(partition), BigInt(end)]));
  }

  /**
   * Goes on with the group's unfinished job, or begins one.
   * @throws SpillwayError TOPIC_MISSING; TOPIC_RECREATED if the source isn't the one the unfinished job was begun on
   */
  static async open(until: Until, options: RelayOptions, control: ControlOptions): Promise<Job> {
    const key = keyOf({ group: options.group.group, source: options.source });
    await using brokers = new Brokers(control.kafka, control.log);
    await brokers.connect(control.signal, control.log);
    const [source] = await brokers.topics([options.source]);
    if (source === undefined) throw topicMissing(options.source);
    const begun = unfinished(await readControl(key, control));
    if (begun !== undefined) {
      if (begun.topicId !== source.topicId) throw recreated(options);
      return new Job(key, begun, options, control);
    }
    await writeControl(key, JSON.stringify(await freeze(until, source, { brokers, signal: control.signal })), control);
    // Another instance may have begun it at the same moment: the first one counts, for both.
    const first = unfinished(await readControl(key, control));
    if (first === undefined) throw new SpillwayError("PROTOCOL", "What was written to the control topic isn't there");
    return new Job(key, first, options, control);
  }

  /** The part of what was fetched that lies before the end; undefined if none does. */
  clip(fetched: FetchedPartition): FetchedPartition | undefined {
    const end = this.ends.get(fetched.partition) ?? 0n;
    if (fetched.fetchOffset >= end) return undefined;
    return fetched.nextOffset <= end ? fetched : { ...fetched, endOffset: end, nextOffset: end };
  }

  /** True of a position behind which nothing is to be relayed. */
  isReached({ partition, offset }: { readonly partition: number; readonly offset: bigint }): boolean {
    return offset >= (this.ends.get(partition) ?? 0n);
  }

  /** Resolves to true when all partitions are committed up to their ends, by whichever instance; to false if aborted. */
  async done(stop: AbortSignal): Promise<boolean> {
    const { kafka, log, signal } = this.#control;
    await using brokers = new Brokers(kafka, log);
    const source = { topic: this.#options.source, partitions: Math.max(0, ...this.ends.keys()) + 1 };
    const limits = { signal: stop, backoff: BACKOFF, deadlineMs: DEADLINE_MS };
    while (!stop.aborted && !signal.aborted) {
      const ask = () => committedOffsets(brokers, this.#options.group.group, source);
      const committed = await retry(ask, limits).catch((error: unknown) => {
        if (stop.aborted) return undefined;
        throw error;
      });
      if (committed === undefined) return false;
      if ([...this.ends].every(([partition, end]) => (committed.get(partition) ?? -1n) >= end)) return true;
      await pause(DONE_POLL_MS, stop).catch(() => {});
    }
    return false;
  }

  /** Says in the control topic that it is over: the same command begins a new one. */
  async finish(): Promise<void> {
    const states = await readControl(this.#key, this.#control);
    // Another instance has said so, and a new job may have begun since: it must not be hidden by compaction.
    if (unfinished(states)?.id !== this.#state.id) return;
    const value: JobState = { ...this.#state, finishedAt: new Date().toISOString() };
    await writeControl(this.#key, JSON.stringify(value), this.#control);
  }
}

/** The unfinished job of a relay, else its last one; undefined if it never had one. @throws SpillwayError as `readControl` */
export async function readJobState(relay: RelayName, control: ControlOptions): Promise<JobState | undefined> {
  const values = await readControl(keyOf(relay), control);
  return unfinished(values) ?? statesOf(values).at(-1);
}

function keyOf({ group, source }: RelayName): string {
  return `relay-job:${group}:${source}`;
}

/**
 * Of the states written one after the other, that of the job that is not finished. One that was begun while another was
 * under way, in the same moment by another instance, is none: its instance goes on with the other.
 */
function unfinished(values: readonly string[]): JobState | undefined {
  let current: JobState | undefined;
  for (const state of statesOf(values)) {
    if (state === undefined) current = undefined;
    else if (state.finishedAt === undefined) current ??= state;
    else if (state.id === current?.id) current = undefined;
  }
  return current;
}

/** Undefined for a tombstone, by which somebody has told to forget a job, and for what is none. */
function statesOf(values: readonly string[]): readonly (JobState | undefined)[] {
  return values.map((value) => {
    try {
      const state = JSON.parse(value) as JobState | null;
      return typeof state?.id === "string" ? state : undefined;
    } catch {
      return undefined;
    }
  });
}

async function freeze(
  until: Until,
  source: TopicMetadata,
  { brokers, signal }: { readonly brokers: Brokers; readonly signal: AbortSignal },
): Promise<JobState> {
  const partitions = partitionsOf(source);
  const limits = { signal, backoff: BACKOFF, deadlineMs: DEADLINE_MS };
  const at = async (timestamp: bigint) => {
    const found = await retry(() => offsetsAt(brokers, partitions, timestamp, "read_committed"), limits);
    return new Map(found.map(({ partition, offset }) => [partition, offset]));
  };
  const [starts, latest] = [await at(EARLIEST), await at(LATEST)];
  const wanted = until.kind === "time" ? await at(BigInt(until.at)) : until.kind === "offsets" ? until.ends : latest;
  const ends: Record<string, string> = {};
  for (const [partition, start] of starts) {
    const last = latest.get(partition) ?? start;
    // No record is that young: -1. Nothing is behind the end of the log but what comes later.
    const asked = wanted.get(partition) ?? last;
    const end = asked < 0n || asked > last ? last : asked;
    if (end > start) ends[partition] = String(end);
  }
  return { id: randomUUID(), topicId: source.topicId, ends, startedAt: new Date().toISOString() };
}

function recreated({ source, group }: RelayOptions): SpillwayError {
  return new SpillwayError("TOPIC_RECREATED", "The unfinished job was begun on an earlier topic of this name", {
    context: { topic: source, group: group.group, hint: "Choose another group for a new job" },
  });
}
