import { SpillwayError } from "../errors.ts";
import { checkCreation } from "../kafka/admin.ts";
import { type Brokers, kafkaError } from "../kafka/cluster.ts";
import { askForCoordinator } from "../kafka/coordinator.ts";
import {
  brokerConfig,
  type DescribedConfig,
  describeTopics,
  logDirectories,
  type TopicDescription,
  topicConfigs,
} from "../kafka/describe.ts";
import { ERROR, isCoordinatorMoved } from "../kafka/error-codes.ts";
import { topicMissing } from "../kafka/offsets.ts";
import { apiVersions } from "../kafka/protocol/transaction-messages.ts";
import { type RelayOptions, transactionalIdOf } from "../relay/options.ts";
import { type TargetTopic, targetsOf } from "../relay/routing.ts";
import { type Asker, unknown } from "./asker.ts";
import type { Answer, BrokerFacts, BrokerSettings, Facts, TargetFacts } from "./facts.ts";
import { lackingApis, neededApis } from "./needed-apis.ts";
import { readGroup, readPositions } from "./read-positions.ts";
import { readSample } from "./read-sample.ts";
import type { SampleLimits } from "./sample.ts";
import { SampleCounter } from "./sample-counter.ts";
import { settingsOf, TOPIC_KEYS, type TopicSettings } from "./settings.ts";
import { rangesToSample } from "./slices.ts";

interface Reading {
  readonly brokers: Brokers;
  readonly options: RelayOptions;
  readonly asker: Asker;
  readonly limits: SampleLimits;
  readonly signal: AbortSignal;
}

const GROUPS_TOPIC = "__consumer_offsets";
const TRANSACTIONS_TOPIC = "__transaction_state";

/**
 * Asks all at once, then reads the sample. Nothing is changed: not even the broker's own topics for groups and
 * transactions, which it would make when it is asked for a coordinator.
 * @throws SpillwayError TIMEOUT; for the source TOPIC_MISSING, and NOT_AUTHORIZED where it may not be seen
 */
export async function readFacts({ brokers, options, asker, limits, signal }: Reading): Promise<Facts> {
  const nowMs = Date.now();
  const targets = targetsOf(options);
  const deadLetterTopic = options.source + options.deadLetterSuffix;
  const names = [options.source, ...targets.map(({ topic }) => topic), deadLetterTopic];
  const asked = [...new Set([...names, GROUPS_TOPIC, TRANSACTIONS_TOPIC])];
  const topics = await asker.persist("Describing the topics", () => describeTopics(brokers, asked));
  if (topics.kind === "unknown") {
    throw new SpillwayError("TIMEOUT", `The topics can't be described: ${topics.why}`, { retryable: true });
  }
  const found = new Map(topics.value.map((topic) => [topic.topic, topic]));
  const source = existing(found.get(options.source), options.source);
  const has = (topic: string) => found.get(topic)?.errorCode !== ERROR.UNKNOWN_TOPIC_OR_PARTITION;

  const ask = { brokers, asker, options };
  const group = readGroup(ask, source, has(GROUPS_TOPIC));
  const [configs, positions, known, transactionalId, brokerFacts, brokerSettings, logs, creations] = await Promise.all([
    asker.once("Describing the topics", () => topicConfigs(brokers, names, TOPIC_KEYS)),
    group.then((answer) => readPositions(ask, source, answer)),
    group,
    readTransactionalId(ask, has(TRANSACTIONS_TOPIC)),
    Promise.all(brokers.nodeIds.map((nodeId) => readBroker(ask, nodeId))),
    readBrokerSettings(ask),
    readLogs(ask, source),
    Promise.all(targets.map((target) => readCreation(ask, target, found.get(target.topic)))),
  ]);
  const ranges = positions.kind === "known" ? rangesToSample(positions.value) : undefined;
  const counter = new SampleCounter(options, source.partitions.length, nowMs);
  const within = { counter, limits: { ...limits, ms: Math.min(limits.ms, asker.leftMs) }, signal };
  const sample =
    ranges === undefined
      ? unknown("it isn't known where the relay would begin")
      : await asker.once(
          "Reading a sample",
          () => readSample(brokers, source, ranges.ranges, ranges.of, within),
          asker.leftMs,
        );
  return {
    nowMs,
    source,
    sourceSettings: settings(configs, options.source, "value"),
    targets: targets.map((target, i) => targetFacts(target, found.get(target.topic), configs, creations[i], options)),
    deadLetters: options.poisonBatch === "dead-letter" ? found.get(deadLetterTopic) : undefined,
    positions,
    group: known,
    transactionalId,
    brokers: brokerFacts,
    brokerSettings,
    logs,
    sample,
  };
}

function existing(source: TopicDescription | undefined, topic: string): TopicDescription {
  if (source === undefined || source.errorCode === ERROR.UNKNOWN_TOPIC_OR_PARTITION) throw topicMissing(topic);
  if (source.errorCode === ERROR.NONE || source.errorCode === ERROR.LEADER_NOT_AVAILABLE) return source;
  throw kafkaError("Describing the source", source.errorCode, { topic }, "DESCRIBE");
}

interface Asking {
  readonly brokers: Brokers;
  readonly asker: Asker;
  readonly options: RelayOptions;
}

/** What a new topic gets is known by any topic that is there: from what it would be without its own configuration. */
function targetFacts(
  { topic, partitions }: TargetTopic,
  described: TopicDescription | undefined,
  configs: Answer<readonly DescribedConfig[]>,
  creation: TargetFacts["creation"],
  { source }: RelayOptions,
): TargetFacts {
  const errorCode = described?.errorCode ?? ERROR.UNKNOWN_TOPIC_OR_PARTITION;
  const isThere = errorCode === ERROR.NONE || errorCode === ERROR.LEADER_NOT_AVAILABLE;
  const own = isThere ? settings(configs, topic, "value") : settings(configs, source, "inherited");
  return { topic, partitions, found: isThere ? described : undefined, errorCode, settings: own, creation };
}

function settings(
  configs: Answer<readonly DescribedConfig[]>,
  topic: string,
  of: "value" | "inherited",
): Answer<TopicSettings> {
  if (configs.kind === "unknown") return configs;
  const described = configs.value.find(({ name }) => name === topic);
  if (described?.errorCode === ERROR.NONE) return { kind: "known", value: settingsOf(described.values, of) };
  const error = kafkaError("Describing the configuration", described?.errorCode ?? -1, { topic }, "DESCRIBE_CONFIGS");
  return { kind: "unknown", why: error.message, isForbidden: error.code === "NOT_AUTHORIZED" };
}

async function readCreation(
  { brokers, asker, options: { replicationFactor } }: Asking,
  target: TargetTopic,
  found: TopicDescription | undefined,
): Promise<TargetFacts["creation"]> {
  if (found !== undefined && found.errorCode !== ERROR.UNKNOWN_TOPIC_OR_PARTITION) return undefined;
  return await asker.once("Checking whether the topic can be made", () =>
    checkCreation(brokers, { ...target, replicationFactor }),
  );
}

async function readTransactionalId({ brokers, asker, options }: Asking, isMade: boolean): Promise<Answer<number>> {
  const { guarantee, source: topic } = options;
  if (guarantee !== "exactly-once" || !isMade) return { kind: "known", value: ERROR.NONE };
  const id = transactionalIdOf(options, { topic, partition: 0 });
  return await asker.persist("Asking for the coordinator of transactions", async () => {
    const { errorCode } = await askForCoordinator(brokers, "transaction", id);
    if (!isCoordinatorMoved(errorCode)) return errorCode;
    throw new SpillwayError("PROTOCOL", "The coordinator of transactions isn't there at the moment", {
      retryable: true,
      context: { kafkaCode: errorCode },
    });
  });
}

async function readBroker({ brokers, asker, options }: Asking, nodeId: number): Promise<BrokerFacts> {
  const request = { clientSoftwareName: "spillway", clientSoftwareVersion: "1" };
  const answer = await asker.once(`Asking broker ${nodeId}`, () => brokers.request(apiVersions, request, nodeId));
  if (answer.kind === "unknown") return { nodeId, lacks: answer, transactionVersion: 0 };
  const { finalizedFeatures = [], apiKeys } = answer.value;
  const transactionVersion = finalizedFeatures.find(({ name }) => name === "transaction.version")?.maxVersionLevel ?? 0;
  const lacks = lackingApis(neededApis(options.guarantee, transactionVersion), apiKeys);
  return { nodeId, lacks: { kind: "known", value: lacks }, transactionVersion };
}

const BROKER_KEYS = ["authorizer.class.name", "default.replication.factor", "transaction.max.timeout.ms"] as const;

/** Of the first that answers: they are the same on all, or should be. */
async function readBrokerSettings({ brokers, asker }: Asking): Promise<Answer<BrokerSettings>> {
  let answer: Answer<BrokerSettings> = unknown("there is no broker");
  for (const nodeId of brokers.nodeIds) {
    answer = await asker.once("Describing a broker", async () => {
      const config = await brokerConfig(brokers, nodeId, BROKER_KEYS);
      const text = (key: (typeof BROKER_KEYS)[number]) => config.get(key)?.value ?? "";
      return {
        authorizer: text("authorizer.class.name"),
        defaultReplicationFactor: Number(text("default.replication.factor") || 1),
        maxTransactionTimeoutMs: Number(text("transaction.max.timeout.ms") || Number.POSITIVE_INFINITY),
      };
    });
    if (answer.kind === "known" || answer.isForbidden) break;
  }
  return answer;
}

/** Of all brokers that answer; unknown if none does. */
async function readLogs({ brokers, asker }: Asking, source: TopicDescription): Promise<Facts["logs"]> {
  const topics = [{ topic: source.topic, partitions: source.partitions.map(({ partition }) => partition) }];
  const ask = (nodeId: number) =>
    asker.once("Describing log directories", () => logDirectories(brokers, nodeId, topics));
  const answers = await Promise.all(brokers.nodeIds.map(ask));
  const known = answers.flatMap((answer) => (answer.kind === "known" ? answer.value : []));
  const failed = answers.find(({ kind }) => kind === "unknown");
  return known.length === 0 && failed !== undefined ? failed : { kind: "known", value: known };
}
