import { SpillwayError } from "../errors.ts";
import { type Backoff, retry } from "../runtime/backoff.ts";
import { type Brokers, kafkaError } from "./cluster.ts";
import { ERROR, errorName, isCoordinatorMoved } from "./error-codes.ts";
import { initProducerId, type produce } from "./protocol/messages.ts";

/** A producer as the brokers know it: its batches are told apart by id, epoch and sequence. */
export interface ProducerIdentity {
  readonly producerId: bigint;
  readonly epoch: number;
}

/** As which producer a `Writer` writes. */
export interface ProducerSession {
  readonly transactionalId: string | null;
  readonly produce: typeof produce;
  /** Of batches sent from now on. */
  readonly identity: ProducerIdentity;
  /** Resolves once these partitions may be written to in the transaction. Left out where nobody has to be told. */
  enlist?(partitions: readonly { readonly topic: string; readonly partition: number }[]): Promise<void>;
  /** The error for a code that no retry helps against. */
  failure(code: number, what: string, context: SpillwayError["context"]): SpillwayError;
}

/** Brokers give producer ids to whoever may write to any topic at all. */
const WRITES_NOWHERE = "Grant WRITE on the topics that are written to, to this user";

const BACKOFF: Backoff = { baseMs: 20, maxMs: 1_000 };

/**
 * A producer id for an idempotent producer.
 * @throws SpillwayError NOT_AUTHORIZED, BROKER_UNREACHABLE
 */
export async function newProducerIdentity(
  brokers: Brokers,
  { signal, deadlineMs }: { readonly signal: AbortSignal; readonly deadlineMs: number },
): Promise<ProducerIdentity> {
  const request = { transactionalId: null, transactionTimeoutMs: 60_000, producerId: -1n, producerEpoch: -1 };
  return await retry(
    async () => {
      const { errorCode, producerId, producerEpoch: epoch } = await brokers.request(initProducerId, request, "any");
      if (errorCode === ERROR.NONE) return { producerId, epoch };
      if (!isCoordinatorMoved(errorCode))
        throw kafkaError("Getting a producer id", errorCode, { hint: WRITES_NOWHERE });
      throw new SpillwayError("PROTOCOL", `Getting a producer id: ${errorName(errorCode)}`, { retryable: true });
    },
    { signal, backoff: BACKOFF, deadlineMs },
  );
}
