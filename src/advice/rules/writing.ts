import { type Advice, changing, type Effect } from "../advice.ts";
import { capacityOf } from "../capacity.ts";
import type { SinkSettings } from "../facts.ts";
import type { Load } from "../load.ts";
import { plannedFor } from "../plan.ts";
import { amount, figure } from "../words.ts";

/** Batch, lanes and what is in flight, where a group writes as much as it can by its settings. */
export function writing(load: Load): readonly Advice[] {
  const { settings, cost, isSaturated } = load;
  if (!isSaturated) return [];
  const planned = plannedFor(load, cost);
  const effectOf = (then: SinkSettings): Effect | undefined => {
    if (cost === undefined) return undefined;
    // More lanes come with their connections.
    const connected = then.lanes > settings.lanes ? Math.max(then.lanes, then.connections) : then.connections;
    const to = capacityOf({ ...then, connections: connected }, load, cost);
    return { of: "records/s at most", from: load.recordsPerSecond, to };
  };
  const mean = `A write takes ${figure(cost?.ms ?? 0)} ms for ${amount(cost?.records ?? 0, "record")}`;
  const lanes = `${figure(load.lanesBusy)} of ${amount(settings.lanes * load.instances, "lane")} are writing at any time`;

  const batched = { ...settings, batchRecords: planned.batchRecords };
  const isLarger = batched.batchRecords > settings.batchRecords;
  const batch = changing(isLarger ? "BATCH_SMALL" : "BATCH_UNFILLED", settings, batched, {
    why: isLarger
      ? `${mean}, and ${lanes}: in a larger batch more records share the fixed part of a write`
      : "Lanes can't fill such batches from what may be in flight: with fixed batching they would wait for the time-out",
    effect: effectOf(batched),
  });
  const laned = { ...batched, lanes: planned.lanes };
  const lane = changing("LANES_FEW", batched, laned, {
    why: `${mean}, and ${lanes}: the way there and back of one overlaps with the work on another. More lanes need no more partitions`,
    effect: effectOf(laned),
  });
  const flying = { ...laned, inFlightRecords: planned.inFlightRecords };
  const extraMiB = ((flying.inFlightRecords - settings.inFlightRecords) * load.bytesPerRecord) / 1024 ** 2;
  const inFlight = changing("IN_FLIGHT_SMALL", laned, flying, {
    why:
      `${amount(laned.lanes, "lane")} with a batch of ${figure(laned.batchRecords)} being written and others gathering ` +
      `need more in flight. It costs up to ${figure(Math.max(0.1, extraMiB))} MiB of records an instance, some times that as objects`,
    effect: effectOf(flying),
  });
  return [...batch, ...lane, ...inFlight];
}

/** Every lane needs a connection of its own. @param settings with the lanes that there will be */
export function connections(
  { settings: before, isSaturated, recordsPerSecond }: Load,
  settings: SinkSettings,
): readonly Advice[] {
  const { lanes, connections: given } = settings;
  if (given >= lanes) return [];
  const most = (recordsPerSecond * lanes) / given;
  return changing(
    "CONNECTIONS_FEW",
    settings,
    { connections: lanes },
    {
      why: `${amount(lanes, "lane")} share ${amount(given, "connection")}: the others wait for one`,
      effect:
        isSaturated && given < before.lanes
          ? { of: "records/s at most", from: recordsPerSecond, to: { least: recordsPerSecond, most } }
          : undefined,
    },
  );
}
