import { Command } from "commander";
import type { Logger } from "pino";
import type { Values } from "../config/option-table.ts";
import { type SinkOptions, sinkGroupOf } from "../sink/options.ts";
import { sinkVitals } from "../sink/vitals.ts";
import { type CliContext, prepare } from "./context.ts";
import { addFlags } from "./flags.ts";
import { fetchOptions, groupOptions, kafkaOptions } from "./kafka-options.ts";
import { boundHeap } from "./memory.ts";
import { serve } from "./serve.ts";
import { openTarget, readingOf, routesOf, settingsInForce, sinkOptions } from "./sink-options.ts";
import { untilStopped } from "./stop-signals.ts";

/** What closing the database, leaving the group and disconnecting may take, on top of the drain. */
export const LEAVING_MS = 15_000;

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
  const [{ assembleSink }, { newSinkStats }, { Ping }, { metered, WriteMeter }] = await Promise.all([
    import("../sink/assemble.ts"),
    import("../sink/stats.ts"),
    import("../sink/ping.ts"),
    import("../sink/write-sums.ts"),
  ]);
  const routes = routesOf(values);
  const group = values["sink.group"] ?? sinkGroupOf(routes);
  await using target = await openTarget(values);
  const stats = newSinkStats();
  const meter = new WriteMeter();
  const ping = new Ping(() => target.check());
  const settings = settingsInForce(values, target);
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
  await assembleSink(
    {
      kafka: kafkaOptions(values),
      topics: routes.map(({ topic }) => topic),
      group: groupOptions(values, group),
      fetch: fetchOptions(values),
      deadLetterSuffix: values["sink.deadLetterSuffix"],
      ...(await readingOf(values, routes, target)),
      target,
      stats,
      ...(serving === undefined ? {} : { observer: serving.watched }),
      log,
      signal,
    },
    options,
  );
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
