import type { Logger } from "pino";
import { isRetryable, SpillwayError } from "../errors.ts";
import type { TopicPartition } from "../kafka/topic-partition.ts";
import { TransactionalWriter } from "../kafka/transactional-writer.ts";
import { WRITER_DEFAULTS, Writer } from "../kafka/writer.ts";
import { AtLeastOnce } from "./at-least-once.ts";
import type { Delivery, DeliveryParts } from "./delivery.ts";
import { ExactlyOnce } from "./exactly-once.ts";
import { type RelayOptions, transactionalIdOf } from "./options.ts";

/** How the relay delivers. */
export interface Guarantee {
  /** What of an assignment is read, written and committed together. */
  shares(assignment: readonly TopicPartition[]): readonly (readonly TopicPartition[])[];
  /** @throws SpillwayError those of opening a writer and of `Generation.positions` */
  open(share: readonly TopicPartition[], parts: DeliveryParts): Promise<Delivery>;
}

interface Context {
  readonly signal: AbortSignal;
  readonly log: Logger;
}

export function openGuarantee(options: RelayOptions, context: Context): Guarantee {
  return options.guarantee === "exactly-once" ? exactlyOnce(options, context) : atLeastOnce(options, context);
}

/** An idempotent producer for each generation: what it has not written by the end of it must not be written later. */
function atLeastOnce(options: RelayOptions, { signal, log }: Context): Guarantee {
  return {
    shares: together,
    open: async (share, parts) => {
      const opening = AbortSignal.any([signal, parts.generation.signal]);
      await using stack = new AsyncDisposableStack();
      const writer = stack.use(await Writer.open({ ...options, signal: opening, log }));
      const positions = await parts.generation.positions(share);
      stack.move(); // the delivery closes it from now on
      return new AtLeastOnce({ ...parts, positions, writer });
    },
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
  // A batch that has waited for longer, for its turn and for its answer, belongs to a transaction that is over by now.
  const { deliveryTimeoutMs: asked } = { ...WRITER_DEFAULTS, ...options.writer };
  const deliveryTimeoutMs = Math.min(asked, 2 * transactionTimeoutMs);
  if (transactionPer === "member" && instanceId === undefined) {
    throw new SpillwayError("CONFIG_INVALID", "A transaction for each member needs static members", {
      context: { hint: "Give every instance an instance id of its own" },
    });
  }
  return {
    shares: (assignment) =>
      transactionPer === "member" ? together(assignment) : assignment.map((partition) => [partition]),
    open: async (share, parts) => {
      const transactionalId = transactionalIdOf(options, (share as readonly [TopicPartition])[0]);
      await using stack = new AsyncDisposableStack();
      const writer = stack.use(
        await TransactionalWriter.open({
          ...{ kafka, log, signal: AbortSignal.any([signal, parts.generation.signal]) },
          transaction: { transactionalId, transactionTimeoutMs, stepDeadlineMs: transactionTimeoutMs },
          writer: { ...options.writer, deliveryTimeoutMs },
        }),
      );
      // Not before the id is taken over: only then is it settled what the last owner has committed.
      const positions = await parts.generation.positions(share);
      stack.move(); // the delivery closes it from now on
      return new ExactlyOnce({ ...parts, positions, writer });
    },
  };
}

/** After this error a share may be opened again: it goes on where it is committed. */
export function canBeginAnew(error: unknown): boolean {
  return isRetryable(error) || (error instanceof SpillwayError && BEGUN_ANEW.has(error.code));
}

/** Not worth trying again by themselves, but what failed by them can be done again from the last commit on. */
const BEGUN_ANEW: ReadonlySet<string> = new Set(["DELIVERY_FAILED", "FENCED"]);
