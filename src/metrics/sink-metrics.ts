import { Histogram, type Registry } from "prom-client";
import type { Left, SinkObserver } from "../sink/observer.ts";
import type { SinkStats } from "../sink/stats.ts";
import { counter, counters, gauge, partitionGauge } from "./pulled.ts";

const PREFIX = "spillway_sink_";
const SECONDS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const RECORDS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000];

/** Shows what a sink counts; what it returns is to be told of every write. */
export function watchSink(registry: Registry, stats: SinkStats): SinkObserver {
  const named = (name: string, help: string) => ({ registry, name: PREFIX + name, help });
  counter(named("records_read_total", "Records read"), () => stats.recordsRead);
  counter(named("records_written_total", "Records written to the database"), () => stats.recordsWritten);
  counter(
    named("records_already_written_total", "Records that were found there: replays"),
    () => stats.recordsAlreadyWritten,
  );
  counter(
    named("records_replaced_total", "Records not written, since a newer state of their key was"),
    () => stats.recordsReplaced,
  );
  counter(
    named("records_dead_lettered_total", "Records that went to the dead-letter topic"),
    () => stats.recordsDeadLettered,
  );
  counter(
    named("records_parked_total", "Of the dead letters, those that follow one of their key"),
    () => stats.recordsParked,
  );
  counter(
    named("records_redriven_total", "Records of parked keys that were written from the dead letters"),
    () => stats.recordsRedriven,
  );
  gauge(
    named("keys_parked", "Keys whose records go to the dead-letter topic until they are redriven"),
    () => stats.keysParked,
  );
  counter(
    named("batch_parts_skipped_total", "Pieces of batches that could not be read, skipped in a dead-letter topic"),
    () => stats.batchPartsSkipped,
  );
  counter(
    named("dead_letter_batches_total", "Record batches that could not be read, now dead letters"),
    () => stats.batchesDeadLettered,
  );
  counter(named("offsets_lost_total", "Offsets that retention took before they were read"), () => stats.offsetsLost);
  counter(named("batches_total", "Attempts to write a batch"), () => stats.batches);
  counters(
    named("retries_total", "Attempts that met an error which passes: all of a batch (away), or a part of it"),
    ["class"],
    () => [
      [{ class: "away" }, stats.retriesWhileAway],
      [{ class: "part" }, stats.retries - stats.retriesWhileAway],
    ],
  );
  counter(named("rebalances_total", "Generations of the group that were joined"), () => stats.rebalances);
  gauge(named("in_flight_records", "Records read and not yet written"), () => stats.recordsInFlight);
  gauge(named("in_flight_bytes", "Bytes of records read and not yet written"), () => stats.bytesInFlight);
  gauge(named("outage_seconds", "How long the database has been away; 0 while it is there"), () =>
    stats.awaySince === undefined ? 0 : (Date.now() - stats.awaySince) / 1_000,
  );
  let left: () => readonly Left[] = () => [];
  partitionGauge(
    named("left_offsets", "Offsets not yet written, up to the end of the log when it was last read from"),
    () => left().map(({ topic, partition, offsets }) => ({ topic, partition, value: Number(offsets) })),
  );
  const histogram = (name: string, help: string, buckets: readonly number[]) =>
    new Histogram({ name: PREFIX + name, help, registers: [registry], buckets: [...buckets] });
  const writes = histogram("write_seconds", "One attempt to write a batch", SECONDS);
  const sizes = histogram("batch_records", "Operations of one attempt", RECORDS);
  const processing = histogram("processing_seconds", "From when records were read to their outcome", SECONDS);
  return {
    wrote(operations, milliseconds) {
      writes.observe(milliseconds / 1_000);
      sizes.observe(operations);
    },
    finished: (milliseconds) => processing.observe(milliseconds / 1_000),
    began(current) {
      left = current;
    },
  };
}
