import type { Logger } from "pino";
import { isRetryable, messageOf, SpillwayError } from "../errors.ts";
import { pause, retry } from "../runtime/backoff.ts";
import { type Brokers, kafkaError } from "./cluster.ts";
import { assertSameTopic, offsetsToCommit } from "./committed-offsets.ts";
import { ERROR, errorName, isCoordinatorMoved } from "./error-codes.ts";
import type { GroupOptions } from "./group-member.ts";
import { fetchOffsets } from "./group-offsets.ts";
import { EARLIEST, LATEST, offsetsAt } from "./offsets.ts";
import { heartbeat, offsetCommit } from "./protocol/messages.ts";
import { type Position, partitionKey, type TopicPartition } from "./topic-partition.ts";

const BACKOFF = { baseMs: 50, maxMs: 1_000 };

/** One generation of a group, as one of its members lives through it. */
export interface Generation {
  readonly group: string;
  readonly id: number;
  readonly memberId: string;
  /** Of a static member. */
  readonly instanceId: string | undefined;
  readonly assignment: readonly TopicPartition[];
  /**
   * Aborted when it is over: the group rebalances, the member was expelled, or it is told to stop. Heartbeats go on
   * until the body of the loop returns, so there is time to drain.
   */
  readonly signal: AbortSignal;
  /**
   * Where to read on in partitions assigned, all unless told: what the group committed, or else by its reset policy.
   * @throws SpillwayError TOPIC_RECREATED, OFFSET_OUT_OF_RANGE (nothing committed and told to stop then)
   */
  positions(partitions?: readonly TopicPartition[]): Promise<readonly Position[]>;
  /**
   * Commits, under this generation and no other.
   * @throws SpillwayError FENCED where the coordinator has gone on to another generation: somebody else may read these
   *   partitions now, and will read from the last commit on
   */
  commit(positions: readonly Position[]): Promise<void>;
  /** Asks the coordinator. @throws SpillwayError FENCED if it is over */
  confirm(): Promise<void>;
}

export class LivingGeneration implements Generation {
  readonly group: string;
  readonly instanceId: string | undefined;
  readonly id: number;
  readonly memberId: string;
  readonly assignment: readonly TopicPartition[];
  readonly signal: AbortSignal;
  /** True once the coordinator has said that it doesn't know this member (any more). */
  memberIsUnknown = false;

  readonly #over = new AbortController();
  readonly #ended = new AbortController();
  readonly #findCoordinator: () => Promise<number>;
  readonly #hasChanged: (() => Promise<boolean>) | undefined;
  readonly #brokers: Brokers;
  readonly #options: GroupOptions;
  readonly #log: Logger;
  readonly #heartbeats: Promise<void>;
  #coordinator: number;

  constructor(parts: {
    readonly id: number;
    readonly memberId: string;
    readonly assignment: readonly TopicPartition[];
    readonly coordinator: number;
    readonly findCoordinator: () => Promise<number>;
    readonly hasChanged: (() => Promise<boolean>) | undefined;
    readonly brokers: Brokers;
    readonly group: GroupOptions;
    readonly signal: AbortSignal;
    readonly log: Logger;
  }) {
    this.id = parts.id;
    this.memberId = parts.memberId;
    this.assignment = parts.assignment;
    this.#coordinator = parts.coordinator;
    this.#findCoordinator = parts.findCoordinator;
    this.#hasChanged = parts.hasChanged;
    this.#brokers = parts.brokers;
    this.#options = parts.group;
    this.group = parts.group.group;
    this.instanceId = parts.group.instanceId;
    this.#log = parts.log;
    this.signal = AbortSignal.any([parts.signal, this.#over.signal]);
    this.#heartbeats = this.#beat();
  }

  /** Stops the heartbeats. The member's loop calls it when the body has returned. */
  async end(): Promise<void> {
    this.#over.abort();
    // A commit that is still tried, or only comes now, ends as any other that comes too late.
    this.#ended.abort(new SpillwayError("FENCED", `Generation ${this.id} is over`));
    await this.#heartbeats;
  }

  async positions(partitions = this.assignment): Promise<readonly Position[]> {
    if (partitions.length === 0) return [];
    const committed = await this.#retry("Reading committed offsets", () => this.#fetchCommitted(partitions));
    const without = partitions.filter((partition) => !committed.has(partitionKey(partition)));
    const { offsetReset, group } = this.#options;
    const [first] = without;
    const inOrder = () => partitions.flatMap((partition) => committed.get(partitionKey(partition)) ?? []);
    if (first === undefined) return inOrder();
    if (offsetReset === "stop") {
      throw new SpillwayError("OFFSET_OUT_OF_RANGE", "The group has committed nothing here yet", {
        context: {
          topic: first.topic,
          partition: first.partition,
          group,
          hint: "Choose where to begin by offset-reset",
        },
      });
    }
    const timestamp = offsetReset === "earliest" ? EARLIEST : LATEST;
    const begin = await this.#retry("Finding where to begin", () =>
      offsetsAt(this.#brokers, without, timestamp, "read_committed"),
    );
    // The end moves on: unless it is kept, whoever asks again before the first commit skips what has come since.
    if (offsetReset === "latest") await this.commit(begin);
    for (const position of begin) committed.set(partitionKey(position), position);
    return inOrder();
  }

  async commit(positions: readonly Position[]): Promise<void> {
    if (positions.length === 0) return;
    const request = {
      groupId: this.group,
      generationIdOrMemberEpoch: this.id,
      memberId: this.memberId,
      groupInstanceId: this.instanceId ?? null,
      topics: offsetsToCommit(positions),
    };
    await this.#retry("Committing", async () => {
      const response = await this.#brokers.request(offsetCommit, request, this.#coordinator);
      for (const { name: topic, partitions } of response.topics) {
        for (const { partitionIndex: partition, errorCode } of partitions)
          this.#check("Committing", errorCode, { topic, partition });
      }
    });
  }

  async confirm(): Promise<void> {
    const { id: generationId, memberId } = this;
    const request = { groupId: this.group, generationId, memberId, groupInstanceId: this.instanceId ?? null };
    await this.#retry("Confirming the generation", async () => {
      const { errorCode } = await this.#brokers.request(heartbeat, request, this.#coordinator);
      this.#check("Confirming the generation", errorCode);
    });
  }

  async #fetchCommitted(partitions: readonly TopicPartition[]): Promise<Map<string, Position>> {
    const offsets = await fetchOffsets(this.#brokers, this.#coordinator, {
      group: this.group,
      partitions,
      requireStable: true,
      check: (code, place) => this.#check("Reading committed offsets", code, place),
    });
    const committed = new Map<string, Position>();
    for (const { offset, metadata, ...place } of offsets) {
      const partition = partitions.find((own) => own.topic === place.topic && own.partition === place.partition);
      if (partition === undefined) continue;
      assertSameTopic({ ...partition, offset }, metadata, this.group);
      committed.set(partitionKey(partition), { ...partition, offset });
    }
    return committed;
  }

  /** Heartbeats until the end, whatever they answer: the coordinator must know that a draining member still lives. */
  async #beat(): Promise<void> {
    const { heartbeatMs, sessionTimeoutMs, metadataRefreshMs, group, instanceId } = this.#options;
    let lastAnswer = performance.now();
    let lastLook = performance.now();
    const request = {
      groupId: group,
      generationId: this.id,
      memberId: this.memberId,
      groupInstanceId: instanceId ?? null,
    };
    while (!this.#ended.signal.aborted) {
      await pause(heartbeatMs, this.#ended.signal).catch(() => {});
      if (this.#ended.signal.aborted) return;
      try {
        const { errorCode } = await this.#brokers.request(heartbeat, request, this.#coordinator);
        if (this.#ended.signal.aborted) return;
        if (isCoordinatorMoved(errorCode)) {
          this.#coordinator = await this.#findCoordinator();
          continue;
        }
        lastAnswer = performance.now();
        if (errorCode === ERROR.REBALANCE_IN_PROGRESS) this.#finish("the group rebalances");
        else if (errorCode !== ERROR.NONE) this.#expelled(errorCode);
        if (this.#hasChanged !== undefined && performance.now() - lastLook > metadataRefreshMs) {
          lastLook = performance.now();
          if (await this.#hasChanged()) this.#finish("a topic has got more partitions");
        }
      } catch (error) {
        if (this.#ended.signal.aborted) return;
        this.#log.debug({ error: messageOf(error) }, "a heartbeat failed");
        if (performance.now() - lastAnswer > sessionTimeoutMs)
          this.#finish("no heartbeat was answered for a session time-out");
        await this.#refreshCoordinator();
      }
    }
  }

  async #refreshCoordinator(): Promise<void> {
    try {
      // The metadata says where brokers are, and so whether there is still one with the coordinator's id.
      await this.#brokers.topics([]);
      this.#coordinator = await this.#findCoordinator();
    } catch (error) {
      this.#log.debug({ error: messageOf(error) }, "the coordinator can't be found at the moment");
    }
  }

  async #retry<T>(what: string, operation: () => Promise<T>): Promise<T> {
    try {
      return await retry(operation, {
        signal: this.#ended.signal,
        backoff: BACKOFF,
        deadlineMs: this.#options.sessionTimeoutMs,
        onRetry: (error, attempt) => {
          if (attempt === 3) this.#log.warn({ error: messageOf(error) }, `${what} fails, trying again`);
          void this.#refreshCoordinator();
        },
      });
    } catch (error) {
      // The coordinator has not answered for a whole session: by now others may own the partitions.
      if (isRetryable(error)) this.#finish(`${what} took longer than a session time-out`);
      throw error;
    }
  }

  #check(what: string, code: number, place: { topic?: string; partition?: number } = {}): void {
    if (code === ERROR.NONE) return;
    const context = { ...place, group: this.group, kafkaCode: code };
    if (isCoordinatorMoved(code) || code === ERROR.UNSTABLE_OFFSET_COMMIT) {
      throw new SpillwayError("PROTOCOL", `${what}: ${errorName(code)}`, { retryable: true, context });
    }
    if (EXPELLED.has(code) || code === ERROR.REBALANCE_IN_PROGRESS) {
      if (code !== ERROR.REBALANCE_IN_PROGRESS) this.#expelled(code);
      throw new SpillwayError("FENCED", `${what} came after generation ${this.id} was over: ${errorName(code)}`, {
        context,
      });
    }
    throw kafkaError(what, code, context);
  }

  #expelled(code: number): void {
    if (code === ERROR.UNKNOWN_MEMBER_ID) this.memberIsUnknown = true;
    this.#finish(`the coordinator answered ${errorName(code)}`);
  }

  #finish(reason: string): void {
    if (this.#over.signal.aborted) return;
    this.#log.info({ generation: this.id, reason }, "generation is over");
    this.#over.abort(new SpillwayError("FENCED", reason));
  }
}

/** The coordinator has gone on without this member. */
const EXPELLED: ReadonlySet<number> = new Set([
  ERROR.ILLEGAL_GENERATION,
  ERROR.UNKNOWN_MEMBER_ID,
  ERROR.FENCED_INSTANCE_ID,
]);
