/** A sink and all that it works with: topics made, opened, run, and closed again in the opposite order. */
import type { Logger } from "pino";
import { DeadLetters } from "../dead-letter/dead-letter.ts";
import { assertNoneParked, controlStore } from "../dead-letter/parked-store.ts";
import { letterReader } from "../dead-letter/read-letters.ts";
import type { Decoder } from "../decode/decoder.ts";
import { GroupMember, type GroupOptions } from "../kafka/group-member.ts";
import { LastingProducer } from "../kafka/lasting-producer.ts";
import type { KafkaOptions } from "../kafka/options.ts";
import { prepareTopics } from "../kafka/prepare-topics.ts";
import { type FetchOptions, type LostOffsets, openSource } from "../kafka/source.ts";
import type { Model } from "./models/model.ts";
import type { SinkObserver } from "./observer.ts";
import type { SinkOptions } from "./options.ts";
import { runSink } from "./sink.ts";
import type { SinkStats } from "./stats.ts";
import type { Target } from "./target.ts";

/** Dead letters are few, and their order is worth keeping. */
const DEAD_LETTER_PARTITIONS = 1;
/**
 * A dead letter is a record and its reason, not compressed, so it may be larger than its topic allows for a batch. 64 MiB
 * are room for whatever fits into one of Kafka's requests at their usual limit of 100 MB.
 */
const DEAD_LETTER_CONFIG = { "max.message.bytes": String(64 * 1024 * 1024) };

export interface SinkSetup {
  readonly kafka: KafkaOptions;
  /** They must be there; those for their dead letters are made. */
  readonly topics: readonly string[];
  readonly group: Omit<GroupOptions, "topics">;
  readonly fetch: Partial<FetchOptions>;
  /** Behind a topic's name it makes that of the topic for its dead letters. */
  readonly deadLetterSuffix: string;
  readonly decoder: Decoder;
  readonly model: Model;
  /** Not closed here. */
  readonly target: Target;
  readonly stats: SinkStats;
  readonly observer?: SinkObserver;
  readonly log: Logger;
  /** Ends it, in order. */
  readonly signal: AbortSignal;
}

/**
 * Runs a sink until its signal is aborted.
 * @throws SpillwayError TOPIC_MISSING, BROKER_UNREACHABLE (at the start only), AUTHENTICATION_FAILED, NOT_AUTHORIZED, and
 *   what `runSink` throws
 */
export async function assembleSink(setup: SinkSetup, options: SinkOptions): Promise<void> {
  const { kafka, topics, group, fetch, deadLetterSuffix: suffix, stats, signal, log } = setup;
  const parks = options.onDataError === "park-key";
  const deadLetterTopics = topics.map((topic) => topic + suffix);
  await prepareTopics({
    kafka,
    existing: topics,
    made: deadLetterTopics,
    partitions: DEAD_LETTER_PARTITIONS,
    // What waits for a parked key is nowhere else once its topic has forgotten it.
    config: { ...DEAD_LETTER_CONFIG, ...(parks ? { "retention.ms": "-1" } : {}) },
    log,
    signal,
  });
  if (!parks) await assertNoneParked(group.group, topics, { kafka, log, signal });
  // Letters of a key go one after the other, so none waits for company. It outlives the signal: what is read by then may still have to go there.
  await using producer = new LastingProducer({ kafka, log, signal: new AbortController().signal, lingerMs: 0 });
  await using member = new GroupMember({ ...group, kafka, topics, signal, log });
  log.info({ topics, group: group.group, deadLetterTopics }, "writing to the database");
  const onLost = ({ from, to }: LostOffsets) => {
    stats.offsetsLost += Number(to - from);
  };
  await runSink(
    {
      ...setup,
      member,
      openSource: (positions, stop) => openSource({ kafka, log, fetch, onLost, positions, signal: stop }),
      deadLetters: new DeadLetters(producer, { suffix }),
      parking: { store: controlStore({ kafka, log }, producer), letters: letterReader({ kafka, log }) },
    },
    options,
  );
}
