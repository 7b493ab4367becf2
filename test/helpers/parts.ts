/** Relay, sink and lag in this process, each until a small job is done. */
import assert from "node:assert/strict";
import type { Logger } from "pino";
import { DeadLetters } from "../../src/dead-letter/dead-letter.ts";
import { jsonDecoder } from "../../src/decode/decoder.ts";
import { GroupMember } from "../../src/kafka/group-member.ts";
import { LastingProducer } from "../../src/kafka/lasting-producer.ts";
import type { KafkaOptions } from "../../src/kafka/options.ts";
import { prepareTopics } from "../../src/kafka/prepare-topics.ts";
import { openSource } from "../../src/kafka/source.ts";
import type { Position } from "../../src/kafka/topic-partition.ts";
import { LAG_DEFAULTS } from "../../src/lag/options.ts";
import { readLag } from "../../src/lag/read-lag.ts";
import type { LagReport } from "../../src/lag/report.ts";
import { RELAY_DEFAULTS, type RelayOptions } from "../../src/relay/options.ts";
import { runRelay } from "../../src/relay/relay.ts";
import { newRelayStats } from "../../src/relay/stats.ts";
import { collectionByTopic } from "../../src/sink/collection-name.ts";
import { insertModel } from "../../src/sink/models/insert.ts";
import { SINK_DEFAULTS } from "../../src/sink/options.ts";
import { runSink } from "../../src/sink/sink.ts";
import { newSinkStats, type SinkStats } from "../../src/sink/stats.ts";
import { openMongoTarget } from "../../src/sink/targets/mongo.ts";
import { groupOf, testLog, until } from "./kafka.ts";

const DEADLINE_MS = 120_000;

export interface Topics {
  readonly hot: string;
  readonly wide: string;
}

/** The names that the commands choose. */
export function relayGroup({ hot }: Topics): string {
  return `spillway-relay-${hot}`;
}

export function sinkGroup({ wide }: Topics): string {
  return `spillway-sink-${wide}`;
}

export function relayOptions(kafka: KafkaOptions, topics: Topics): RelayOptions {
  const { hot: source, wide: target } = topics;
  return { kafka, ...RELAY_DEFAULTS, source, target, partitions: 4, group: groupOf(relayGroup(topics)) };
}

/** Relays until so many records are written, or it fails. */
export async function relayUntil(kafka: KafkaOptions, topics: Topics, records: number, log: Logger = testLog) {
  const stats = newRelayStats();
  await runUntil(
    (signal) => runRelay(relayOptions(kafka, topics), { signal, log, stats }),
    () => stats.recordsWritten >= records,
  );
}

/** Writes the wide topic to a collection of the same name until it is done, or fails. Makes and checks topics first, as the command does. */
export async function sinkUntil(
  kafka: KafkaOptions,
  topics: Topics,
  database: { readonly url: string; readonly name: string },
  isDone: (stats: SinkStats) => boolean,
): Promise<void> {
  const { wide } = topics;
  const stats = newSinkStats();
  await using target = openMongoTarget({ url: database.url, database: database.name });
  await using producer = new LastingProducer({ kafka, log: testLog, signal: new AbortController().signal });
  const run = async (signal: AbortSignal): Promise<void> => {
    const common = { kafka, log: testLog, signal };
    await prepareTopics({ ...common, existing: [wide], made: [`${wide}.dead-letter`], partitions: 1 });
    await using member = new GroupMember({ ...groupOf(sinkGroup(topics)), ...common, topics: [wide] });
    await runSink(
      {
        ...{ member, target, stats, signal, log: testLog },
        openSource: (positions: readonly Position[], stop: AbortSignal) =>
          openSource({ kafka, log: testLog, positions, signal: stop }),
        decoder: jsonDecoder,
        model: insertModel(collectionByTopic([{ topic: wide, collection: wide }]), "value"),
        deadLetters: new DeadLetters(producer),
      },
      SINK_DEFAULTS,
    );
  };
  await runUntil(run, () => isDone(stats));
}

export async function sinkLag(kafka: KafkaOptions, topics: Topics): Promise<LagReport> {
  const judge = { ...LAG_DEFAULTS.judge, stalledAfterMs: 1_000 };
  const options = { ...LAG_DEFAULTS, kafka, groups: [sinkGroup(topics)], intervalMs: 300, judge };
  return await readLag(options, { log: testLog, signal: AbortSignal.timeout(DEADLINE_MS) });
}

/** @throws what it fails with */
async function runUntil(run: (signal: AbortSignal) => Promise<unknown>, isDone: () => boolean): Promise<void> {
  const stop = new AbortController();
  const running = run(stop.signal);
  const failed = running.then(() => assert.fail("it stopped by itself"));
  const done = until("all that was to be done", () => stop.signal.aborted || isDone(), DEADLINE_MS);
  await Promise.race([failed, done]).finally(() => stop.abort());
  await running;
}
