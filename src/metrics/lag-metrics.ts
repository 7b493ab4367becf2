import type { Registry } from "prom-client";
import type { LatestLook } from "../lag/latest-look.ts";
import type { GroupLagReport, PartitionLagReport } from "../lag/report.ts";
import { counter, gauge, gauges } from "./pulled.ts";

const PREFIX = "spillway_lag_";
const OF_PARTITION = ["group", "topic", "partition"] as const;

/**
 * Shows how far groups are behind. Each has as many series as it has partitions, times the metrics; what isn't known has
 * none, and a report that is too old shows nothing.
 */
export function watchLagReports(registry: Registry, latest: LatestLook): void {
  const named = (name: string, help: string) => ({ registry, name: PREFIX + name, help });
  const groups = () => latest.report?.groups ?? [];
  const ofGroups = (value: (group: GroupLagReport) => number | undefined) => () =>
    groups().flatMap((group) => shown({ group: group.group }, value(group)));
  const ofPartitions = (value: (partition: PartitionLagReport) => number | undefined) => () =>
    groups().flatMap(({ group, partitions }) =>
      partitions.flatMap((one) => shown({ group, topic: one.topic, partition: one.partition }, value(one))),
    );

  gauges(
    named("messages", "Records that the group can read and has not committed"),
    OF_PARTITION,
    ofPartitions(({ messages }) => messages.messages),
  );
  gauges(
    named("estimated", "1 where the number of messages is an estimate, 0 where they were counted"),
    OF_PARTITION,
    ofPartitions(({ messages }) => (messages.exact ? 0 : 1)),
  );
  gauges(
    named("seconds", "Age of the oldest of them by its own timestamp; none where it isn't known"),
    OF_PARTITION,
    ofPartitions(({ seconds }) => seconds),
  );
  gauges(
    named("arrival_offsets_per_second", "Offsets written per second, of the last minute"),
    OF_PARTITION,
    ofPartitions(({ arrival }) => arrival?.perSecond),
  );
  gauges(
    named("consumption_offsets_per_second", "Offsets committed per second, of the last minute"),
    OF_PARTITION,
    ofPartitions(({ consumption }) => consumption?.perSecond),
  );
  gauges(
    named("retention_seconds", "Until retention may delete the oldest unread record; none where it never does"),
    OF_PARTITION,
    ofPartitions(({ untilDeleted }) => (untilDeleted.kind === "in" ? untilDeleted.seconds : undefined)),
  );
  gauges(named("status", "1 for the status that the group has in the partition"), [...OF_PARTITION, "status"], () =>
    groups().flatMap(({ group, partitions }) =>
      partitions.map(({ topic, partition, status }) => [{ group, topic, partition, status }, 1] as const),
    ),
  );
  gauges(
    named("members", "Members of the group; none where they can't be counted"),
    ["group"],
    ofGroups(({ members }) => members),
  );
  gauges(
    named("partitions", "Partitions in which the group has committed something"),
    ["group"],
    ofGroups(({ partitions }) => partitions.length),
  );
  gauges(
    named("uncommitted_partitions", "Partitions of its topics in which the group has committed nothing"),
    ["group"],
    ofGroups(({ uncommitted }) => uncommitted),
  );
  gauge(
    named("unseen", "Groups and partitions of which the last look could see nothing"),
    () => latest.report?.unseen.length,
  );
  counter(named("looks_total", "Looks at all groups"), () => latest.looks.whole);
  counter(named("failed_looks_total", "Looks that failed, or were not done in time"), () => latest.looks.failed);
  gauge(named("look_age_seconds", "Since the last look that did not fail"), () => latest.looks.ageSeconds);
}

function shown<Labels>(labels: Labels, value: number | undefined): (readonly [Labels, number])[] {
  return value === undefined ? [] : [[labels, value]];
}
