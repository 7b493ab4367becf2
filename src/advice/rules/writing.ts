import { type Advice, changing, type Effect } from "../advice.ts";
import { capacityOf } from "../capacity.ts";
import type { SinkSettings } from "../facts.ts";
import type { Load } from "../load.ts";
import { plannedFor } from "../plan.ts";
import { amount, figure } from "../words.ts";

/** Batch, writers and what is in flight, where a group writes as much as it can by its settings. */
export function writing(load: Load): readonly Advice[] {
  const { settings, cost, isSaturated } = load;
  if (!isSaturated) return [];
  const planned = plannedFor(load, cost);
  const effectOf = (then: SinkSettings): Effect | undefined => {
    if (cost === undefined) return undefined;
    // More writers come with their connections.
    const connected = then.writers > settings.writers ? Math.max(then.writers, then.connections) : then.connections;
    const to = capacityOf({ ...then, connections: connected }, load, cost);
    return { of: "records/s at most", from: load.recordsPerSecond, to };
  };
  const mean = `A write takes ${figure(cost?.ms ?? 0)} ms for ${amount(cost?.records ?? 0, "record")}`;
  const busy = `${figure(load.writersBusy)} of ${amount(settings.writers * load.instances, "writer")} are busy at any time`;

  const batched = { ...settings, batchRecords: planned.batchRecords };
  const isLarger = batched.batchRecords > settings.batchRecords;
  const batch = changing(isLarger ? "BATCH_SMALL" : "BATCH_UNFILLED", settings, batched, {
    why: isLarger
      ? `${mean}, and ${busy}: in a larger batch more records share the fixed part of a write`
      : "Writers can't fill such batches from what may be in flight: with fixed batching they would wait for the time-out",
    effect: effectOf(batched),
  });
  const widened = { ...batched, writers: planned.writers };
  const writers = changing("WRITERS_FEW", batched, widened, {
    why: `${mean}, and ${busy}: the way there and back of one overlaps with the work on another. More writers need no more partitions`,
    effect: effectOf(widened),
  });
  const flying = { ...widened, inFlightRecords: planned.inFlightRecords };
  const extraMiB = ((flying.inFlightRecords - settings.inFlightRecords) * load.bytesPerRecord) / 1024 ** 2;
  const inFlight = changing("IN_FLIGHT_SMALL", widened, flying, {
    why:
      `${amount(widened.writers, "writer")} with a batch of ${figure(widened.batchRecords)} being written and others gathering ` +
      `need more in flight. It costs up to ${figure(Math.max(0.1, extraMiB))} MiB of records an instance, some times that as objects`,
    effect: effectOf(flying),
  });
  return [...batch, ...writers, ...inFlight];
}

/** Every writer needs a connection of its own. @param settings with the writers that there will be */
export function connections(
  { settings: before, isSaturated, recordsPerSecond }: Load,
  settings: SinkSettings,
): readonly Advice[] {
  const { writers, connections: given } = settings;
  if (given >= writers) return [];
  const most = (recordsPerSecond * writers) / given;
  return changing(
    "CONNECTIONS_FEW",
    settings,
    { connections: writers },
    {
      why: `${amount(writers, "writer")} share ${amount(given, "connection")}: the others wait for one`,
      effect:
        isSaturated && given < before.writers
          ? { of: "records/s at most", from: recordsPerSecond, to: { least: recordsPerSecond, most } }
          : undefined,
    },
  );
}
