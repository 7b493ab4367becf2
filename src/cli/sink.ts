import { Command } from "commander";
import type { Logger } from "pino";
import type { Values } from "../config/option-table.ts";
import type { LostOffsets } from "../kafka/source.ts";
import type { SinkOptions } from "../sink/options.ts";
import { sinkVitals } from "../sink/vitals.ts";
import { type CliContext, prepare } from "./context.ts";
import { addFlags } from "./flags.ts";
import { fetchOptions, groupOptions, kafkaOptions } from "./kafka-options.ts";
import { boundHeap } from "./memory.ts";
import { serve } from "./serve.ts";
import { openTarget, readingOf, routesOf, settingsInForce, sinkOptions } from "./sink-options.ts";
import { untilStopped } from "./stop-signals.ts";
import { prepareTopics } from "./topics.ts";

/** What closing the database, leaving the group and disconnecting may take, on top of the drain. */
export const LEAVING_MS = 15_000;
/** Dead letters are few, and their order is worth keeping. */
const DEAD_LETTER_PARTITIONS = 1;
/**
 * A dead letter is a record and its reason, not compressed, so it may be larger than its topic allows for a batch. 64 MiB
 * are room for whatever fits into one of Kafka's requests at their usual limit of 100 MB.
 */
const DEAD_LETTER_CONFIG = { "max.message.bytes": String(64 * 1024 * 1024) };

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
    { assertNoneParked, controlStore },
    { letterReader },
    { GroupMember },
    { LastingProducer },
    { openSource },
    { runSink },
    { newSinkStats },
    { Ping },
    { metered, WriteMeter },
  ] = await Promise.all([
    import("../dead-letter/dead-letter.ts"),
    import("../dead-letter/parked-store.ts"),
    import("../dead-letter/read-letters.ts"),
    import("../kafka/group-member.ts"),
    import("../kafka/lasting-producer.ts"),
    import("../kafka/source.ts"),
    import("../sink/sink.ts"),
    import("../sink/stats.ts"),
    import("../sink/ping.ts"),
    import("../sink/write-sums.ts"),
  ]);
  const kafka = kafkaOptions(values);
  const routes = routesOf(values);
  const topics = routes.map(({ topic }) => topic);
  const group = values["sink.group"] ?? `spillway-sink-${topics.join("-")}`;

  await using target = await openTarget(values);
  const suffix = values["sink.deadLetterSuffix"];
  const deadLetterTopics = topics.map((topic) => topic + suffix);
  await prepareTopics({
    kafka,
    existing: topics,
    made: deadLetterTopics,
    partitions: DEAD_LETTER_PARTITIONS,
    config: {
      ...DEAD_LETTER_CONFIG,
      // What waits for a parked key is nowhere else once its topic has forgotten it.
      ...(options.onDataError === "park-key" ? { "retention.ms": "-1" } : {}),
    },
    log,
    signal,
  });
  if (options.onDataError !== "park-key") await assertNoneParked(group, topics, { kafka, log, signal });
  // Letters of a key go one after the other, so none waits for company. It outlives the signal: what is read by then may still have to go there.
  await using producer = new LastingProducer({ kafka, log, signal: new AbortController().signal, lingerMs: 0 });
  await using member = new GroupMember({ ...groupOptions(values, group), kafka, topics, signal, log });
  log.info({ routes, model: values["sink.model"], group, deadLetterTopics }, "writing to the database");
  const stats = newSinkStats();
  const meter = new WriteMeter();
  const ping = new Ping(() => target.check());
  const settings = settingsInForce(values);
  const serving = await serve(
    values,
    {
      watch: async (registry) =>
        metered((await import("../metrics/sink-metrics.ts")).watchSink(registry, stats), meter),
      vitals: () => sinkVitals(stats),
      status: () => ({
        routes,
        group,
        target: values["sink.target"],
        settings,
        stats,
        writes: meter.sums,
        pingMs: ping.ms,
        cpuSeconds: cpuSeconds(),
      }),
    },
    log,
  );
  await using stack = new AsyncDisposableStack();
  if (serving !== undefined) {
    stack.use(serving);
    stack.use(ping.start());
  }
  const onLost = ({ from, to }: LostOffsets) => {
    stats.offsetsLost += Number(to - from);
  };
  const source = { kafka, log, fetch: fetchOptions(values), onLost };
  await runSink(
    {
      member,
      openSource: (positions, stop) => openSource({ ...source, positions, signal: stop }),
      ...(await readingOf(values, routes)),
      target,
      deadLetters: new DeadLetters(producer, { suffix }),
      parking: { store: controlStore({ kafka, log }, producer), letters: letterReader({ kafka, log }) },
      signal,
      stats,
      ...(serving === undefined ? {} : { observer: serving.watched }),
      log,
    },
    options,
  );
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
