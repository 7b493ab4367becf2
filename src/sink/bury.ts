import type { Logger } from "pino";
import type { DeadLetters, LetterPlace } from "../dead-letter/dead-letter.ts";
import { keyText } from "../dead-letter/parked-key.ts";
import { PARKED } from "../dead-letter/reason.ts";
import { isRetryable, messageOf } from "../errors.ts";
import { type Backoff, backoffMs, pause } from "../runtime/backoff.ts";
import { originOf } from "./models/model.ts";
import type { Outage } from "./outage.ts";
import type { ParkedKeys } from "./parked-keys.ts";
import { byOffset, type DeadRecord } from "./plan.ts";
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
 * Puts records into the dead-letter topic, those of one key in their order, however often one has to be sent. Where data errors park their keys, a record counts as done once its key is known to be parked, too.
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

async function buryInOrder(ofKey: readonly DeadRecord[], parts: BurialParts): Promise<void> {
  const [first, ...behind] = ofKey;
  if (first === undefined) return;
  const parks = first.record.record.key !== null && parts.parked?.standingOf(first.record) === "flows";
  if (parks) await buryAndPark(first, parts);
  for (let left = parks ? behind : ofKey; left.length > 0; ) left = await sendInOrder(left, parts);
}

async function buryAndPark(dead: DeadRecord, parts: BurialParts): Promise<void> {
  const { deadLetters, parked, abandoned } = parts;
  using _room = parked?.reserve(dead.record);
  const sendIt = () => untilAcknowledged(() => send(dead, parts), parts);
  let place = await sendIt();
  // A broker that has a batch already may have forgotten where it has put it: a copy's place is as good.
  while (place.offset < 0n) place = await sendIt();
  await parked?.park(dead, { ...place, topic: deadLetters.topicFor(dead.record.record.topic) });
  abandoned.throwIfAborted();
  finish(dead, parts);
}

/**
 * Sends letters of a key, all at once: a producer keeps their order, and when one fails those behind it do, too. Yields
 * those that are left: the first that failed and all behind it.
 */
async function sendInOrder(letters: readonly DeadRecord[], parts: BurialParts): Promise<readonly DeadRecord[]> {
  const { outages, retryBackoff, abandoned } = parts;
  for (let attempt = 1; ; attempt++) {
    abandoned.throwIfAborted();
    const startedAt = performance.now();
    const sent = await Promise.allSettled(letters.map((letter) => send(letter, parts)));
    abandoned.throwIfAborted();
    const failed = sent.findIndex(({ status }) => status === "rejected");
    for (const letter of failed < 0 ? letters : letters.slice(0, failed)) finish(letter, parts);
    const failure = sent[failed];
    if (failure?.status !== "rejected") {
      outages.deadLetters.succeeded(startedAt);
      return [];
    }
    if (!isRetryable(failure.reason)) throw failure.reason;
    outages.deadLetters.failed(startedAt, messageOf(failure.reason));
    await pause(backoffMs(attempt, retryBackoff), abandoned);
    if (failed > 0) return letters.slice(failed);
  }
}

async function send(
  { record: item, reason, attempts }: DeadRecord,
  { deadLetters }: BurialParts,
): Promise<LetterPlace> {
  return await deadLetters.send(item.record, originOf(item.record, item.topicId), reason, attempts);
}

function finish({ record, reason }: DeadRecord, { stats, progress }: BurialParts): void {
  stats.recordsDeadLettered++;
  if (reason.code === PARKED) stats.recordsParked++;
  progress.done(record);
}

/** A dead-letter topic that is away is an outage like any other: waited for without a limit. */
async function untilAcknowledged<T>(
  operation: () => Promise<T>,
  { outages, retryBackoff: backoff, abandoned: signal }: BurialParts,
): Promise<T> {
  const unlessAbandoned = async () => {
    const acknowledged = await operation();
    signal.throwIfAborted();
    return acknowledged;
  };
  return await outages.deadLetters.outlast(unlessAbandoned, { backoff, signal });
}
