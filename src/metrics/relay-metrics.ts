import type { Registry } from "prom-client";
import type { Watched } from "../relay/status.ts";
import { counter, gauge, partitionGauge } from "./pulled.ts";

const PREFIX = "spillway_relay_";

/** Shows what a relay counts. */
export function watchRelay(registry: Registry, { options, pace, progress, stats }: Watched): void {
  const named = (name: string, help: string) => ({ registry, name: PREFIX + name, help });
  counter(named("records_read_total", "Records read from the source"), () => stats.recordsRead);
  counter(named("records_written_total", "Records acknowledged in the targets"), () => stats.recordsWritten);
  counter(named("bytes_written_total", "Bytes of acknowledged batches"), () => stats.bytesWritten);
  counter(named("records_dropped_total", "Records that a rule told to drop"), () => stats.recordsDropped);
  counter(named("transactions_total", "Transactions committed"), () => stats.transactions);
  counter(
    named("delivery_failures_total", "Deliveries begun anew after a failure, their transactions aborted"),
    () => stats.deliveryFailures,
  );
  counter(
    named("dead_letter_batches_total", "Record batches that could not be read, now dead letters"),
    () => stats.batchesDeadLettered,
  );
  counter(named("offsets_lost_total", "Offsets that retention took before they were read"), () => stats.offsetsLost);
  counter(named("rebalances_total", "Generations of the group that were joined"), () => stats.rebalances);
  gauge(named("paused", "1 while it was told to stand still"), () => (pace.limits.paused === true ? 1 : 0));
  gauge(
    named("limit_records_per_second", "The limit of all instances together; none where there is no value"),
    () => pace.limits.recordsPerSecond ?? undefined,
  );
  gauge(
    named("yielding_records_per_second", "What this instance may do while it gives way to another group"),
    () => pace.ceiling,
  );
  const of = (value: (partition: ReturnType<typeof progress.read>[number]) => number) => () =>
    progress.read().map((one) => ({ topic: options.source, partition: one.partition, value: value(one) }));
  partitionGauge(
    named("left_offsets", "Offsets up to the end: of the job, or of the log"),
    of(({ left }) => Number(left)),
  );
  partitionGauge(
    named("offsets_per_second", "Offsets relayed per second, of the last minute"),
    of(({ perSecond }) => perSecond),
  );
}
