import type { RelayOptions } from "../../relay/options.ts";
import type { Facts, TargetFacts } from "../facts.ts";
import { type Finding, finding } from "../finding.ts";
import type { TargetSample } from "../sample.ts";
import type { TopicSettings } from "../settings.ts";
import { bytesInWords, count, timeInWords } from "../words.ts";
import type { Check } from "./check.ts";

/** A batch's header, and what a record may need more than was reckoned. */
const BATCH_OVERHEAD = 100;
/** Brokers' clocks and ours need not agree. */
const CLOCKS_MS = 60_000;

/** Whether the targets take the records as they are: their size, their time, their codec. */
export const checkRecords: Check = (facts, options) => {
  const findings = facts.targets.flatMap((target) => {
    if (target.settings.kind === "unknown") return [];
    const seen = facts.sample.kind === "known" ? facts.sample.value.targets.get(target.topic) : undefined;
    const { value } = target.settings;
    return [
      ...sizes(target, value, seen, facts, options),
      ...times(target, value, seen, facts),
      ...codecs(target, value, options),
    ];
  });
  if (facts.sample.kind === "unknown" || facts.sample.value.unreadable === 0) return findings;
  const { unreadable } = facts.sample.value;
  const stops = options.poisonBatch === "stop";
  return [
    ...findings,
    finding("warning", "UNREADABLE_BATCHES", {
      what: `${count(unreadable)} record batches of the sample can't be read`,
      why: stops ? "the relay ends when it comes to them" : "their bytes go to the dead-letter topic",
      action: stops
        ? "look at them with kafka-dump-log, or choose --poison-batch dead-letter"
        : "look at them with kafka-dump-log",
      context: { batches: unreadable },
    }),
  ];
};

function sizes(
  { topic, found }: TargetFacts,
  { maxMessageBytes }: TopicSettings,
  seen: TargetSample | undefined,
  { sourceSettings }: Facts,
  { batchBytes }: RelayOptions,
): readonly Finding[] {
  const how = found === undefined ? "would be made with" : "has";
  const limit = `${topic} ${how} max.message.bytes ${count(maxMessageBytes)}`;
  if (seen !== undefined && seen.largestPlainRecord + BATCH_OVERHEAD > maxMessageBytes) {
    return [
      finding("error", "RECORD_TOO_LARGE", {
        what: `${limit}, and a record of the sample has ${count(seen.largestPlainRecord)}, uncompressed`,
        why: "the brokers refuse it, and the relay can't go on behind it",
        action: "raise max.message.bytes of the target to that of the source at least",
        context: { topic, maxMessageBytes, recordBytes: seen.largestPlainRecord },
        failure: "RECORD_TOO_LARGE",
      }),
    ];
  }
  const source = sourceSettings.kind === "known" ? sourceSettings.value.maxMessageBytes : 0;
  if (maxMessageBytes < source) {
    return [
      finding("warning", "MAX_MESSAGE_BYTES_LOWER", {
        what: `${limit}, the source ${count(source)}`,
        why: "a batch of the source that is larger ends the relay when it comes to it",
        action: "raise max.message.bytes of the target to that of the source",
        context: { topic, maxMessageBytes, sourceMaxMessageBytes: source },
      }),
    ];
  }
  if (maxMessageBytes >= batchBytes + BATCH_OVERHEAD) return [];
  return [
    finding("warning", "BATCHES_TOO_LARGE", {
      what: `${limit}, and the relay makes batches of up to ${bytesInWords(batchBytes)}, before compression`,
      why: "the brokers refuse a batch that is larger, which ends the relay; it comes with the flood",
      action: "raise max.message.bytes of the target, or lower --batch-bytes",
      context: { topic, maxMessageBytes, batchBytes },
    }),
  ];
}

function times(
  { topic, found }: TargetFacts,
  { isLogAppendTime, beforeMaxMs, afterMaxMs }: TopicSettings,
  seen: TargetSample | undefined,
  { nowMs, sourceSettings }: Facts,
): readonly Finding[] {
  const how = found === undefined ? "would be made with" : "has";
  if (isLogAppendTime) {
    if (sourceSettings.kind === "known" && sourceSettings.value.isLogAppendTime) return [];
    return [
      finding("warning", "TIMESTAMPS_REPLACED", {
        what: `${topic} ${how} message.timestamp.type=LogAppendTime`,
        why: "the brokers replace the time of each record by that of its relaying: old records look new, and verify can't match by content",
        action: "set it to CreateTime for the target",
        context: { topic },
      }),
    ];
  }
  const age = seen?.oldest === undefined ? 0 : nowMs - seen.oldest;
  const ahead = seen?.newest === undefined ? 0 : seen.newest - nowMs;
  const findings: Finding[] = [];
  if (age > beforeMaxMs + CLOCKS_MS) {
    findings.push(
      finding("error", "TIMESTAMPS_TOO_OLD", {
        what: `${topic} ${how} message.timestamp.before.max.ms of ${timeInWords(beforeMaxMs)}, and records of the sample are ${timeInWords(age)} old`,
        why: "the brokers refuse them, and the relay can't go on behind them",
        action: "raise message.timestamp.before.max.ms of the target",
        context: { topic, beforeMaxMs, oldestMs: age },
        failure: "PROTOCOL",
      }),
    );
  }
  if (ahead > afterMaxMs + CLOCKS_MS) {
    findings.push(
      finding("warning", "TIMESTAMPS_AHEAD", {
        what: `${topic} ${how} message.timestamp.after.max.ms of ${timeInWords(afterMaxMs)}, and records of the sample are ${timeInWords(ahead)} ahead of now`,
        why: "the brokers refuse them until their time has come, and the relay ends",
        action: "raise message.timestamp.after.max.ms of the target, and mend the clock of their producer",
        context: { topic, afterMaxMs, aheadMs: ahead },
      }),
    );
  }
  return findings;
}

function codecs({ topic }: TargetFacts, { compression }: TopicSettings, { codec }: RelayOptions): readonly Finding[] {
  if (compression === undefined || compression === "producer" || compression === codec) return [];
  if (compression === "uncompressed" && codec === "none") return [];
  return [
    finding("info", "RECOMPRESSED", {
      what: `${topic} has compression.type=${compression}, and the relay writes ${codec === "source" ? "what the source has" : codec}`,
      why: "the brokers unpack and pack each batch anew, which costs them much of their CPU",
      action: "set compression.type of the target to producer, or give the relay the same --codec",
      context: { topic, compression, codec },
    }),
  ];
}
