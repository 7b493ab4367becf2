import { SINK_DEFAULTS } from "../../sink/options.ts";
import { type Advice, note } from "../advice.ts";
import type { Facts } from "../facts.ts";
import type { Load } from "../load.ts";
import { amount, figure, percent } from "../words.ts";
import { writeMs } from "../write-cost.ts";

/** JavaScript runs on one core; this much of it is all of it. */
const ONE_CORE = 0.9;
/** So many times its even share is worth a word. */
const UNEVEN = 2;
/** A key with half of the records bounds whoever has more writers than two, or would. */
const USUAL_WRITERS = 4;

/** What no setting of the sink changes. `changed`: some setting still does. */
export function limits(load: Load, facts: Facts, changed: boolean): readonly Advice[] {
  const isPressed = load.isSaturated || load.isBehind;
  return [
    ...(isPressed ? [...hotKey(load), ...processLimit(load, facts)] : []),
    ...(load.isSaturated && !changed ? databaseLimit(load) : []),
    ...idleInstances(facts),
    ...unevenPartitions(facts),
  ];
}

function hotKey({ hotKey: hot, cost, settings, instances }: Load): readonly Advice[] {
  const writers = Math.max(USUAL_WRITERS, settings.writers * instances);
  if (hot === undefined || cost === undefined || hot.share * writers < UNEVEN) return [];
  const laneMost = (1_000 * settings.batchRecords) / writeMs(cost, settings.batchRecords, cost.perRecordMs.least);
  return [
    note("HOT_KEY", {
      why:
        `Key ${JSON.stringify(hot.key)} has ${percent(hot.share)} of the records, and keeps its order by going through one lane, which is written by one writer at a time: ` +
        `${figure(laneMost)} records/s of it at most, ${figure(laneMost / hot.share)} of all. More writers, partitions or instances don't help`,
      action: "Give its records a finer key, or have a relay divert them to a topic of their own",
    }),
  ];
}

function databaseLimit(load: Load): readonly Advice[] {
  const { cost, writersBusy, recordsPerSecond, instances, settings, isDatabaseBound } = load;
  if (cost === undefined || !isDatabaseBound) return [];
  const busyMs = cost.perRecordMs.least * cost.records;
  const fewer =
    settings.writers >= 2 * SINK_DEFAULTS.writers
      ? `Try ${settings.writers >> 1} writers: they write fuller batches, which some databases like better. `
      : "";
  return [
    note("DATABASE_LIMIT", {
      why:
        `Of a write's ${figure(cost.ms)} ms at least ${figure(busyMs)} are the database's work on ${amount(cost.records, "record")}, and ` +
        `${figure(writersBusy)} of ${amount(settings.writers * instances, "writer")} wait for it at any time: it writes ${figure(recordsPerSecond)} records/s. ` +
        "More writers, partitions or instances only wait longer, unless it has cores and disk to spare",
      action:
        fewer +
        "Look at the database's CPU, disk and indexes; under a backfill have a relay divert the flood, so that live records don't wait behind it",
    }),
  ];
}

function processLimit({ cores, instances }: Load, { partitions, members = instances }: Facts): readonly Advice[] {
  if (cores < ONE_CORE) return [];
  const count = partitions.length;
  return [
    note("PROCESS_LIMIT", {
      why: `An instance uses ${figure(cores)} processor cores, and its own code runs on one`,
      action:
        members < count
          ? `Start more instances: ${amount(count, "partition")} are enough for ${figure(count)}, and there are ${figure(members)}`
          : `Its ${amount(count, "partition")} have an instance each: have a relay move them to a topic with more. Partitions aren't free, so no more than instances are to be`,
    }),
  ];
}

function idleInstances({ members, partitions }: Facts): readonly Advice[] {
  if (members === undefined || partitions.length === 0 || members <= partitions.length) return [];
  return [
    note("IDLE_INSTANCES", {
      why: `The group has ${figure(members)} members for ${amount(partitions.length, "partition")}: ${figure(members - partitions.length)} of them have nothing to read`,
      action: "Stop those, or have a relay move the records to a topic with more partitions",
    }),
  ];
}

function unevenPartitions({ members, partitions }: Facts): readonly Advice[] {
  const rates = partitions.map(({ arrivalPerSecond }) => arrivalPerSecond ?? 0);
  const all = rates.reduce((sum, rate) => sum + rate, 0);
  const fullest = Math.max(...rates);
  const times = (fullest * rates.length) / all;
  // One instance has them all anyway, and one record a second is chance.
  if ((members ?? 1) < 2 || rates.length < 2 || all < rates.length || times < UNEVEN) return [];
  const at = partitions[rates.indexOf(fullest)];
  return [
    note("UNEVEN_PARTITIONS", {
      why: `${at?.topic}/${at?.partition} gets ${percent(fullest / all)} of the records, ${figure(times)} times an even share: the instance that has it is the group's limit`,
      action: "Look for a hot key, or for a producer with another partitioner: spillway relay --dry-run names them",
    }),
  ];
}
