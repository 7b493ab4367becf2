import type { Facts, TargetFacts } from "../facts.ts";
import { type Finding, finding } from "../finding.ts";
import type { TopicSettings } from "../settings.ts";
import { type Space, spaceNeeded } from "../space.ts";
import { bytesInWords, timeInWords } from "../words.ts";
import type { Check } from "./check.ts";

/** Slow for a relay (docs/benchmarks.md): what is kept for less than this takes is gone before it is read. */
const SLOW_BYTES_PER_MS = 10_000;
/** Readers of the target need some time, too. */
const ROOM_FOR_READERS = 2;

/** Whether the targets keep what they get, as long as the source does and until it is read. */
export const checkRetention: Check = (facts, options) => {
  const { sample, source, sourceSettings } = facts;
  const space = spaceNeeded(facts, options.replicationFactor);
  const findings: Finding[] = [];
  if (sample.kind === "known" && sample.value.keylessWeight > 0 && sourceSettings.kind === "known") {
    if (sourceSettings.value.isCompacted) {
      findings.push(
        finding("warning", "SOURCE_COMPACTS_KEYLESS", {
          what: `${source.topic} is compacted and holds records without a key`,
          why: "compaction removes them: some may be gone before they are relayed",
          action: "take `compact` from its cleanup.policy until the relay has caught up",
          context: { topic: source.topic },
        }),
      );
    }
  }
  for (const target of facts.targets) {
    if (target.settings.kind === "unknown") continue;
    findings.push(...compaction(target, target.settings.value, facts));
    if (target.settings.value.isDeleting) findings.push(...deletion(target, target.settings.value, facts, space));
  }
  return findings;
};

function compaction({ topic, found }: TargetFacts, settings: TopicSettings, facts: Facts): readonly Finding[] {
  const { sample, sourceSettings } = facts;
  const isNew = found === undefined;
  if (!settings.isCompacted) {
    const source = sourceSettings.kind === "known" ? sourceSettings.value : undefined;
    if (source?.isCompacted !== true || source.isDeleting) return [];
    return [
      finding("warning", "TARGET_NOT_COMPACTED", {
        what: `${topic} is not compacted, as the source is`,
        why: "the source keeps the last record of each key for good; the target deletes by age or size, or grows without end",
        action: isNew ? "make it before, with cleanup.policy=compact" : "set its cleanup.policy to compact",
        context: { topic },
      }),
    ];
  }
  const keyless = sample.kind === "known" ? (sample.value.targets.get(topic)?.keylessRecords ?? 0) : 0;
  if (keyless > 0) {
    return [
      finding("error", "COMPACTED_TARGET_KEYLESS", {
        what: `${topic} is compacted, and records without a key would go there: ${keyless} in the sample`,
        why: "a compacted topic refuses records without a key",
        action: "take `compact` from its cleanup.policy, give the records a key (`keyed by`), or divert them",
        context: { topic, records: keyless },
        failure: "PROTOCOL",
      }),
    ];
  }
  if (sourceSettings.kind === "known" && sourceSettings.value.isCompacted) return [];
  return [
    finding("warning", "TARGET_COMPACTED", {
      what: `${topic} is compacted, and the source is not`,
      why: "all records of a key but the last are removed from it, read or not",
      action: "set its cleanup.policy to delete, unless only the last record of a key matters",
      context: { topic },
    }),
  ];
}

function deletion(
  { topic, partitions, found }: TargetFacts,
  settings: TopicSettings,
  { sample, sourceSettings, nowMs }: Facts,
  space: Space | undefined,
): readonly Finding[] {
  const findings: Finding[] = [];
  const { retentionMs, retentionBytes, isLogAppendTime } = settings;
  const how = found === undefined ? "would be made with" : "has";
  const oldest = sample.kind === "known" ? sample.value.targets.get(topic)?.oldest : undefined;
  const age = oldest === undefined || isLogAppendTime ? 0 : nowMs - oldest;
  const bytes = space?.targets.find((target) => target.topic === topic)?.bytes ?? 0;
  const takesMs = (space?.backlogBytes ?? 0) / SLOW_BYTES_PER_MS;
  const source = sourceSettings.kind === "known" ? sourceSettings.value : undefined;
  if (age > retentionMs) {
    findings.push(
      finding("warning", "RETENTION_DELETES_AT_ONCE", {
        what: `${topic} ${how} a retention of ${timeInWords(retentionMs)}, and records of the sample are ${timeInWords(age)} old`,
        why: "records keep their timestamps on their way: a broker deletes them as soon as their segment is closed, read or not",
        action: "raise retention.ms of the target until all of it is read",
        context: { topic, retentionMs, oldestMs: age },
      }),
    );
  } else if (ROOM_FOR_READERS * takesMs + age > retentionMs) {
    findings.push(
      finding("warning", "RETENTION_SHORT", {
        what: `${topic} ${how} a retention of ${timeInWords(retentionMs)}; at 10 MB/s the backlog takes ${timeInWords(takesMs)}, and its readers take as long`,
        why: "what is deleted before it is read is lost to its readers",
        action: "raise retention.ms of the target until all of it is read",
        context: { topic, retentionMs, oldestMs: age, takesMs },
      }),
    );
  } else if (source !== undefined && retentionMs < source.retentionMs && source.isDeleting) {
    findings.push(
      finding("warning", "RETENTION_SHORTER", {
        what: `${topic} ${how} a retention of ${timeInWords(retentionMs)}, the source ${Number.isFinite(source.retentionMs) ? timeInWords(source.retentionMs) : "has none"}`,
        why: "whoever reads the target instead of the source can't go back as far",
        action: "set retention.ms of the target to that of the source",
        context: {
          topic,
          retentionMs,
          sourceRetentionMs: Number.isFinite(source.retentionMs) ? source.retentionMs : -1,
        },
      }),
    );
  }
  const each = bytes / partitions;
  if (each > retentionBytes) {
    findings.push(
      finding("warning", "RETENTION_BYTES_SHORT", {
        what: `${topic} ${how} a retention of ${bytesInWords(retentionBytes)} a partition, and the backlog brings some ${bytesInWords(each)} to each`,
        why: "the beginning of the backlog is deleted while the rest of it comes in, read or not",
        action: "raise retention.bytes of the target until all of it is read, or take more partitions",
        context: { topic, retentionBytes, partitionBytes: each },
      }),
    );
  }
  return findings;
}
