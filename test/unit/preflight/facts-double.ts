import type { Answer, Facts, TargetFacts } from "../../../src/preflight/facts.ts";
import type { Sample, TargetSample } from "../../../src/preflight/sample.ts";
import type { TopicSettings } from "../../../src/preflight/settings.ts";
import { RELAY_DEFAULTS, type RelayOptions } from "../../../src/relay/options.ts";

/** Facts about which there is nothing to say, to be changed one at a time. */
export const NOW = 1_700_000_000_000;
export const ALL_ALLOWED = 0xffff;

export const OPTIONS: RelayOptions = {
  ...RELAY_DEFAULTS,
  kafka: { brokers: ["b:1"], clientId: "t", connectionTimeoutMs: 1, requestTimeoutMs: 1, connectDeadlineMs: 1 },
  source: "hot",
  target: "wide",
  partitions: 4,
  group: {
    ...{ group: "g", sessionTimeoutMs: 1, heartbeatMs: 1, rebalanceTimeoutMs: 1, metadataRefreshMs: 1 },
    offsetReset: "earliest",
  },
};

export function known<T>(value: T): Answer<T> {
  return { kind: "known", value };
}

export const SETTINGS: TopicSettings = {
  isCompacted: false,
  isDeleting: true,
  compression: "producer",
  retentionMs: Number.POSITIVE_INFINITY,
  retentionBytes: Number.POSITIVE_INFINITY,
  maxMessageBytes: 1_048_588,
  minInSync: 2,
  isLogAppendTime: false,
  beforeMaxMs: Number.POSITIVE_INFINITY,
  afterMaxMs: 3_600_000,
  isUnclean: false,
};

export function partitions(count: number, replicas = 3, inSync = replicas) {
  return Array.from({ length: count }, (_, partition) => ({ partition, leader: 1, replicas, inSync }));
}

export const TARGET_SAMPLE: TargetSample = {
  records: 1_000,
  weight: 10_000,
  keylessRecords: 0,
  keylessWeight: 0,
  distinctKeys: 500,
  partitions: Array.from({ length: 4 }, () => ({ records: 250, weight: 2_500 })),
  hotKeys: [{ key: "a", weight: 40 }],
  oldest: NOW - 1_000,
  newest: NOW,
  largestRecord: 500,
  largestPlainRecord: 500,
};

export const SAMPLE: Sample = {
  of: "backlog",
  records: 1_000,
  bytes: 100_000,
  partitions: 2,
  windows: 8,
  isWhole: false,
  unreadable: 0,
  weight: 10_000,
  keylessWeight: 0,
  keys: {
    ...{ records: 1_000, distinct: 500, isCut: false, misplaced: 0, inSeveralPartitions: 0, onSeveralRoutes: 0 },
    elsewhere: { "librdkafka's CRC-32": 0, "Sarama's FNV-1a": 0 },
  },
  routes: [{ to: "wide", records: 1_000, bytes: 100_000, weight: 10_000 }],
  targets: new Map([["wide", TARGET_SAMPLE]]),
  growth: 1.5,
};

export const TARGET: TargetFacts = {
  topic: "wide",
  partitions: 4,
  found: { topic: "wide", topicId: "w", errorCode: 0, operations: ALL_ALLOWED, partitions: partitions(4) },
  errorCode: 0,
  settings: known(SETTINGS),
  creation: undefined,
};

export const FACTS: Facts = {
  nowMs: NOW,
  source: { topic: "hot", topicId: "h", errorCode: 0, operations: ALL_ALLOWED, partitions: partitions(2) },
  sourceSettings: known(SETTINGS),
  targets: [TARGET],
  deadLetters: undefined,
  positions: known(
    [0, 1].map((partition) => ({
      ...{ partition, earliest: 0n, latest: 5_000n, committed: undefined, begin: 0n, end: 5_000n },
    })),
  ),
  group: known({ committed: new Map(), isOfEarlierTopic: false, operations: known(ALL_ALLOWED) }),
  transactionalId: known(0),
  brokers: [{ nodeId: 1, lacks: known([]), transactionVersion: 2 }],
  brokerSettings: known({ authorizer: "A", defaultReplicationFactor: 3, maxTransactionTimeoutMs: 900_000 }),
  logs: known(
    [1, 2, 3].map((broker) => ({
      broker,
      usableBytes: 1e12,
      logs: [0, 1].map((partition) => ({ topic: "hot", partition, bytes: 1e9 })),
    })),
  ),
  sample: known(SAMPLE),
};

/** The facts with another target. */
export function withTarget(target: Partial<TargetFacts>): Facts {
  return { ...FACTS, targets: [{ ...TARGET, ...target }] };
}

/** The facts with a target that is configured otherwise. */
export function withSettings(settings: Partial<TopicSettings>): Facts {
  return withTarget({ settings: known({ ...SETTINGS, ...settings }) });
}

/** The facts with another sample. */
export function withSample(sample: Partial<Sample>, target: Partial<TargetSample> = {}): Facts {
  const targets = new Map([["wide", { ...TARGET_SAMPLE, ...target }]]);
  return { ...FACTS, sample: known({ ...SAMPLE, targets, ...sample }) };
}
