import type { Logger } from "pino";
import { isRetryable, SpillwayError } from "../errors.ts";
import type { TopicPartition } from "../kafka/topic-partition.ts";
import { TransactionalWriter } from "../kafka/transactional-writer.ts";
import { Writer } from "../kafka/writer.ts";
import { AtLeastOnce } from "./at-least-once.ts";
import type { Delivery, DeliveryParts } from "./delivery.ts";
import { ExactlyOnce } from "./exactly-once.ts";
import type { RelayOptions } from "./options.ts";

/** How the relay delivers. */
export interface Guarantee extends AsyncDisposable {
  /** What of an assignment is read, written and committed together. */
  shares(assignment: readonly TopicPartition[]): readonly (readonly TopicPartition[])[];
  /** @throws SpillwayError those of opening a writer and of `Generation.positions` */
  open(share: readonly TopicPartition[], parts: DeliveryParts): Promise<Delivery>;
  /** After this error the share may be opened again: it goes on where it is committed. */
  canBeginAnew(error: unknown): boolean;
}

interface Context {
  readonly signal: AbortSignal;
  readonly log: Logger;
}

export async function openGuarantee(options: RelayOptions, context: Context): Promise<Guarantee> {
  return options.guarantee === "exactly-once" ? exactlyOnce(options, context) : await atLeastOnce(options, context);
}

/** One idempotent producer for all, as long as the relay runs. */
async function atLeastOnce(options: RelayOptions, { signal, log }: Context): Promise<Guarantee> {
  const writer = await Writer.open({ ...options, signal, log });
  return {
    shares: together,
    open: async (share, parts) => {
      const positions = await parts.generation.positions(share);
      return new AtLeastOnce({ ...parts, positions, writer });
    },
    // Its writer is of no use any more, and what it has written can't be taken back.
    canBeginAnew: () => false,
    [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
  };
}

function together(assignment: readonly TopicPartition[]): readonly (readonly TopicPartition[])[] {
  return assignment.length === 0 ? [] : [assignment];
}

/**
 * A producer with a transactional id for each source partition: whoever gets the partition next ends the transaction
 * that its last owner left open, at once, whatever had become of that owner. Or one for each static member, where there
 * are so many partitions that producers for all would be a burden.
 */
function exactlyOnce(options: RelayOptions, { signal, log }: Context): Guarantee {
  const { kafka, group, transactionTimeoutMs, transactionPer } = options;
  const { instanceId } = group;
  if (transactionPer === "member" && instanceId === undefined) {
    throw new SpillwayError("CONFIG_INVALID", "A transaction for each member needs static members", {
      context: { hint: "Give every instance an instance id of its own" },
    });
  }
  return {
    shares: (assignment) =>
      transactionPer === "member" ? together(assignment) : assignment.map((partition) => [partition]),
    open: async (share, parts) => {
      const [{ topic, partition }] = share as readonly [TopicPartition];
      const name = transactionPer === "member" ? `${instanceId}` : `${topic}-${partition}`;
      const transactionalId = `spillway-relay:${group.group}:${name}`;
      const writer = await TransactionalWriter.open({
        ...{ kafka, log, signal: AbortSignal.any([signal, parts.generation.signal]) },
        transaction: { transactionalId, transactionTimeoutMs, stepDeadlineMs: transactionTimeoutMs },
        ...(options.writer === undefined ? {} : { writer: options.writer }),
      });
      try {
        // Not before the id is taken over: only then is it settled what the last owner has committed.
        const positions = await parts.generation.positions(share);
        return new ExactlyOnce({ ...parts, positions, writer });
      } catch (error) {
        await writer[Symbol.asyncDispose]();
        throw error;
      }
    },
    canBeginAnew: (error) => isRetryable(error) || (error instanceof SpillwayError && BEGUN_ANEW.has(error.code)),
    [Symbol.asyncDispose]: async () => {},
  };
}

/** Not worth trying again by themselves, but a transaction that failed by them is undone and can be done again. */
const BEGUN_ANEW: ReadonlySet<string> = new Set(["DELIVERY_FAILED", "FENCED"]);
