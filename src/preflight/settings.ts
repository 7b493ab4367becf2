import type { ConfigValue } from "../kafka/describe.ts";

/** What is asked of a topic's configuration. The older name of a limit stands behind the newer. */
export const TOPIC_KEYS = [
  "cleanup.policy",
  "compression.type",
  "retention.ms",
  "retention.bytes",
  "max.message.bytes",
  "min.insync.replicas",
  "message.timestamp.type",
  "message.timestamp.before.max.ms",
  "message.timestamp.after.max.ms",
  "message.timestamp.difference.max.ms",
  "unclean.leader.election.enable",
] as const;

/** A topic's configuration, as far as it was told. Limits that aren't set are infinite. */
export interface TopicSettings {
  readonly isCompacted: boolean;
  readonly isDeleting: boolean;
  /** `producer` to keep the codec of the batches. */
  readonly compression: string | undefined;
  readonly retentionMs: number;
  /** Of a partition. */
  readonly retentionBytes: number;
  readonly maxMessageBytes: number;
  readonly minInSync: number;
  readonly isLogAppendTime: boolean;
  /** How old, and how far ahead of the broker's time, a record's timestamp may be. */
  readonly beforeMaxMs: number;
  readonly afterMaxMs: number;
  readonly isUnclean: boolean;
}

/** @param of `value` for a topic that is there, `inherited` for one that is made now */
export function settingsOf(values: ReadonlyMap<string, ConfigValue>, of: keyof ConfigValue): TopicSettings {
  const text = (name: (typeof TOPIC_KEYS)[number]) => values.get(name)?.[of] ?? undefined;
  const limit = (name: (typeof TOPIC_KEYS)[number]) => {
    const value = Number(text(name) ?? -1);
    return value < 0 ? Number.POSITIVE_INFINITY : value;
  };
  const policies = (text("cleanup.policy") ?? "delete").split(",").map((policy) => policy.trim());
  const difference = limit("message.timestamp.difference.max.ms");
  return {
    isCompacted: policies.includes("compact"),
    isDeleting: policies.includes("delete"),
    compression: text("compression.type"),
    retentionMs: limit("retention.ms"),
    retentionBytes: limit("retention.bytes"),
    maxMessageBytes: limit("max.message.bytes"),
    minInSync: Number(text("min.insync.replicas") ?? 1),
    isLogAppendTime: text("message.timestamp.type") === "LogAppendTime",
    beforeMaxMs: Math.min(limit("message.timestamp.before.max.ms"), difference),
    afterMaxMs: Math.min(limit("message.timestamp.after.max.ms"), difference),
    isUnclean: text("unclean.leader.election.enable") === "true",
  };
}
