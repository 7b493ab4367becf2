import { ERROR, errorName, isAuthorizationError } from "../../kafka/error-codes.ts";
import type { RelayOptions } from "../../relay/options.ts";
import type { Facts, TargetFacts } from "../facts.ts";
import { type Finding, finding } from "../finding.ts";
import { timeInWords } from "../words.ts";
import type { Check } from "./check.ts";

/** Whether the brokers speak what is needed, and take the topics as they are wanted. */
export const checkCluster: Check = (facts, options) => [
  ...versions(facts, options),
  ...facts.targets.flatMap((target) => shape(target)),
  ...deadLetters(facts),
];

function versions({ brokers, brokerSettings }: Facts, options: RelayOptions): readonly Finding[] {
  const findings: Finding[] = [];
  for (const { nodeId, lacks } of brokers) {
    if (lacks.kind === "unknown") {
      findings.push(
        finding("warning", "BROKER_SILENT", {
          what: `Broker ${nodeId} did not answer: ${lacks.why}`,
          why: "partitions that it leads can't be read or written until another broker leads them",
          action: "bring it back, or wait until the cluster has given it up",
          context: { broker: nodeId },
        }),
      );
    } else if (lacks.value.length > 0) {
      findings.push(
        finding("error", "BROKER_TOO_OLD", {
          what: `Broker ${nodeId} does not speak ${lacks.value.join(", ")}`,
          why: "the relay sends these requests, and no older ones",
          action: "run Apache Kafka 3.2 or newer on all brokers",
          context: { broker: nodeId, lacks: lacks.value },
          failure: "PROTOCOL",
        }),
      );
    }
  }
  if (options.guarantee !== "exactly-once") return findings;
  const answered = brokers.filter(({ lacks }) => lacks.kind === "known");
  if (answered.length > 0 && answered.every(({ transactionVersion }) => transactionVersion < 2)) {
    findings.push(
      finding("info", "TRANSACTION_VERSION_1", {
        what: "The cluster's transactions are of version 1",
        why: "they are exactly once for a relay that ends in order or crashes, but a request that is held up in the network for very long may end up in a later transaction (KIP-890)",
        action: "on Kafka 4.0 or newer: kafka-features upgrade --feature transaction.version=2",
        context: { transactionVersion: Math.max(...answered.map(({ transactionVersion }) => transactionVersion)) },
      }),
    );
  }
  const most =
    brokerSettings.kind === "known" ? brokerSettings.value.maxTransactionTimeoutMs : Number.POSITIVE_INFINITY;
  if (options.transactionTimeoutMs > most) {
    findings.push(
      finding("error", "TRANSACTION_TIMEOUT_TOO_LONG", {
        what: `The brokers allow transactions of ${timeInWords(most)} at most, not ${timeInWords(options.transactionTimeoutMs)}`,
        why: "they refuse the relay's transactional id with that",
        action: "lower --transaction-timeout-ms, or raise transaction.max.timeout.ms of the brokers",
        context: { transactionTimeoutMs: options.transactionTimeoutMs, maxTransactionTimeoutMs: most },
        failure: "CONFIG_INVALID",
      }),
    );
  }
  return findings;
}

/** Codes of a creation that is refused for what is wanted, and not for who wants it. */
const REFUSED: ReadonlySet<number> = new Set([
  ERROR.INVALID_PARTITIONS,
  ERROR.INVALID_REPLICATION_FACTOR,
  ERROR.INVALID_CONFIG,
  ERROR.POLICY_VIOLATION,
  ERROR.INVALID_TOPIC_EXCEPTION,
]);

function shape({ topic, partitions, found, creation }: TargetFacts): readonly Finding[] {
  if (found !== undefined) {
    const has = found.partitions.length;
    if (has === partitions) return [];
    return [
      finding("error", "PARTITIONS_DIFFER", {
        what: `${topic} has ${has} partitions, not the ${partitions} that are wanted`,
        why: "the partition of a key follows from their number: the relay refuses to begin",
        action: `ask for ${has}, or choose another topic`,
        context: { topic, partitions: has, wanted: partitions },
        failure: "TOPIC_MISMATCH",
      }),
    ];
  }
  if (creation?.kind !== "known") return [];
  const { errorCode, errorMessage } = creation.value;
  const refusal = `The cluster would not make ${topic}: ${errorName(errorCode)}${errorMessage === null ? "" : `, ${errorMessage}`}`;
  if (REFUSED.has(errorCode)) {
    return [
      finding("error", "TARGET_REFUSED", {
        what: refusal,
        why: "the relay makes the target when it starts, and can't go on without it",
        action: "change --partitions or --replication-factor, or make the topic before",
        context: { topic, kafkaCode: errorCode },
        failure: "CONFIG_INVALID",
      }),
    ];
  }
  // What isn't allowed is said with the permissions. Somebody may have made it in the meantime.
  if (errorCode === ERROR.NONE || errorCode === ERROR.TOPIC_ALREADY_EXISTS || isAuthorizationError(errorCode))
    return [];
  return [
    finding("warning", "TARGET_REFUSED", {
      what: refusal,
      why: "the relay makes the target when it starts",
      action: "try again, or make the topic before",
      context: { topic, kafkaCode: errorCode },
    }),
  ];
}

function deadLetters({ deadLetters: topic }: Facts): readonly Finding[] {
  if (topic === undefined || !isAuthorizationError(topic.errorCode)) return [];
  return [
    finding("error", "NOT_ALLOWED", {
      what: `This user may not DESCRIBE topic ${topic.topic}`,
      why: "batches that can't be read go there",
      action: "grant DESCRIBE and WRITE on it, or choose --poison-batch stop",
      context: { resource: `topic ${topic.topic}`, operations: ["DESCRIBE"] },
      failure: "NOT_AUTHORIZED",
    }),
  ];
}
