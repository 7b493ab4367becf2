import type { Logger } from "pino";
import type { DeadLetters } from "../dead-letter/dead-letter.ts";
import { PARKED } from "../dead-letter/reason.ts";
import { messageOf } from "../errors.ts";
import { type Backoff, retry } from "../runtime/backoff.ts";
import { originOf } from "./models/model.ts";
import type { Outage } from "./outage.ts";
import type { ParkedKeys } from "./parked-keys.ts";
import { keyText } from "./parking.ts";
import type { DeadRecord } from "./plan.ts";
import type { InFlightPoison, Progress } from "./progress.ts";
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
  /** Set where a data error parks its key. */
  readonly parked?: Pick<ParkedKeys, "standingOf" | "reserve" | "park"> | undefined;
}

/**
 * Puts records into the dead-letter topic, those of one key one after the other, in their order, however often one has to
 * be sent. Where data errors park their keys, a record counts as done once its key is known to be parked, too.
 * @throws SpillwayError TOO_MANY_PARKED_KEYS; what that topic refuses for good; the reason of `abandoned`
 */
export async function bury(dead: readonly DeadRecord[], parts: BurialParts): Promise<void> {
  await Promise.all(byKey(dead).map((ofKey) => buryInOrder(ofKey, parts)));
  // That a key is parked was said once: what follows is only counted.
  const faulty = dead.filter(({ reason }) => reason.code !== PARKED);
  const [first] = faulty;
  if (first === undefined) return;
  const { topic, partition, offset } = first.record.record;
  parts.log.warn(
    { topic, partition, offset: String(offset), reason: first.reason.code, records: faulty.length },
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

/** Records of one key together, in the order of their offsets; each without a key by itself. */
function byKey(dead: readonly DeadRecord[]): readonly (readonly DeadRecord[])[] {
  const groups = Map.groupBy(dead, (one) => {
    const { topic, partition, key } = one.record.record;
    return key === null ? one : keyText(topic, partition, key);
  });
  return [...groups.values()].map((group) => group.toSorted(byOffset));
}

function byOffset({ record: a }: DeadRecord, { record: b }: DeadRecord): number {
  return a.record.offset < b.record.offset ? -1 : 1;
}

async function buryInOrder(ofKey: readonly DeadRecord[], parts: BurialParts): Promise<void> {
  for (const dead of ofKey) {
    const { record } = dead;
    const parks = record.record.key !== null && parts.parked?.standingOf(record) === "flows";
    using _room = parks ? parts.parked?.reserve(record) : undefined;
    const place = await buryOne(dead, parts);
    const topic = parts.deadLetters.topicFor(record.record.topic);
    if (parks) await parts.parked?.park(dead, { ...place, topic });
    parts.abandoned.throwIfAborted();
    parts.stats.recordsDeadLettered++;
    if (dead.reason.code === PARKED) parts.stats.recordsParked++;
    parts.progress.done(record);
  }
}

async function buryOne({ record: item, reason, attempts }: DeadRecord, parts: BurialParts) {
  const origin = originOf(item.record, item.topicId);
  return await untilAcknowledged(() => parts.deadLetters.send(item.record, origin, reason, attempts), parts);
}

/** A dead-letter topic that is away is an outage like any other: waited for without a limit. */
async function untilAcknowledged<T>(send: () => Promise<T>, parts: BurialParts): Promise<T> {
  const outage = parts.outages.deadLetters;
  let startedAt = 0;
  const acknowledged = await retry(
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
  return acknowledged;
}
