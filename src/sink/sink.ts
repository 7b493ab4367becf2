/**
 * A sink writes topics to collections of a database, in batches, in parallel, in the order of each key.
 *
 * Guarantee: at least once, made effectively once by document ids that come from each record's origin. A record's offset
 * is committed after its document is acknowledged, or its dead letter; a crash repeats records and loses none, and the
 * repeated ones find their documents there. What the database itself promises stands at its `Target`.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Logger } from "pino";
import type { DeadLetters } from "../dead-letter/dead-letter.ts";
import type { ParkedStore } from "../dead-letter/parked-store.ts";
import type { LetterReader } from "../dead-letter/read-letters.ts";
import type { Decoder } from "../decode/decoder.ts";
import { isRetryable, messageOf, SpillwayError } from "../errors.ts";
import type { Generation } from "../kafka/generation.ts";
import type { FetchedPartition } from "../kafka/source.ts";
import type { Position } from "../kafka/topic-partition.ts";
import { murmur2 } from "../record-batch/murmur2.ts";
import { backoffMs, pause } from "../runtime/backoff.ts";
import { withDeadline } from "../runtime/deadline.ts";
import { every } from "../runtime/every.ts";
import { AttemptSize } from "./attempt-size.ts";
import { prepareDecoding, writeBatch } from "./batch-writer.ts";
import { Breaker } from "./breaker.ts";
import { buryBatch } from "./bury.ts";
import { LaneChoice } from "./lane-choice.ts";
import { Lanes } from "./lanes.ts";
import type { Model } from "./models/model.ts";
import type { SinkObserver } from "./observer.ts";
import { batchRecordsInForce, type SinkOptions } from "./options.ts";
import { Outage } from "./outage.ts";
import { ParkedKeys } from "./parked-keys.ts";
import { type InFlightPoison, type InFlightRecord, Progress } from "./progress.ts";
import { redriveKey } from "./redrive-key.ts";
import { reportProgress, type SinkStats } from "./stats.ts";
import type { Target } from "./target.ts";
import { Turns } from "./turns.ts";

/** It is only a little tidier; whoever doesn't get to it does it the next time. */
const FORGET_MS = 5_000;

/** Keys that are redriven at a time: each reads dead letters, and writes beside the writers. */
const REDRIVES_AT_ONCE = 2;

/** What a sink works with. It closes none of it. */
export interface SinkParts {
  /** A `GroupMember`: the sink ends when its generations do. */
  readonly member: { generations(): AsyncIterable<Generation> };
  /** Begins at the positions; ends when the signal is aborted, and is pulled only while there is room in flight. */
  readonly openSource: (positions: readonly Position[], signal: AbortSignal) => AsyncIterable<FetchedPartition>;
  readonly decoder: Decoder;
  readonly model: Model;
  readonly target: Target;
  readonly deadLetters: Pick<DeadLetters, "send" | "sendBatch" | "topicFor">;
  /** Where keys are parked, and read from again: what a sink needs that is told to park them. */
  readonly parking?: { readonly store: ParkedStore; readonly letters: LetterReader } | undefined;
  /** The member's own; ends the wait for the database before the first generation. */
  readonly signal: AbortSignal;
  readonly stats: SinkStats;
  readonly observer?: SinkObserver;
  readonly log: Logger;
}

/**
 * Runs until the member's generations end; what was read by then is written and committed, as far as it goes within the
 * drain deadline.
 * @throws SpillwayError CONFIG_INVALID if the target can't do what the model plans, or a sink is told to park keys and has no
 *   place for them; DATABASE_REFUSED, DATA_ERROR, TOO_MANY_PARKED_KEYS; what the member, the source and the dead letters
 *   throw
 */
export async function runSink(parts: SinkParts, given: SinkOptions): Promise<void> {
  const options = { ...given, batchRecords: batchRecordsInForce(given, parts.target.mostAtOnce) };
  const { member, stats, log } = parts;
  assertSuited(parts);
  using _report = reportProgress(stats, options.reportIntervalMs, log);
  const outage = new Outage("the database", log, stats);
  const outages = {
    deadLetters: new Outage("the dead-letter topic", log),
    schemas: new Outage("the schema registry", log),
    control: new Outage("the control topic", log),
  };
  const breaker = new Breaker({
    outage,
    probe: () => parts.target.check(),
    backoff: options.retryBackoff,
    fullAt: options.writers,
  });
  const attemptSize = new AttemptSize();
  await untilAvailable(parts, options, outage);
  if (parts.signal.aborted) return;
  for await (const generation of member.generations()) {
    stats.rebalances++;
    await sinkGeneration(generation, { ...parts, outages, breaker, attemptSize }, options).catch((error: unknown) => {
      if (!isOver(error, generation)) throw error;
      log.warn({ error: messageOf(error) }, "generation ended early: what it had not committed will be read again");
    });
    parts.observer?.began(() => []); // others have its partitions now
  }
  log.info({ ...stats }, "sink stopped");
}

interface GenerationParts extends SinkParts {
  readonly outages: { readonly deadLetters: Outage; readonly schemas: Outage; readonly control: Outage };
  readonly breaker: Breaker;
  readonly attemptSize: AttemptSize;
}

/**
 * fetch → records → lanes by key → bufferTime / bufferCount → writers → decode → model → bulk write → outcome per operation → commit
 * frontier → commit, until the generation is over; then drain, and commit what was drained.
 */
async function sinkGeneration(generation: Generation, parts: GenerationParts, options: SinkOptions): Promise<void> {
  const { stats, log } = parts;
  const positions = await generation.positions();
  const progress = new Progress(positions, options, stats, parts.observer);
  parts.observer?.began(() => progress.left());
  const abandon = new AbortController();
  const failed = new AbortController();
  const stop = AbortSignal.any([generation.signal, failed.signal]);

  await using keys = await parkedKeys(generation, positions, parts, { ...options, stop, abandoned: abandon.signal });
  const writing = { ...parts, ...options, progress, abandoned: abandon.signal, parked: keys };
  const { decoder } = parts;
  const lanes = new Lanes<InFlightRecord>({
    ...options,
    bytesOf: ({ bytes }) => bytes,
    orderOf: ({ sequence }) => sequence,
    isReady: decoder.knows && (({ record: { value } }) => value === null || decoder.knows?.(value) === true),
    prepare: (records) => prepareDecoding(records, writing),
    write: (batch) => writeBatch(batch, writing),
  });
  const unlessAbandoned = (error: unknown) => abandon.signal.aborted || failed.abort(error);
  lanes.finished.catch(unlessAbandoned);
  const burials = new Set<Promise<void>>();
  const buryPoison = (item: InFlightPoison) => {
    const burial = buryBatch(item, writing)
      .catch(unlessAbandoned)
      .then(() => void burials.delete(burial));
    burials.add(burial);
  };

  const commit = async () => {
    const reached = progress.uncommitted();
    if (reached.length === 0) return;
    await generation.commit(reached);
    progress.committed(reached);
    await withDeadline(keys?.committed(reached) ?? Promise.resolve(), FORGET_MS, "Forgetting redriven keys");
  };
  const unlessPassing = (error: unknown) => {
    if (!isRetryable(error)) failed.abort(error);
    else log.warn({ error: messageOf(error) }, "commit failed: what it covered will be committed later or read again");
  };
  const committing = every(options.commitIntervalMs, commit, unlessPassing);

  try {
    const laneOf = new LaneChoice(options);
    const redrives = new Turns(REDRIVES_AT_ONCE);
    keys?.hand((name, request) => {
      const run = () => redriveKey(name, request, { ...writing, keys, stop });
      redrives.add(run, (work) => lanes.run(laneOf.key(murmur2(name.key, 0, name.key.length)), work));
    });
    for await (const fetched of parts.openSource(positions, stop)) {
      laneOf.nextFetch();
      for (const records of progress.read(fetched, options.poisonBatch === "stop" ? undefined : buryPoison)) {
        for (const record of records) lanes.push(laneOf.key(record.keyHash), record);
        if (progress.isFull) lanes.pause();
        await progress.room(stop); // demand is bounded here: RxJS knows no backpressure
      }
      lanes.pause();
      await nextTurn(); // a full queue would keep the event loop from its sockets
    }
  } catch (error) {
    if (!stop.aborted) failed.abort(error);
  }

  lanes.complete(); // flushes: to unsubscribe would drop what is buffered
  // Whoever is fenced need not wait: others read these records by now.
  const deadlineMs = isFenced(failed.signal.reason) ? 0 : options.drainDeadlineMs;
  // A write that fails for good has been noticed above, and one that takes too long is abandoned next.
  const drained = lanes.finished.then(() => Promise.all(burials));
  await withDeadline(drained, deadlineMs, "Draining").catch(() => {});
  abandon.abort(new SpillwayError("TIMEOUT", "What isn't written by now is left to be read again"));
  if (progress.recordsInFlight > 0) {
    log.warn({ records: progress.recordsInFlight }, "not everything was written: it will be read again");
  }
  await committing.stop();
  if (!isFenced(failed.signal.reason)) await commit().catch(unlessPassing);
  failed.signal.throwIfAborted();
}

/** Undefined where data errors don't park their keys. */
async function parkedKeys(
  generation: Generation,
  positions: readonly Position[],
  { parking, outages, stats, log }: GenerationParts,
  options: SinkOptions & { readonly stop: AbortSignal; readonly abandoned: AbortSignal },
): Promise<ParkedKeys | undefined> {
  if (options.onDataError !== "park-key") return undefined;
  if (parking === undefined) throw new SpillwayError("CONFIG_INVALID", "To park keys a sink needs a place for them");
  const { maxParkedKeys: maxKeys } = options;
  const confirm = () => generation.confirm();
  const parts = {
    ...options,
    ...parking,
    confirm,
    group: generation.group,
    maxKeys,
    outage: outages.control,
    stats,
    log,
  };
  return await ParkedKeys.open(positions, parts);
}

/** The generation has ended at the coordinator, or for all we can know it has: no failure of the sink. */
function isOver(error: unknown, { signal }: Generation): boolean {
  return isFenced(error) || (signal.aborted && isRetryable(error));
}

function isFenced(error: unknown): boolean {
  return error instanceof SpillwayError && error.code === "FENCED";
}

function assertSuited({ model, target }: SinkParts): void {
  const missing = [...model.kinds.difference(target.kinds)];
  if (missing.length === 0) return;
  throw new SpillwayError("CONFIG_INVALID", `The database can't do what the model plans: ${missing.join(", ")}`, {
    context: { hint: `Of this target there are ${[...target.kinds].join(", ")}: choose another model or target` },
  });
}

/** Waits for the database before the sink joins its group: as long as it is away, others may be better off. */
async function untilAvailable({ target, signal }: SinkParts, options: SinkOptions, outage: Outage): Promise<void> {
  for (let failures = 1; !signal.aborted; failures++) {
    const startedAt = performance.now();
    const answer = await target.prepare();
    if (answer.kind === "available") {
      outage.succeeded(startedAt);
      return;
    }
    outage.failed(startedAt, answer.message);
    await pause(backoffMs(failures, options.retryBackoff), signal).catch(() => {});
  }
}
