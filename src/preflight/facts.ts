import type { CreationCheck } from "../kafka/admin.ts";
import type { LogDirectory, Operations, TopicDescription } from "../kafka/describe.ts";
import type { Sample } from "./sample.ts";
import type { TopicSettings } from "./settings.ts";

/** What was asked, or why there is no answer. */
export type Answer<T> =
  | { readonly kind: "known"; readonly value: T }
  | { readonly kind: "unknown"; readonly why: string; readonly isForbidden: boolean };

/** All that the preflight goes by, as it was at one moment. */
export interface Facts {
  readonly nowMs: number;
  readonly source: TopicDescription;
  readonly sourceSettings: Answer<TopicSettings>;
  readonly targets: readonly TargetFacts[];
  /** Where batches go that can't be read, if they go anywhere. */
  readonly deadLetters: TopicDescription | undefined;
  readonly positions: Answer<readonly PartitionPosition[]>;
  readonly group: Answer<GroupFacts>;
  /** The code that the transactional id was answered with; known to be 0 where none is needed. */
  readonly transactionalId: Answer<number>;
  readonly brokers: readonly BrokerFacts[];
  readonly brokerSettings: Answer<BrokerSettings>;
  readonly logs: Answer<readonly LogDirectory[]>;
  readonly sample: Answer<Sample>;
}

export interface TargetFacts {
  readonly topic: string;
  /** That are wanted. */
  readonly partitions: number;
  /** Undefined where it doesn't exist yet, or this user may not see it. */
  readonly found: TopicDescription | undefined;
  readonly errorCode: number;
  /** Of one that doesn't exist: what it would be made with. */
  readonly settings: Answer<TopicSettings>;
  readonly creation: Answer<CreationCheck> | undefined;
}

/** Where a source partition stands, in offsets. */
export interface PartitionPosition {
  readonly partition: number;
  readonly earliest: bigint;
  /** The end for read_committed readers. */
  readonly latest: bigint;
  readonly committed: bigint | undefined;
  /** The part that will be relayed. `begin` may lie before `earliest`: retention was faster. */
  readonly begin: bigint;
  readonly end: bigint;
}

export interface GroupFacts {
  readonly committed: ReadonlyMap<number, bigint>;
  /** An offset was committed for an earlier topic of the name. */
  readonly isOfEarlierTopic: boolean;
  readonly operations: Answer<Operations>;
}

export interface BrokerFacts {
  readonly nodeId: number;
  /** Requests it doesn't speak in the version that is needed; why it gave no answer. */
  readonly lacks: Answer<readonly string[]>;
  readonly transactionVersion: number;
}

export interface BrokerSettings {
  /** Empty where everybody may do everything. */
  readonly authorizer: string;
  readonly defaultReplicationFactor: number;
  readonly maxTransactionTimeoutMs: number;
}

/** What is left to be relayed, in offsets: markers and gaps count too. */
export function backlogOf({ earliest, begin, end }: PartitionPosition): number {
  const from = begin > earliest ? begin : earliest;
  return end > from ? Number(end - from) : 0;
}

/** Replicas that a target has, or will have; undefined where nobody says. */
export function replicationOf({ found, creation }: TargetFacts, brokers: Answer<BrokerSettings>, asked: number) {
  if (found !== undefined) return Math.min(...found.partitions.map(({ replicas }) => replicas));
  if (asked > 0) return asked;
  const told = creation?.kind === "known" ? creation.value.replicationFactor : -1;
  if (told > 0) return told;
  return brokers.kind === "known" ? brokers.value.defaultReplicationFactor : undefined;
}
