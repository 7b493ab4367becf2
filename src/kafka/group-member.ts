import type { Logger } from "pino";
import { isRetryable, messageOf, SpillwayError } from "../errors.ts";
import { backoffMs, pause, retry } from "../runtime/backoff.ts";
import { withDeadline } from "../runtime/deadline.ts";
import { assignPartitions } from "./assignor.ts";
import { Brokers, kafkaError, type TopicMetadata } from "./cluster.ts";
import { askForCoordinator } from "./coordinator.ts";
import { ERROR, errorName, isCoordinatorMoved } from "./error-codes.ts";
import { type Generation, LivingGeneration } from "./generation.ts";
import { topicMissing } from "./offsets.ts";
import type { KafkaOptions } from "./options.ts";
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from "./protocol/consumer-protocol.ts";
import { joinGroup, leaveGroup, syncGroup } from "./protocol/messages.ts";
import type { TopicPartition } from "./topic-partition.ts";

const PROTOCOL_TYPE = "consumer";
const PROTOCOL_NAME = "spillway-sticky";
const BACKOFF = { baseMs: 100, maxMs: 5_000 };
const LEAVE_DEADLINE_MS = 3_000;

/** What to do in a partition for which the group has committed nothing yet. */
export type OffsetReset = "earliest" | "latest" | "stop";

export interface GroupOptions {
  readonly group: string;
  readonly topics: readonly string[];
  /** Milliseconds without a heartbeat after which the coordinator gives the member up. */
  readonly sessionTimeoutMs: number;
  readonly heartbeatMs: number;
  /** Milliseconds a member has to finish what it holds when the group rebalances. More than any drain takes. */
  readonly rebalanceTimeoutMs: number;
  readonly offsetReset: OffsetReset;
  /** Makes the membership static: the partitions wait for this member's return for the session time-out. */
  readonly instanceId?: string | undefined;
  /** Milliseconds between looks whether topics have got more partitions. */
  readonly metadataRefreshMs: number;
}

export const GROUP_DEFAULTS = {
  sessionTimeoutMs: 30_000,
  heartbeatMs: 3_000,
  rebalanceTimeoutMs: 60_000,
  offsetReset: "earliest",
  metadataRefreshMs: 60_000,
} as const satisfies Partial<GroupOptions>;

/**
 * A member of a consumer group, by the classic protocol (JoinGroup, SyncGroup, Heartbeat).
 *
 * Its life is a series of generations. Between two of them it owns nothing: the body of the loop over `generations`
 * must have committed or abandoned everything of one before it asks for the next. Partitions mostly come back to whom
 * they belonged (the assignment is sticky), so a rebalance costs a pause but moves little.
 */
export class GroupMember implements AsyncDisposable {
  readonly #options: GroupOptions & { readonly kafka: KafkaOptions };
  readonly #signal: AbortSignal;
  readonly #log: Logger;
  readonly #brokers: Brokers;
  #memberId = "";
  /** The last generation lived through, and what was owned in it: tells the leader what to give back. */
  #last: Generation | undefined;

  constructor(
    options: GroupOptions & { readonly kafka: KafkaOptions; readonly signal: AbortSignal; readonly log: Logger },
  ) {
    this.#options = options;
    this.#signal = options.signal;
    this.#log = options.log.child({ group: options.group });
    this.#brokers = new Brokers(options.kafka, options.log);
  }

  /**
   * Yields each generation as it begins, until the member's signal is aborted.
   * @throws SpillwayError TOPIC_MISSING, NOT_AUTHORIZED, AUTHENTICATION_FAILED, BROKER_UNREACHABLE (at the start only:
   *   later on brokers are waited for), FENCED (another process has this static member's id)
   */
  async *generations(): AsyncGenerator<Generation, void, undefined> {
    await this.#brokers.connect(this.#signal, this.#log);
    while (!this.#signal.aborted) {
      const generation = await this.#enter();
      if (generation === undefined) return;
      try {
        yield generation;
      } finally {
        await generation.end();
        this.#last = generation;
        if (generation.memberIsUnknown) this.#memberId = "";
      }
    }
  }

  /** Leaves the group, so that its partitions go to others at once (a static member keeps its place), and disconnects. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.#memberId !== "" && this.#options.instanceId === undefined) {
        // A JoinGroup that is held back at the coordinator holds back what follows on its connection.
        await using brokers = new Brokers(this.#options.kafka, this.#log);
        await withDeadline(this.#leave(brokers), LEAVE_DEADLINE_MS, "Leaving the group");
      }
    } catch (error) {
      this.#log.warn(
        { error: messageOf(error) },
        "could not leave the group; the session time-out will end the membership",
      );
    } finally {
      await this.#brokers[Symbol.asyncDispose]();
    }
  }

  /** Joins until it has an assignment; undefined once the signal is aborted. */
  async #enter(): Promise<LivingGeneration | undefined> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await untilAborted(this.#join(), this.#signal);
      } catch (error) {
        if (this.#signal.aborted) return undefined;
        if (!isRetryable(error)) throw error;
        if (attempt % 5 === 0)
          this.#log.warn({ attempt, error: messageOf(error) }, "joining the group fails, trying again");
        try {
          await pause(backoffMs(attempt, BACKOFF), this.#signal);
        } catch {
          return undefined;
        }
      }
    }
  }

  async #join(): Promise<LivingGeneration> {
    const { group, topics, instanceId, sessionTimeoutMs, rebalanceTimeoutMs } = this.#options;
    const metadata = await this.#describe();
    const coordinator = await this.#coordinator();
    const owned = groupByTopic(this.#last?.assignment ?? []);
    const joined = await this.#brokers.request(
      joinGroup,
      {
        groupId: group,
        sessionTimeoutMs,
        rebalanceTimeoutMs,
        memberId: this.#memberId,
        groupInstanceId: instanceId ?? null,
        protocolType: PROTOCOL_TYPE,
        protocols: [
          { name: PROTOCOL_NAME, metadata: encodeSubscription({ topics, owned, ownedIn: this.#last?.id ?? -1 }) },
        ],
        reason: null,
      },
      coordinator,
      rebalanceTimeoutMs,
    );
    if (joined.errorCode === ERROR.MEMBER_ID_REQUIRED) {
      this.#memberId = joined.memberId;
      return await this.#join();
    }
    this.#check("Joining the group", joined.errorCode);
    this.#memberId = joined.memberId;

    const isLeader = joined.leader === joined.memberId;
    const synced = await this.#brokers.request(
      syncGroup,
      {
        groupId: group,
        generationId: joined.generationId,
        memberId: joined.memberId,
        groupInstanceId: instanceId ?? null,
        protocolType: PROTOCOL_TYPE,
        protocolName: PROTOCOL_NAME,
        assignments: isLeader && !joined.skipAssignment ? await this.#assign(joined.members) : [],
      },
      coordinator,
      rebalanceTimeoutMs,
    );
    this.#check("Synchronising the group", synced.errorCode);
    const assignment = decodeAssignment(synced.assignment).flatMap(({ topic, partitions }) =>
      partitions.map((partition) => ({ topic, topicId: topicIdOf(topic, metadata), partition })),
    );
    this.#log.info(
      { generation: joined.generationId, memberId: joined.memberId, leader: isLeader, partitions: assignment.length },
      "joined the group",
    );
    // Whoever was waiting for this has gone: nobody would end the heartbeats.
    this.#signal.throwIfAborted();
    // A static leader that comes back isn't asked: what its last assignment was made for, nobody knows.
    const dealt = joined.skipAssignment ? "unknown" : partitionCounts(metadata);
    return new LivingGeneration({
      id: joined.generationId,
      memberId: joined.memberId,
      assignment,
      coordinator,
      findCoordinator: () => this.#coordinator(),
      // Only the leader can deal new partitions out, so only the leader looks for them.
      hasChanged: isLeader ? async () => partitionCounts(await this.#describe()) !== dealt : undefined,
      brokers: this.#brokers,
      group: this.#options,
      signal: this.#signal,
      log: this.#log,
    });
  }

  async #describe(): Promise<readonly TopicMetadata[]> {
    const { topics } = this.#options;
    const metadata = await this.#brokers.topics(topics);
    const missing = topics.find((topic) => !metadata.some((described) => described.topic === topic));
    if (missing !== undefined) throw topicMissing(missing);
    return metadata;
  }

  async #coordinator(brokers = this.#brokers): Promise<number> {
    const { group } = this.#options;
    const { nodeId, errorCode } = await askForCoordinator(brokers, "group", group);
    this.#check("Finding the group's coordinator", errorCode);
    return nodeId;
  }

  async #assign(members: readonly { readonly memberId: string; readonly metadata: Buffer }[]) {
    const decoded = members.map(({ memberId, metadata }) => {
      const { topics, owned, ownedIn } = decodeSubscription(metadata);
      return {
        id: memberId,
        topics,
        owned: owned.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition }))),
        ownedIn,
      };
    });
    // Members may subscribe to different topics while a new version of a service is rolled out.
    const all = await this.#brokers.topics([...new Set(decoded.flatMap(({ topics }) => topics))]);
    const assigned = assignPartitions(decoded, new Map(all.map(({ topic, partitions }) => [topic, partitions.length])));
    return [...assigned].map(([memberId, slots]) => ({ memberId, assignment: encodeAssignment(groupByTopic(slots)) }));
  }

  async #leave(brokers: Brokers): Promise<void> {
    const { group } = this.#options;
    const members = [{ memberId: this.#memberId, groupInstanceId: null, reason: "closing" }];
    const leave = async () => {
      await brokers.topics([]); // learns where the brokers are
      return await brokers.request(leaveGroup, { groupId: group, members }, await this.#coordinator(brokers));
    };
    const response = await retry(leave, {
      signal: AbortSignal.timeout(LEAVE_DEADLINE_MS),
      backoff: BACKOFF,
      deadlineMs: LEAVE_DEADLINE_MS,
    });
    const codes = [response.errorCode, ...response.members.map(({ errorCode }) => errorCode)];
    const failed = codes.find((code) => code !== ERROR.NONE && code !== ERROR.UNKNOWN_MEMBER_ID);
    if (failed !== undefined) throw kafkaError("Leaving the group", failed, { group });
    this.#memberId = "";
  }

  #check(what: string, code: number): void {
    const { group } = this.#options;
    if (code === ERROR.NONE) return;
    if (code === ERROR.UNKNOWN_MEMBER_ID) this.#memberId = "";
    if (isCoordinatorMoved(code) || REJOIN.has(code)) {
      throw new SpillwayError("PROTOCOL", `${what}: ${errorName(code)}`, {
        retryable: true,
        context: { group, kafkaCode: code },
      });
    }
    if (code === ERROR.FENCED_INSTANCE_ID) {
      throw new SpillwayError("FENCED", `${what}: another process is the static member ${this.#options.instanceId}`, {
        context: { group, kafkaCode: code, hint: "Give every instance an instance id of its own" },
      });
    }
    const hint =
      code === ERROR.INCONSISTENT_GROUP_PROTOCOL
        ? "Other kinds of consumers are in this group: choose another group, or stop them first"
        : undefined;
    throw kafkaError(what, code, { group, ...(hint === undefined ? {} : { hint }) });
  }
}

/** After these the member simply joins again. */
const REJOIN: ReadonlySet<number> = new Set([
  ERROR.UNKNOWN_MEMBER_ID,
  ERROR.ILLEGAL_GENERATION,
  ERROR.REBALANCE_IN_PROGRESS,
]);

function groupByTopic(slots: readonly { readonly topic: string; readonly partition: number }[]) {
  return [...Map.groupBy(slots, ({ topic }) => topic)].map(([topic, ofTopic]) => ({
    topic,
    partitions: ofTopic.map(({ partition }) => partition),
  }));
}

function topicIdOf(topic: string, metadata: readonly TopicMetadata[]): TopicPartition["topicId"] {
  const described = metadata.find((candidate) => candidate.topic === topic);
  if (described === undefined) throw topicMissing(topic);
  return described.topicId;
}

function partitionCounts(metadata: readonly TopicMetadata[]): string {
  return metadata
    .map(({ topic, partitions }) => `${topic}=${partitions.length}`)
    .toSorted()
    .join();
}

/** The work's result, unless the signal is aborted first: then its reason is thrown, and the work's end ignored. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
    work.catch(() => {});
  }
}
