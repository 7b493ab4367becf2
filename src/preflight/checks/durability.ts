import { type Facts, replicationOf, type TargetFacts } from "../facts.ts";
import { type Finding, finding } from "../finding.ts";
import type { Check } from "./check.ts";

/** Whether the targets are kept as safely as the source. */
export const checkDurability: Check = (facts, options) => {
  const { source, targets } = facts;
  const leaderless = source.partitions.filter(({ leader }) => leader < 0);
  const findings: Finding[] = [];
  if (leaderless.length > 0) findings.push(withoutLeader(source.topic, leaderless));
  for (const target of targets) findings.push(...ofTarget(target, facts, options.replicationFactor));
  return findings;
};

function ofTarget(target: TargetFacts, facts: Facts, asked: number): readonly Finding[] {
  const { topic, found } = target;
  const findings: Finding[] = [];
  const replication = replicationOf(target, facts.brokerSettings, asked);
  const sourceReplication = Math.min(...facts.source.partitions.map(({ replicas }) => replicas));
  const settings = target.settings.kind === "known" ? target.settings.value : undefined;
  const sourceSettings = facts.sourceSettings.kind === "known" ? facts.sourceSettings.value : undefined;
  const how = found === undefined ? "would be made with" : "has";
  const leaderless = (found?.partitions ?? []).filter(({ leader }) => leader < 0);
  if (leaderless.length > 0) findings.push(withoutLeader(topic, leaderless));
  if (replication !== undefined && replication < sourceReplication) {
    findings.push(
      finding("warning", "REPLICATION_LOWER", {
        what: `${topic} ${how} ${replication} replicas, the source ${sourceReplication}`,
        why: "the copy that readers go by is lost more easily than the original",
        action: found === undefined ? "give --replication-factor" : "reassign its partitions to more brokers",
        context: { topic, replication, sourceReplication },
      }),
    );
  } else if (replication === 1) {
    findings.push(
      finding("info", "NOT_REPLICATED", {
        what: `${topic} ${how} one replica`,
        why: "while its broker is away nothing can be read or written, and with its disk all is gone",
        action: "have three replicas wherever it matters",
        context: { topic, replication },
      }),
    );
  }
  if (settings === undefined) return findings;
  const { minInSync, isUnclean } = settings;
  if (sourceSettings !== undefined && minInSync < sourceSettings.minInSync) {
    findings.push(
      finding("warning", "MIN_ISR_LOWER", {
        what: `${topic} ${how} min.insync.replicas ${minInSync}, the source ${sourceSettings.minInSync}`,
        why: "what is acknowledged is on fewer brokers, and an offset of the source is committed then",
        action: "set min.insync.replicas of the target to that of the source",
        context: { topic, minInSync, sourceMinInSync: sourceSettings.minInSync },
      }),
    );
  }
  if (replication !== undefined && replication > 1 && minInSync >= replication) {
    findings.push(
      finding("warning", "NO_BROKER_MAY_BE_AWAY", {
        what: `${topic} ${how} ${replication} replicas, and min.insync.replicas ${minInSync}`,
        why: "as soon as one broker is away, the relay can't write to the partitions that it holds",
        action: "have one replica more than min.insync.replicas",
        context: { topic, replication, minInSync },
      }),
    );
  }
  const short = (found?.partitions ?? []).filter(
    ({ leader, inSync, replicas }) => leader >= 0 && inSync < Math.min(minInSync, replicas),
  );
  if (short.length > 0) {
    findings.push(
      finding("warning", "TOO_FEW_IN_SYNC", {
        what: `${short.length} partitions of ${topic} have fewer replicas in sync than min.insync.replicas, ${minInSync}`,
        why: "nothing can be written to them at the moment: the relay waits",
        action: "bring the missing brokers back",
        context: { topic, partitions: short.map(({ partition }) => partition), minInSync },
      }),
    );
  }
  if (isUnclean) {
    findings.push(
      finding("warning", "UNCLEAN_ELECTION", {
        what: `${topic} ${how} unclean.leader.election.enable=true`,
        why: "a replica that isn't in sync may become leader: acknowledged records are lost then, and their offsets are committed",
        action: "set it to false for the target",
        context: { topic },
      }),
    );
  }
  return findings;
}

function withoutLeader(topic: string, partitions: readonly { readonly partition: number }[]): Finding {
  return finding("warning", "NO_LEADER", {
    what: `${partitions.length} partitions of ${topic} have no leader at the moment`,
    why: "nothing can be read from them or written to them: the relay waits",
    action: "bring the missing brokers back",
    context: { topic, partitions: partitions.map(({ partition }) => partition) },
  });
}
