import { SpillwayError } from "../errors.ts";
import type { Brokers } from "../kafka/cluster.ts";
import type { TopicDescription } from "../kafka/describe.ts";
import { peek } from "../kafka/peek.ts";
import { withDeadline } from "../runtime/deadline.ts";
import type { Sample, SampleLimits } from "./sample.ts";
import type { SampleCounter } from "./sample-counter.ts";
import { type OffsetRange, windowsOf } from "./slices.ts";

/** Less than this is mostly less than a batch. */
const LEAST_PARTITION_BYTES = 16 * 1024;

/**
 * Reads a little of each window of each partition, until a bound is reached. What can't be read now is left out: a
 * sample of the others is better than none.
 * @throws the signal's reason once that is aborted
 */
export async function readSample(
  brokers: Brokers,
  source: TopicDescription,
  ranges: readonly OffsetRange[],
  of: Sample["of"],
  { counter, limits, signal }: { counter: SampleCounter; limits: SampleLimits; signal: AbortSignal },
): Promise<Sample> {
  const windows = windowsOf(ranges, limits.windows);
  const slices = Math.max(1, windows.flat().length);
  const most = Math.ceil(limits.records / slices);
  const partitionBytes = Math.max(LEAST_PARTITION_BYTES, Math.floor(limits.bytes / slices));
  const leaders = new Map(source.partitions.map(({ partition, leader }) => [partition, leader]));
  const endsAt = performance.now() + limits.ms;
  const left = () => {
    const { bytes, records } = counter;
    return bytes < limits.bytes && records < limits.records ? endsAt - performance.now() : 0;
  };

  /** Of one window and leader; true if all of it was read. */
  const readSlices = async (leader: number, wanted: readonly OffsetRange[]): Promise<boolean> => {
    let open = wanted;
    while (open.length > 0 && left() > 0) {
      const positions = open.map(({ partition, begin: offset }) => ({ ...source, partition, offset }));
      const bounds = { partitionBytes, responseBytes: Math.max(partitionBytes, limits.bytes - counter.bytes) };
      const found = await withDeadline(peek(brokers, leader, positions, bounds), left(), "Reading a sample");
      for (const fetched of found) {
        const slice = open.find(({ partition }) => partition === fetched.partition);
        if (slice !== undefined) counter.add(fetched, slice, most);
      }
      if (found.length === 0) return false;
      // A batch that didn't fit comes when it is the first.
      open = open.filter(({ partition }) => !found.some((fetched) => fetched.partition === partition));
    }
    return open.length === 0;
  };

  let [read, missing] = [0, false];
  for (const [i, window] of windows.entries()) {
    signal.throwIfAborted();
    if (left() <= 0) missing = true;
    else read++;
    // The first in a request is always served, whatever its size: another one each time.
    const turned = window.map((_, at) => window[(at + i) % window.length] as OffsetRange);
    const led = Map.groupBy(turned, ({ partition }) => leaders.get(partition) ?? -1);
    const reading = [...led].map(([leader, wanted]) => readSlices(leader, wanted).catch(leftOut));
    if ((await Promise.all(reading)).includes(false)) missing = true;
  }
  return counter.finish(of, read, missing);
}

function leftOut(error: unknown): boolean {
  if (error instanceof SpillwayError) return false;
  throw error;
}
