import { Brokers, partitionsOf } from "../kafka/cluster.ts";
import type { ControlOptions } from "../kafka/control-topic.ts";
import { offsetsOfGroup } from "../kafka/group-offsets.ts";
import { EARLIEST, LATEST, offsetsAt, topicMissing } from "../kafka/offsets.ts";
import { type Position, partitionKey } from "../kafka/topic-partition.ts";
import { retry } from "../runtime/backoff.ts";
import { readJobState } from "./job.ts";
import { type RelayName, readSettings, type Settings } from "./settings.ts";

/** What can be seen of a relay from outside, whether it runs or not. As JSON says it: offsets in quotes. */
export interface RelayLook extends RelayName {
  /** What it was told. */
  readonly settings: Settings;
  /** Of the unfinished job, or the last one. */
  readonly job: { readonly startedAt: string; readonly finishedAt: string | null } | null;
  readonly partitions: readonly {
    readonly partition: number;
    /** Null where nothing is committed. */
    readonly committed: string | null;
    /** The job's end, or that of the log. */
    readonly end: string;
    readonly left: string;
  }[];
}

const LIMITS = { backoff: { baseMs: 50, maxMs: 1_000 }, deadlineMs: 30_000 };

/** @throws SpillwayError TOPIC_MISSING, BROKER_UNREACHABLE, NOT_AUTHORIZED */
export async function lookAtRelay(relay: RelayName, control: ControlOptions): Promise<RelayLook> {
  const { source, group } = relay;
  const { kafka, log, signal } = control;
  await using brokers = new Brokers(kafka, log);
  await brokers.connect(signal, log);
  const [topic] = await brokers.topics([source]);
  if (topic === undefined) throw topicMissing(source);
  const partitions = partitionsOf(topic);
  const limits = { ...LIMITS, signal };
  const at = async (timestamp: bigint) =>
    byPartition(await retry(() => offsetsAt(brokers, partitions, timestamp, "read_committed"), limits));
  const committed = byPartition(await retry(() => offsetsOfGroup(brokers, group, partitions), limits));
  const [starts, ends] = [await at(EARLIEST), await at(LATEST)];
  const job = await readJobState(relay, control);
  const isUnderWay = job !== undefined && job.finishedAt === undefined;
  return {
    ...relay,
    settings: await readSettings(relay, control),
    job: job === undefined ? null : { startedAt: job.startedAt, finishedAt: job.finishedAt ?? null },
    partitions: partitions.map((place) => {
      const stands = committed.get(partitionKey(place));
      const from = stands ?? starts.get(partitionKey(place)) ?? 0n;
      const jobEnd = isUnderWay ? BigInt(job.ends[place.partition] ?? from) : undefined;
      const end = jobEnd ?? ends.get(partitionKey(place)) ?? from;
      return {
        partition: place.partition,
        committed: stands === undefined ? null : String(stands),
        end: String(end),
        left: String(end > from ? end - from : 0n),
      };
    }),
  };
}

/** For people. */
export function statusTable({ source, group, settings, job, partitions }: RelayLook): string {
  const { recordsPerSecond, bytesPerSecond, paused } = settings;
  const limits = [
    ...(paused === true ? ["paused"] : []),
    ...limit(recordsPerSecond, "records"),
    ...limit(bytesPerSecond, "bytes"),
  ];
  const left = partitions.reduce((sum, partition) => sum + BigInt(partition.left), 0n);
  const rows = [["partition", "committed", "end", "left"]];
  for (const { partition, committed, end, left: behind } of partitions) {
    rows.push([String(partition), committed ?? "-", end, behind]);
  }
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return [
    `relay of ${source} by group ${group}: ${left} records left`,
    `told: ${limits.length === 0 ? "nothing" : limits.join(", ")}`,
    ...(job === null
      ? []
      : [`job: begun ${job.startedAt}, ${job.finishedAt === null ? "under way" : `done ${job.finishedAt}`}`]),
    ...rows.map((row) => row.map((cell, column) => cell.padStart(widths[column] ?? 0)).join("  ")),
  ].join("\n");
}

function limit(perSecond: number | null | undefined, unit: string): string[] {
  if (perSecond === undefined) return [];
  return [perSecond === null ? `no limit of ${unit}` : `${perSecond} ${unit}/s at most`];
}

function byPartition(
  positions: readonly Pick<Position, "topic" | "partition" | "offset">[],
): ReadonlyMap<string, bigint> {
  return new Map(positions.map((position) => [partitionKey(position), position.offset]));
}
