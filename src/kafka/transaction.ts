import type { Logger } from "pino";
import { messageOf, SpillwayError } from "../errors.ts";
import { type Backoff, retry } from "../runtime/backoff.ts";
import { type Brokers, kafkaError } from "./cluster.ts";
import { offsetsToCommit } from "./committed-offsets.ts";
import { askForCoordinator } from "./coordinator.ts";
import { ERROR, errorName, isAuthorizationError, isCoordinatorMoved, isStaleMetadata } from "./error-codes.ts";
import type { Generation } from "./generation.ts";
import type { ProducerIdentity, ProducerSession } from "./producer-session.ts";
import { initProducerId, produce, produceInTransaction2 } from "./protocol/messages.ts";
import {
  addOffsetsToTxn,
  addPartitionsToTxn,
  apiVersions,
  endTxn1,
  endTxn2,
  txnOffsetCommit1,
  txnOffsetCommit2,
} from "./protocol/transaction-messages.ts";
import type { Position } from "./topic-partition.ts";

const BACKOFF: Backoff = { baseMs: 10, maxMs: 500 };

export interface TransactionOptions {
  /** Whoever opens with the same id ends the transaction of its last owner, and fences it. */
  readonly transactionalId: string;
  /** Milliseconds after which the coordinator aborts a transaction that isn't ended. */
  readonly transactionTimeoutMs: number;
  /** Milliseconds for one step of it, retries included. */
  readonly stepDeadlineMs: number;
}

/**
 * The transactions of one transactional id, one after the other.
 *
 * Guarantee: what was written and the offsets committed in a transaction are visible to read_committed readers together
 * or not at all; an earlier owner of the id can't add to them (KIP-98), nor its delayed requests (KIP-890, where the
 * cluster's transaction version is 2).
 *
 * After a failure nothing is known of the transaction: begin anew with the same id, which ends it.
 */
export class Transaction implements ProducerSession {
  readonly transactionalId: string;
  readonly produce: ProducerSession["produce"];
  /** Left out under version 2: the leader of a partition sees to it. */
  readonly enlist?: NonNullable<ProducerSession["enlist"]>;
  readonly #options: TransactionOptions;
  readonly #brokers: Brokers;
  readonly #signal: AbortSignal;
  readonly #log: Logger;
  readonly #version: 1 | 2;
  readonly #coordinators = new Map<string, number>();
  #identity: ProducerIdentity;

  private constructor(parts: TransactionParts, version: 1 | 2) {
    this.transactionalId = parts.transactionalId;
    this.produce = version === 2 ? produceInTransaction2 : produce;
    this.#options = parts;
    this.#brokers = parts.brokers;
    this.#signal = parts.signal;
    this.#log = parts.log;
    this.#version = version;
    this.#identity = { producerId: -1n, epoch: -1 };
    if (version === 1) this.enlist = (partitions) => this.#addPartitions(partitions);
  }

  /**
   * Ends the transaction that the id's last owner has left open, and takes the id over.
   * @throws SpillwayError TRANSACTION_FAILED, retryable; NOT_AUTHORIZED; CONFIG_INVALID for the time-out
   */
  static async open(parts: TransactionParts): Promise<Transaction> {
    const transaction = new Transaction(parts, await transactionVersion(parts));
    transaction.#identity = await transaction.#init();
    return transaction;
  }

  get identity(): ProducerIdentity {
    return this.#identity;
  }

  async #addPartitions(partitions: readonly { readonly topic: string; readonly partition: number }[]): Promise<void> {
    const { producerId, epoch } = this.#identity;
    const request = {
      v3AndBelowTransactionalId: this.transactionalId,
      v3AndBelowProducerId: producerId,
      v3AndBelowProducerEpoch: epoch,
      v3AndBelowTopics: [...Map.groupBy(partitions, ({ topic }) => topic)].map(([name, ofTopic]) => ({
        name,
        partitions: ofTopic.map(({ partition }) => partition),
      })),
    };
    await this.#step("Adding partitions to a transaction", "transaction", async (coordinator, what) => {
      const response = await this.#brokers.request(addPartitionsToTxn, request, coordinator);
      const results = response.resultsByTopicV3AndBelow.flatMap(({ name: topic, resultsByPartition }) =>
        resultsByPartition.map(({ partitionIndex, partitionErrorCode: code }) => ({ topic, partitionIndex, code })),
      );
      // One that is refused keeps the others from being tried: it is the one to tell of.
      const tried = results.filter(({ code }) => code !== ERROR.OPERATION_NOT_ATTEMPTED);
      for (const { topic, partitionIndex: partition, code } of tried) this.#check(what, code, { topic, partition });
    });
  }

  /**
   * Commits offsets in the transaction, under the generation and no other.
   * @throws SpillwayError FENCED if the generation is over, or the id has another owner; TRANSACTION_FAILED, retryable
   */
  async commitOffsets(positions: readonly Position[], generation: Generation): Promise<void> {
    const { group } = generation;
    const { producerId, epoch: producerEpoch } = this.#identity;
    const producer = { transactionalId: this.transactionalId, producerId, producerEpoch };
    if (this.#version === 1) {
      await this.#step("Adding offsets to a transaction", "transaction", async (coordinator, what) => {
        const { errorCode } = await this.#brokers.request(
          addOffsetsToTxn,
          { ...producer, groupId: group },
          coordinator,
        );
        this.#check(what, errorCode, { group });
      });
    }
    const request = {
      ...producer,
      groupId: group,
      generationId: generation.id,
      memberId: generation.memberId,
      groupInstanceId: generation.instanceId ?? null,
      topics: offsetsToCommit(positions),
    };
    const api = this.#version === 2 ? txnOffsetCommit2 : txnOffsetCommit1;
    await this.#step(
      "Committing offsets in a transaction",
      "group",
      async (coordinator, what) => {
        const { topics } = await this.#brokers.request(api, request, coordinator);
        for (const { name: topic, partitions } of topics) {
          for (const { partitionIndex: partition, errorCode } of partitions) {
            this.#check(what, errorCode, { topic, partition, group });
          }
        }
      },
      group,
    );
  }

  /**
   * Ends the transaction: all of it becomes visible, with its offsets. It must not be empty.
   * @throws SpillwayError FENCED, or TRANSACTION_FAILED, retryable: then it may have been committed or not
   */
  async commit(): Promise<void> {
    const { producerId, epoch: producerEpoch } = this.#identity;
    const request = { transactionalId: this.transactionalId, producerId, producerEpoch, committed: true };
    // An answer that is lost may be asked for again, with the same request: the coordinator knows what it did.
    await this.#step("Committing a transaction", "transaction", async (coordinator, what) => {
      if (this.#version === 1) {
        const { errorCode } = await this.#brokers.request(endTxn1, request, coordinator);
        this.#check(what, errorCode);
        return;
      }
      const answer = await this.#brokers.request(endTxn2, request, coordinator);
      this.#check(what, answer.errorCode);
      this.#identity = { producerId: answer.producerId, epoch: answer.producerEpoch };
    });
  }

  /**
   * Aborts what is open and fences what is still on its way: with a plain abort that could come behind it. It hits
   * whoever owns the id, so only the owner may do it.
   */
  async abort(): Promise<void> {
    // Not as the new owner: a commit that is still under way must stay fenced.
    await this.#init();
  }

  failure(code: number, what: string, context: SpillwayError["context"]): SpillwayError {
    const message = `${what}: ${errorName(code)}`;
    const details = { context: { ...context, kafkaCode: code } };
    if (isAuthorizationError(code) || REFUSED.has(code)) {
      const { transactionalId } = this;
      // Topics are written to in a transaction, but for those whose offsets a group commits.
      const operation = context.group === undefined ? "WRITE" : undefined;
      return kafkaError(what, code, { transactionalId, ...context }, operation);
    }
    if (FENCED.has(code)) return new SpillwayError("FENCED", message, details);
    return new SpillwayError("TRANSACTION_FAILED", message, { ...details, retryable: true });
  }

  async #init(): Promise<ProducerIdentity> {
    let identity = this.#identity;
    const { transactionTimeoutMs } = this.#options;
    const { transactionalId } = this;
    const request = { transactionalId, transactionTimeoutMs, producerId: -1n, producerEpoch: -1 };
    await this.#step("Taking over a transactional id", "transaction", async (coordinator, what) => {
      const {
        errorCode,
        producerId,
        producerEpoch: epoch,
      } = await this.#brokers.request(initProducerId, request, coordinator);
      if (errorCode === ERROR.INVALID_TRANSACTION_TIMEOUT) {
        throw new SpillwayError(
          "CONFIG_INVALID",
          `The brokers don't allow transactions of ${transactionTimeoutMs} ms`,
          {
            context: { hint: "Choose less than their transaction.max.timeout.ms" },
          },
        );
      }
      this.#check(what, errorCode);
      identity = { producerId, epoch };
    });
    this.#log.debug({ transactionalId, transactionVersion: this.#version, ...identity }, "transactional id is ours");
    return identity;
  }

  /** One step, tried until it succeeds, at whichever broker the coordinator is by then. */
  async #step(
    what: string,
    of: "group" | "transaction",
    operation: (coordinator: number, what: string) => Promise<void>,
    key = this.transactionalId,
  ): Promise<void> {
    try {
      await retry(async () => operation(await this.#coordinator(of, key), what), {
        signal: this.#signal,
        backoff: BACKOFF,
        deadlineMs: this.#options.stepDeadlineMs,
        retryable: (error) => error instanceof SpillwayError && error.retryable && error.code !== "TRANSACTION_FAILED",
        onRetry: (error, attempt) => {
          if (!isConcurrent(error)) this.#coordinators.delete(`${of}/${key}`);
          if (attempt === 10) this.#log.warn({ error: messageOf(error) }, `${what} fails, trying again`);
        },
      });
    } catch (error) {
      if (!(error instanceof SpillwayError) || !error.retryable || error.code === "TRANSACTION_FAILED") throw error;
      throw new SpillwayError("TRANSACTION_FAILED", messageOf(error), { cause: error, retryable: true });
    }
  }

  async #coordinator(of: "group" | "transaction", key: string): Promise<number> {
    const cached = this.#coordinators.get(`${of}/${key}`);
    if (cached !== undefined) return cached;
    await this.#brokers.topics([]); // learns where the brokers are
    const { nodeId, errorCode } = await askForCoordinator(this.#brokers, of, key);
    this.#check("Finding a coordinator", errorCode, of === "group" ? { group: key } : {});
    this.#coordinators.set(`${of}/${key}`, nodeId);
    return nodeId;
  }

  #check(what: string, code: number, context: SpillwayError["context"] = {}): void {
    if (code === ERROR.NONE) return;
    if (!isCoordinatorMoved(code) && !isStaleMetadata(code) && code !== ERROR.CONCURRENT_TRANSACTIONS) {
      throw this.failure(code, what, context);
    }
    throw new SpillwayError("PROTOCOL", `${what}: ${errorName(code)}`, {
      retryable: true,
      context: { ...context, kafkaCode: code },
    });
  }
}

interface TransactionParts extends TransactionOptions {
  readonly brokers: Brokers;
  readonly signal: AbortSignal;
  readonly log: Logger;
}

/** Another owner of the id, or another generation of the group. */
const FENCED: ReadonlySet<number> = new Set([
  ERROR.INVALID_PRODUCER_EPOCH,
  ERROR.PRODUCER_FENCED,
  ERROR.ILLEGAL_GENERATION,
  ERROR.UNKNOWN_MEMBER_ID,
  ERROR.FENCED_INSTANCE_ID,
]);

/**
 * Another owner has the id by now, or the coordinator has given the transaction up: either way it has been aborted, and
 * to abort once more would hit what the new owner does.
 */
export function isProducerFenced(error: unknown): boolean {
  const code = error instanceof SpillwayError ? error.context.kafkaCode : undefined;
  return code === ERROR.INVALID_PRODUCER_EPOCH || code === ERROR.PRODUCER_FENCED;
}

/** What is to be written can't be, ever: begun anew, the next transaction would end the same way. */
const REFUSED: ReadonlySet<number> = new Set([
  ERROR.INVALID_TIMESTAMP,
  ERROR.POLICY_VIOLATION,
  ERROR.UNSUPPORTED_COMPRESSION_TYPE,
  ERROR.INVALID_RECORD,
]);

function isConcurrent(error: unknown): boolean {
  return error instanceof SpillwayError && error.context.kafkaCode === ERROR.CONCURRENT_TRANSACTIONS;
}

/** What the cluster has agreed on; the versions of requests that a broker knows say nothing of it. */
async function transactionVersion({ brokers, signal, stepDeadlineMs }: TransactionParts): Promise<1 | 2> {
  const request = { clientSoftwareName: "spillway", clientSoftwareVersion: "1" };
  const { finalizedFeatures = [] } = await retry(() => brokers.request(apiVersions, request, "any"), {
    signal,
    backoff: BACKOFF,
    deadlineMs: stepDeadlineMs,
  });
  const feature = finalizedFeatures.find(({ name }) => name === "transaction.version");
  return (feature?.maxVersionLevel ?? 0) >= 2 ? 2 : 1;
}
