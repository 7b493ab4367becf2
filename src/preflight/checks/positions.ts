import { backlogOf, type PartitionPosition } from "../facts.ts";
import { type Finding, finding } from "../finding.ts";
import { count, timeInWords } from "../words.ts";
import type { Check } from "./check.ts";

/** Of a retention time: beyond it, what comes next is about to go. */
const NEARLY = 0.8;

/** Where the relay would begin, and whether retention is faster. */
export const checkPositions: Check = ({ positions, group, sourceSettings, sample, source, nowMs }, options) => {
  if (positions.kind === "unknown" || group.kind === "unknown") return [];
  const { offsetReset, group: name } = options.group;
  const findings: Finding[] = [];
  const topic = source.topic;
  if (group.value.isOfEarlierTopic) {
    findings.push(
      finding("error", "OFFSETS_OF_EARLIER_TOPIC", {
        what: `The offsets of group ${name} were committed for an earlier topic named ${topic}`,
        why: "they mean nothing in the one that is there now",
        action: "check that nothing is missing, then delete the group's offsets for the topic, or choose another group",
        context: { group: name, topic },
        failure: "TOPIC_RECREATED",
      }),
    );
  }
  const without = positions.value.filter(({ committed }) => committed === undefined);
  // What is taken over from another group is committed before anything is read.
  if (without.length > 0 && offsetReset === "stop" && options.from === undefined) {
    findings.push(
      finding("error", "NOTHING_COMMITTED", {
        what: `Group ${name} has committed nothing in ${without.length} partitions of ${topic}`,
        why: "the relay is told to stop there (offset-reset)",
        action: "choose where to begin by offset-reset",
        context: { group: name, partitions: without.map(({ partition }) => partition) },
        failure: "OFFSET_OUT_OF_RANGE",
      }),
    );
  }
  findings.push(...lost(positions.value, options.fetch?.outOfRange ?? "earliest"));
  const settings = sourceSettings.kind === "known" ? sourceSettings.value : undefined;
  const seen = sample.kind === "known" && sample.value.of === "backlog" ? [...sample.value.targets.values()] : [];
  const oldest = Math.min(...seen.map((target) => target.oldest ?? Number.POSITIVE_INFINITY));
  const atTheEdge = positions.value.filter(
    (one) => one.begin <= one.earliest && one.earliest > 0n && backlogOf(one) > 0,
  );
  const limit =
    settings?.isDeleting === true && !settings.isLogAppendTime ? settings.retentionMs : Number.POSITIVE_INFINITY;
  const isOld = nowMs - oldest > NEARLY * limit;
  if (isOld || (settings?.isDeleting === true && atTheEdge.length > 0)) {
    const age = Number.isFinite(oldest) ? ` The oldest record of the sample is ${timeInWords(nowMs - oldest)} old` : "";
    const kept = Number.isFinite(limit) ? `, and the source keeps them for ${timeInWords(limit)}.` : ".";
    findings.push(
      finding("warning", "SOURCE_RETENTION", {
        what: `What isn't relayed yet may be deleted from ${topic} soon.${age}${age === "" ? "" : kept}${atTheEdge.length > 0 ? ` In ${atTheEdge.length} partitions the log begins where the relay does.` : ""}`,
        why: "what retention takes before it is relayed is lost, and the relay can only say so",
        action: "raise retention.ms and retention.bytes of the source until the relay has caught up",
        context: {
          topic,
          partitions: atTheEdge.map(({ partition }) => partition),
          ...(Number.isFinite(oldest) ? { oldestMs: nowMs - oldest } : {}),
          ...(Number.isFinite(limit) ? { retentionMs: limit } : {}),
        },
      }),
    );
  }
  return findings;
};

function lost(positions: readonly PartitionPosition[], outOfRange: "earliest" | "latest" | "stop"): readonly Finding[] {
  const behind = positions.filter(({ committed, earliest }) => committed !== undefined && committed < earliest);
  const beyond = positions.filter(({ committed, latest }) => committed !== undefined && committed > latest);
  const findings: Finding[] = [];
  const stops = outOfRange === "stop";
  if (behind.length > 0) {
    const gone = behind.reduce((sum, { earliest, begin }) => sum + Number(earliest - begin), 0);
    findings.push(
      finding(stops ? "error" : "warning", "RECORDS_LOST", {
        what: `${count(gone)} offsets that were not relayed are no longer in the log, in ${behind.length} partitions`,
        why: stops
          ? "the relay is told to stop there (out-of-range)"
          : "they are lost, and the relay goes on behind them",
        action: "find them elsewhere if they matter; raise the source's retention until the relay has caught up",
        context: { offsets: gone, partitions: behind.map(({ partition }) => partition) },
        ...(stops ? { failure: "OFFSET_OUT_OF_RANGE" } : {}),
      }),
    );
  }
  if (beyond.length > 0) {
    findings.push(
      finding("warning", "COMMITTED_BEYOND_END", {
        what: `In ${beyond.length} partitions the group has committed offsets behind the end of the log`,
        why: "the log has lost its end, by an unclean leader election perhaps: new records take offsets that count as relayed",
        action: "compare source and target (spillway verify), and set the group's offsets",
        context: { partitions: beyond.map(({ partition }) => partition) },
      }),
    );
  }
  return findings;
}
