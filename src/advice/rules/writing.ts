import { type Advice, changing } from "../advice.ts";
import { capacityOf } from "../capacity.ts";
import type { SinkSettings } from "../facts.ts";
import type { Load } from "../load.ts";
import { plannedFor } from "../plan.ts";
import { amount, figure } from "../words.ts";

/** Batch, lanes and what is in flight, where a group writes as much as it can by its settings. */
export function writing(load: Load): readonly Advice[] {
  const { settings, cost, isSaturated } = load;
  if (!isSaturated || cost === undefined) return [];
  const planned = plannedFor(load, cost);
  const effectOf = (then: SinkSettings) => ({
    of: "records/s at most" as const,
    from: load.recordsPerSecond,
    to: capacityOf(then, load, cost),
  });
  const mean = `A write takes ${figure(cost.ms)} ms for ${amount(cost.records, "record")}`;
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
  const isMore = laned.lanes > settings.lanes;
  const lane = changing(isMore ? "LANES_FEW" : "LANES_MANY", batched, laned, {
    why: isMore
      ? `${mean}, and ${lanes}: most of that time the database waits for the next batch. Lanes need no more partitions`
      : `Batches hold ${figure(cost.records)} of ${amount(settings.batchRecords, "record")}, since so many lanes share what is in flight: fewer write fuller ones`,
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
  return [batch, lane, inFlight].filter((advice) => advice !== undefined);
}

/** Every lane needs a connection of its own. @param settings with the lanes that there will be */
export function connections(load: Load, settings: SinkSettings): readonly Advice[] {
  const { cost, recordsPerSecond, isSaturated } = load;
  if (settings.connections >= settings.lanes) return [];
  const then = { ...settings, connections: settings.lanes };
  const effect =
    cost === undefined || !isSaturated
      ? undefined
      : { of: "records/s at most" as const, from: recordsPerSecond, to: capacityOf(then, load, cost) };
  const why = `${amount(settings.lanes, "lane")} share ${amount(settings.connections, "connection")}: the others wait for one`;
  const advice = changing("CONNECTIONS_FEW", settings, then, { why, effect });
  return advice === undefined ? [] : [advice];
}
