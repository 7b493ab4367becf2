import type { Logger } from "pino";
import { messageOf, SpillwayError } from "../errors.ts";
import { readRecords } from "../record-batch/records.ts";
import { backoffMs, pause, retry } from "../runtime/backoff.ts";
import { ensureTopic } from "./admin.ts";
import { Brokers } from "./cluster.ts";
import { EARLIEST, LATEST, offsetsAt, topicMissing } from "./offsets.ts";
import type { KafkaOptions } from "./options.ts";
import { RecordProducer } from "./record-producer.ts";
import { type FetchedPartition, openSource } from "./source.ts";
import type { Position } from "./topic-partition.ts";

/** One small compacted topic holds what offsets can't say: all of Spillway's own state. */
export const CONTROL_TOPIC = "spillway-control";

const BACKOFF = { baseMs: 50, maxMs: 1_000 };
const DEADLINE_MS = 30_000;
/** Between two attempts to follow. */
const AGAIN = { baseMs: 1_000, maxMs: 30_000 };
/** What is written comes at once all the same: so long the broker waits for it. */
const PATIENT = { maxWaitMs: 5_000 };

export interface ControlOptions {
  readonly kafka: KafkaOptions;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** What stands under a key; undefined where it was taken away. */
export interface ControlEntry {
  readonly key: string;
  readonly value: string | undefined;
}

/**
 * The values of a key that the control topic holds, the oldest first: compaction leaves the latest, and until it has run
 * the earlier ones too. Makes the topic if it isn't there.
 * @throws SpillwayError BROKER_UNREACHABLE, TOPIC_MISMATCH, NOT_AUTHORIZED; the signal's reason
 */
export async function readControl(key: string, options: ControlOptions): Promise<readonly string[]> {
  return (await readControlEntries((one) => one === key, options)).map(({ value }) => value ?? "");
}

/** The same for all keys that match. @throws SpillwayError as `readControl` */
export async function readControlEntries(
  matches: (key: string) => boolean,
  options: ControlOptions,
): Promise<readonly ControlEntry[]> {
  const { start, end } = await wholeTopic(options);
  const entries: ControlEntry[] = [];
  if (start.offset >= end.offset) return entries;
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(DEADLINE_MS)]);
  for await (const fetched of openSource({ ...options, signal, positions: [start] })) {
    for (const { offset, ...entry } of entriesOf(fetched, matches)) if (offset < end.offset) entries.push(entry);
    if (fetched.nextOffset >= end.offset) return entries;
  }
  options.signal.throwIfAborted();
  throw new SpillwayError("TIMEOUT", `Its end was not reached within ${DEADLINE_MS} ms`, {
    retryable: true,
    context: { topic: CONTROL_TOPIC, offset: end.offset },
  });
}

/**
 * Calls `take` with every entry that is written under keys that match from now on, until the signal is aborted, and with
 * the latest one of each that there is when it begins. Resolves once those are taken. What ends the following later is
 * logged, and it begins again.
 * @throws SpillwayError as `readControl`
 */
export async function followControlEntries(
  matches: (key: string) => boolean,
  take: (entry: ControlEntry) => void,
  options: ControlOptions,
): Promise<AsyncDisposable> {
  const stop = new AbortController();
  const following = { ...options, signal: AbortSignal.any([options.signal, stop.signal]) };
  const { end } = await wholeTopic(following);
  const latest = new Map((await readControlEntries(matches, following)).map((entry) => [entry.key, entry]));
  for (const entry of latest.values()) take(entry);
  const running = follow(matches, take, end, following);
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
}

async function follow(
  matches: (key: string) => boolean,
  take: (entry: ControlEntry) => void,
  from: Position,
  options: ControlOptions,
) {
  const { signal, log } = options;
  for (let position = from, failures = 1; !signal.aborted; failures++) {
    try {
      for await (const fetched of openSource({ ...options, positions: [position], fetch: PATIENT })) {
        for (const { key, value } of entriesOf(fetched, matches)) take({ key, value });
        position = { ...position, offset: fetched.nextOffset };
        failures = 0;
      }
    } catch (error) {
      if (!signal.aborted) log.warn({ topic: CONTROL_TOPIC, error: messageOf(error) }, "can't follow what it says");
      await pause(backoffMs(failures, AGAIN), signal).catch(() => {});
      // It may have been made anew.
      position = await wholeTopic(options).then(
        ({ start }) => (start.topicId === position.topicId ? position : start),
        () => position,
      );
    }
  }
}

async function wholeTopic({ kafka, log, signal }: ControlOptions) {
  await using brokers = new Brokers(kafka, log);
  await brokers.connect(signal, log);
  const config = { "cleanup.policy": "compact" };
  const { topicId } = await ensureTopic(brokers, { topic: CONTROL_TOPIC, partitions: 1, config }, signal);
  const partition = { topic: CONTROL_TOPIC, topicId, partition: 0 };
  const limits = { signal, backoff: BACKOFF, deadlineMs: DEADLINE_MS };
  const at = async (timestamp: bigint): Promise<Position> => {
    const [found] = await retry(() => offsetsAt(brokers, [partition], timestamp, "read_committed"), limits);
    if (found === undefined) throw topicMissing(CONTROL_TOPIC);
    return found;
  };
  return { start: await at(EARLIEST), end: await at(LATEST) };
}

function entriesOf(
  fetched: FetchedPartition,
  matches: (key: string) => boolean,
): readonly (ControlEntry & { readonly offset: bigint })[] {
  return [...readRecords(fetched)].flatMap(({ offset, key, value }) => {
    const name = key?.toString();
    return name === undefined || !matches(name) ? [] : [{ offset, key: name, value: value?.toString() }];
  });
}

/** Resolves when it is acknowledged. @throws SpillwayError as `RecordProducer.send` */
export async function writeControl(key: string, value: string, { kafka, log, signal }: ControlOptions): Promise<void> {
  await using producer = await RecordProducer.open({ kafka, log, signal, lingerMs: 0 });
  await producer.send(CONTROL_TOPIC, { key: Buffer.from(key), value: Buffer.from(value), timestamp: Date.now() });
}
