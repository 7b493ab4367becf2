import type { Logger } from "pino";
import type { DeadLetters } from "../dead-letter/dead-letter.ts";
import type { DeadLetterReason } from "../dead-letter/reason.ts";
import { messageOf } from "../errors.ts";
import { type Backoff, retry } from "../runtime/backoff.ts";
import { originOf } from "./models/model.ts";
import type { Outage } from "./outage.ts";
import type { DeadRecord } from "./plan.ts";
import type { InFlightPoison, InFlightRecord, Progress } from "./progress.ts";
import type { SinkStats } from "./stats.ts";

export interface BurialParts {
  readonly deadLetters: Pick<DeadLetters, "send" | "sendBatch" | "topicFor">;
  readonly outages: { readonly deadLetters: Outage };
  readonly retryBackoff: Backoff;
  readonly progress: Progress;
  readonly stats: SinkStats;
  readonly log: Logger;
  /** Aborted when what isn't written by now is to be left. */
  readonly abandoned: AbortSignal;
}

/** Puts records into the dead-letter topic. @throws what that topic refuses for good; the reason of `abandoned` */
export async function bury(dead: readonly DeadRecord[], parts: BurialParts): Promise<void> {
  const [first] = dead;
  if (first === undefined) return;
  await Promise.all(dead.map(({ record, reason }) => buryOne(record, reason, parts)));
  const { topic, partition, offset } = first.record.record;
  parts.log.warn(
    { topic, partition, offset: String(offset), reason: first.reason.code, records: dead.length },
    `records went to ${parts.deadLetters.topicFor(topic)}; this is the first of them`,
  );
}

/** Puts a batch that can't be read into the dead-letter topic. @throws as `bury` */
export async function buryBatch(item: InFlightPoison, parts: BurialParts): Promise<void> {
  const { poison, topicId } = item;
  const { topic, partition, unreadFrom, lastOffset, error } = poison;
  await untilAcknowledged(() => parts.deadLetters.sendBatch(poison, topicId), parts);
  parts.stats.batchesDeadLettered++;
  parts.progress.done(item);
  const offsets = { offset: String(unreadFrom), lastOffset: String(lastOffset) };
  parts.log.error(
    { topic, partition, ...offsets, error: error.message },
    `a record batch can't be read: its bytes went to ${parts.deadLetters.topicFor(topic)}`,
  );
}

async function buryOne(item: InFlightRecord, reason: DeadLetterReason, parts: BurialParts): Promise<void> {
  const origin = originOf(item.record, item.topicId);
  await untilAcknowledged(() => parts.deadLetters.send(item.record, origin, reason), parts);
  parts.stats.recordsDeadLettered++;
  parts.progress.done(item);
}

/** A dead-letter topic that is away is an outage like any other: waited for without a limit. */
async function untilAcknowledged(send: () => Promise<void>, parts: BurialParts): Promise<void> {
  const outage = parts.outages.deadLetters;
  let startedAt = 0;
  await retry(
    () => {
      startedAt = performance.now();
      return send();
    },
    {
      signal: parts.abandoned,
      backoff: parts.retryBackoff,
      deadlineMs: Number.POSITIVE_INFINITY,
      onRetry: (error) => outage.failed(startedAt, messageOf(error)),
    },
  );
  parts.abandoned.throwIfAborted();
  outage.succeeded(startedAt);
}
