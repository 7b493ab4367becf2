import { Command } from "commander";
import type { Logger } from "pino";
import type { Values } from "../config/option-table.ts";
import { required } from "../config/required.ts";
import type { LostOffsets } from "../kafka/source.ts";
import type { SinkOptions, SinkRoute } from "../sink/options.ts";
import { type CliContext, prepare } from "./context.ts";
import { addFlags } from "./flags.ts";
import { fetchOptions, groupOptions, kafkaOptions } from "./kafka-options.ts";
import { boundHeap } from "./memory.ts";
import { untilStopped } from "./stop-signals.ts";
import { prepareTopics } from "./topics.ts";

/** What closing the database, leaving the group and disconnecting may take, on top of the drain. */
const LEAVING_MS = 15_000;
/** Dead letters are few, and their order is worth keeping. */
const DEAD_LETTER_PARTITIONS = 1;
const DEFAULT_DATABASE = "spillway";

/** `spillway sink`: topics → collections, until stopped. */
export function sinkCommand(context: CliContext): Command {
  const command = addFlags(new Command("sink"), "sink")
    .description("write topics to collections of a database: in batches, in parallel, in the order of each key")
    .action(async () => {
      boundHeap("sink");
      const { config, log } = await prepare(context, command, "sink");
      const { values } = config;
      const options = sinkOptions(values);
      await untilStopped({ log, deadlineMs: options.drainDeadlineMs + LEAVING_MS }, (signal) =>
        run(values, options, { log, signal }),
      );
    });
  return command;
}

async function run(
  values: Values,
  options: SinkOptions,
  { log, signal }: { readonly log: Logger; readonly signal: AbortSignal },
): Promise<void> {
  const [
    { DeadLetters },
    { GroupMember },
    { LastingProducer },
    { openSource },
    { runSink },
    { newSinkStats },
    { openMongoTarget },
  ] = await Promise.all([
    import("../dead-letter/dead-letter.ts"),
    import("../kafka/group-member.ts"),
    import("../kafka/lasting-producer.ts"),
    import("../kafka/source.ts"),
    import("../sink/sink.ts"),
    import("../sink/stats.ts"),
    import("../sink/targets/mongo.ts"),
  ]);
  const kafka = kafkaOptions(values);
  const topics = options.routes.map(({ topic }) => topic);
  const group = values["sink.group"] ?? `spillway-sink-${topics.join("-")}`;

  await using target = openMongoTarget(mongoOptions(values));
  const suffix = values["sink.deadLetterSuffix"];
  const deadLetterTopics = topics.map((topic) => topic + suffix);
  await prepareTopics({
    kafka,
    existing: topics,
    made: deadLetterTopics,
    partitions: DEAD_LETTER_PARTITIONS,
    log,
    signal,
  });
  // It outlives the signal: what is read by then may still have to go there.
  await using producer = new LastingProducer({ kafka, log, signal: new AbortController().signal });
  await using member = new GroupMember({ ...groupOptions(values, group), kafka, topics, signal, log });
  log.info({ routes: options.routes, group, deadLetterTopics }, "writing to the database");
  const stats = newSinkStats();
  const onLost = ({ from, to }: LostOffsets) => {
    stats.offsetsLost += Number(to - from);
  };
  const source = { kafka, log, fetch: fetchOptions(values), onLost };
  await runSink(
    {
      member,
      openSource: (positions, stop) => openSource({ ...source, positions, signal: stop }),
      target,
      deadLetters: new DeadLetters(producer, { suffix }),
      signal,
      stats,
      log,
    },
    options,
  );
}

function sinkOptions(values: Values): SinkOptions {
  return {
    routes: routesOf(values),
    document: values["sink.document"],
    lanes: values["sink.lanes"],
    batchRecords: values["sink.batchRecords"],
    batchTimeoutMs: values["sink.batchTimeoutMs"],
    inFlightRecords: values["sink.inFlightRecords"],
    inFlightBytes: values["sink.inFlightBytes"],
    poisonBatch: values["sink.poisonBatch"],
    commitIntervalMs: values["sink.commitIntervalMs"],
    drainDeadlineMs: values["sink.drainDeadlineMs"],
    retryBackoff: { baseMs: values["sink.retryBaseMs"], maxMs: values["sink.retryMaxMs"] },
    reportIntervalMs: values["sink.reportIntervalMs"],
  };
}

function routesOf(values: Values): readonly SinkRoute[] {
  const { "sink.topic": topic, "sink.collection": collection, "sink.routes": routes = [] } = values;
  return topic === undefined ? routes : [{ topic, collection: collection ?? topic }, ...routes];
}

function mongoOptions(values: Values) {
  const url = required(values, "mongo.url");
  const database = values["mongo.database"] ?? (namesDatabase(url) ? undefined : DEFAULT_DATABASE);
  return {
    url,
    database,
    maxPoolSize: values["mongo.maxPoolSize"],
    serverSelectionTimeoutMs: values["mongo.serverSelectionTimeoutMs"],
    writeTimeoutMs: values["mongo.writeTimeoutMs"],
  };
}

function namesDatabase(url: string): boolean {
  return /^[^/]+\/\/[^/?]+\/[^?]/.test(url);
}
