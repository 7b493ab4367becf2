/** Asks brokers how things are: topics, their configuration, log directories, groups. Nothing is changed by it. */
import { type Brokers, kafkaError } from "./cluster.ts";
import { ERROR } from "./error-codes.ts";
import { ZERO_UUID } from "./protocol/codec.ts";
import { describeConfigs, describeLogDirs } from "./protocol/describe-messages.ts";
import { describeGroups } from "./protocol/group-messages.ts";
import { metadata } from "./protocol/messages.ts";

/** The numbers of operations in the bit fields of authorized operations (`AclOperation`). */
const OPERATION = { READ: 3, WRITE: 4, DESCRIBE: 8 } as const;
export type Operation = keyof typeof OPERATION;

/** What this user may do, as a bit field. */
export type Operations = number;

export function allows(operations: Operations, operation: Operation): boolean {
  return (operations & (1 << OPERATION[operation])) !== 0;
}

/** A topic as the cluster describes it, or the error code in its place. */
export interface TopicDescription {
  readonly topic: string;
  readonly topicId: string;
  readonly errorCode: number;
  readonly operations: Operations;
  /** By partition number. */
  readonly partitions: readonly PartitionDescription[];
}

export interface PartitionDescription {
  readonly partition: number;
  /** Node id, -1 while there is none. */
  readonly leader: number;
  readonly replicas: number;
  /** Replicas that are in sync. */
  readonly inSync: number;
}

/** In the order of the names, with what this user may do to each. @throws SpillwayError as `Brokers.request` */
export async function describeTopics(brokers: Brokers, names: readonly string[]): Promise<readonly TopicDescription[]> {
  const request = {
    topics: names.map((name) => ({ topicId: ZERO_UUID, name })),
    allowAutoTopicCreation: false,
    includeTopicAuthorizedOperations: true,
  };
  const { topics } = await brokers.request(metadata, request, "any");
  return names.flatMap((topic) => {
    const found = topics.find(({ name }) => name === topic);
    if (found === undefined) return [];
    const partitions = found.partitions
      .map(({ partitionIndex: partition, leaderId: leader, replicaNodes, isrNodes }) => ({
        partition,
        leader,
        replicas: replicaNodes.length,
        inSync: isrNodes.length,
      }))
      .toSorted((a, b) => a.partition - b.partition);
    const { topicId, errorCode, topicAuthorizedOperations: operations } = found;
    return [{ topic, topicId, errorCode, operations, partitions }];
  });
}

export interface ConfigValue {
  /** In force. */
  readonly value: string | null;
  /** What is in force where the resource itself says nothing: a topic that is made now gets it. */
  readonly inherited: string | null;
}

export interface DescribedConfig {
  readonly name: string;
  readonly errorCode: number;
  readonly values: ReadonlyMap<string, ConfigValue>;
}

const RESOURCE = { topic: 2, broker: 4 } as const;
/** Where a value comes from: the topic's own configuration. */
const TOPIC_CONFIG = 1;

/** The configuration of topics, by name. @throws SpillwayError as `Brokers.request` */
export async function topicConfigs(
  brokers: Brokers,
  topics: readonly string[],
  keys: readonly string[],
): Promise<readonly DescribedConfig[]> {
  return await configs(brokers, "any", "topic", topics, keys);
}

/** The configuration of one broker. @throws SpillwayError as `Brokers.request`; NOT_AUTHORIZED */
export async function brokerConfig(
  brokers: Brokers,
  nodeId: number,
  keys: readonly string[],
): Promise<ReadonlyMap<string, ConfigValue>> {
  const [described] = await configs(brokers, nodeId, "broker", [String(nodeId)], keys);
  if (described === undefined || described.errorCode !== ERROR.NONE) {
    throw kafkaError("Describing a broker's configuration", described?.errorCode ?? ERROR.NONE, {}, "DESCRIBE_CONFIGS");
  }
  return described.values;
}

async function configs(
  brokers: Brokers,
  to: number | "any",
  type: keyof typeof RESOURCE,
  names: readonly string[],
  keys: readonly string[],
): Promise<readonly DescribedConfig[]> {
  const resources = names.map((resourceName) => ({
    resourceType: RESOURCE[type],
    resourceName,
    configurationKeys: keys,
  }));
  const request = { resources, includeSynonyms: true, includeDocumentation: false };
  const { results } = await brokers.request(describeConfigs, request, to);
  return results.map(({ resourceName: name, errorCode, configs: found }) => {
    const values = found.map(({ name: key, value, configSource, synonyms }) => {
      // Sorted by precedence. A broker may say it in another unit, under another name.
      const next = synonyms.find(({ source, value: set }) => source !== TOPIC_CONFIG && set !== null);
      const inherited = configSource === TOPIC_CONFIG ? inMilliseconds(next) : value;
      return [key, { value, inherited }] as const;
    });
    return { name, errorCode, values: new Map(values) };
  });
}

const UNIT_MS: readonly (readonly [string, number])[] = [
  [".minutes", 60_000],
  [".hours", 3_600_000],
];

/** `log.retention.hours` is what a topic calls `retention.ms`. */
function inMilliseconds(synonym: { readonly name: string; readonly value: string | null } | undefined): string | null {
  if (synonym === undefined || synonym.value === null) return null;
  const unit = UNIT_MS.find(([ending]) => synonym.name.endsWith(ending));
  const value = Number(synonym.value);
  return unit === undefined || value < 0 ? synonym.value : String(value * unit[1]);
}

/** One log directory of a broker. */
export interface LogDirectory {
  readonly broker: number;
  /** On its volume; -1 where the broker doesn't say. */
  readonly usableBytes: number;
  /** Of the topics asked for. */
  readonly logs: readonly { readonly topic: string; readonly partition: number; readonly bytes: number }[];
}

/** A broker's log directories. @throws SpillwayError as `Brokers.request`; NOT_AUTHORIZED */
export async function logDirectories(
  brokers: Brokers,
  broker: number,
  topics: readonly { readonly topic: string; readonly partitions: readonly number[] }[],
): Promise<readonly LogDirectory[]> {
  const { errorCode, results } = await brokers.request(describeLogDirs, { topics }, broker);
  if (errorCode !== ERROR.NONE) throw kafkaError("Describing log directories", errorCode);
  return results
    .filter((result) => result.errorCode === ERROR.NONE)
    .map(({ usableBytes, topics: found }) => ({
      broker,
      usableBytes: Number(usableBytes),
      logs: found.flatMap(({ name: topic, partitions }) =>
        partitions.map(({ partitionIndex: partition, partitionSize }) => ({
          topic,
          partition,
          bytes: Number(partitionSize),
        })),
      ),
    }));
}

/** What this user may do to a group. @throws SpillwayError as `Brokers.request`; NOT_AUTHORIZED; PROTOCOL */
export async function groupOperations(brokers: Brokers, coordinator: number, group: string): Promise<Operations> {
  const request = { groups: [group], includeAuthorizedOperations: true };
  const { groups } = await brokers.request(describeGroups, request, coordinator);
  const [described] = groups;
  if (described === undefined || described.errorCode !== ERROR.NONE) {
    throw kafkaError("Describing a group", described?.errorCode ?? ERROR.NONE, { group }, "DESCRIBE");
  }
  return described.authorizedOperations;
}
