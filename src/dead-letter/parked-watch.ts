import { SpillwayError } from "../errors.ts";
import { Brokers } from "../kafka/cluster.ts";
import { CONTROL_TOPIC, type ControlEntry, type ControlOptions, followControlEntries } from "../kafka/control-topic.ts";
import { retry } from "../runtime/backoff.ts";
import { LIMITS } from "./limits.ts";
import { isParkedKey, parseControlKey, parseState } from "./parked-key.ts";

/** Keys that are parked in a partition. */
export interface ParkedKeysThere {
  readonly keys: number;
  /** When the first of them was, in milliseconds since the epoch; undefined if that isn't known. */
  readonly sinceMs: number | undefined;
}

interface SourcePartition {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
}

/** What is parked, of all groups, as the control topic says it from moment to moment. */
export class ParkedWatch {
  /** By group, topic and partition, and by the control topic's key. */
  readonly #parked = new Map<string, Map<string, { readonly topicId: string; readonly sinceMs: number }>>();

  take({ key, value }: ControlEntry): void {
    const name = parseControlKey(key)?.name;
    if (name === undefined || !isParkedKey(key)) return;
    const place = placeOf(name.group, name);
    const there = this.#parked.get(place) ?? new Map();
    const state = parseState(value);
    if (state?.state === "parked") there.set(key, { topicId: state.topicId, sinceMs: Date.parse(state.since) });
    else there.delete(key);
    if (there.size === 0) this.#parked.delete(place);
    else this.#parked.set(place, there);
  }

  /** Keys of a topic that was made anew since don't count. */
  of(group: string, partition: SourcePartition): ParkedKeysThere {
    const all = [...(this.#parked.get(placeOf(group, partition))?.values() ?? [])];
    const there = all.filter(({ topicId }) => topicId === partition.topicId);
    const sinceMs = there.reduce((least, one) => Math.min(least, one.sinceMs), Infinity);
    return { keys: there.length, sinceMs: Number.isFinite(sinceMs) ? sinceMs : undefined };
  }
}

function placeOf(group: string, { topic, partition }: Pick<SourcePartition, "topic" | "partition">): string {
  return JSON.stringify([group, topic, partition]);
}

/**
 * Lets a watch know what is parked, now and until it is disposed of. Where nobody has ever parked a key, or this user may
 * not read the control topic, it knows of none: the topic isn't made.
 * @throws SpillwayError as `followControlEntries`
 */
export async function followParked(watch: ParkedWatch, control: ControlOptions): Promise<AsyncDisposable> {
  const nothing = { async [Symbol.asyncDispose]() {} };
  try {
    if (!(await isThere(control))) return nothing;
    return await followControlEntries(isParkedKey, (entry) => watch.take(entry), control);
  } catch (error) {
    if (!(error instanceof SpillwayError) || error.code !== "NOT_AUTHORIZED") throw error;
    control.log.warn({ topic: CONTROL_TOPIC }, "may not be read: parked keys are not seen");
    return nothing;
  }
}

async function isThere({ kafka, log, signal }: ControlOptions): Promise<boolean> {
  await using brokers = new Brokers(kafka, log);
  await brokers.connect(signal, log);
  return (await retry(() => brokers.topics([CONTROL_TOPIC]), { signal, ...LIMITS })).length > 0;
}
