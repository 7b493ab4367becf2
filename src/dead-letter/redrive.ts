/**
 * Dead letters → the topics they came from, or another one.
 *
 * Guarantee: the record's own key, value and headers, and its origin, so that a sink gives it the same id or version
 * again: to redrive twice is to write once. At least once: what a killed run had sent and not committed is sent again.
 * The order of a key's letters is kept. A letter that was redriven `maxRedrives` times is left where it is.
 */
import { SpillwayError } from "../errors.ts";
import { Brokers, type TopicMetadata } from "../kafka/cluster.ts";
import { CONTROL_TOPIC, readControlEntries } from "../kafka/control-topic.ts";
import { offsetsOfGroup } from "../kafka/group-offsets.ts";
import { offsetGroups } from "../kafka/groups.ts";
import { topicMissing } from "../kafka/offsets.ts";
import { RecordProducer } from "../kafka/record-producer.ts";
import { retry } from "../runtime/backoff.ts";
import { Copies } from "./copies.ts";
import { type LetterFilter, matcher } from "./filter.ts";
import { type Letter, originText } from "./letter.ts";
import { LIMITS } from "./limits.ts";
import { topicIds } from "./list.ts";
import { isParkedKey, keyText, parkedAmong } from "./parked-key.ts";
import { type LetterContext, type LettersRead, readLetters, wholeRange } from "./read-letters.ts";
import { RedriveProgress, redriveGroup } from "./redrive-progress.ts";
import { RedriveSending } from "./redrive-sending.ts";

export interface RedriveOptions {
  /** A dead-letter topic. */
  readonly topic: string;
  /** Where letters go that don't say where they came from: the topic whose dead letters these are. */
  readonly sourceTopic: string | undefined;
  readonly filter: LetterFilter;
  /** The filter as it was given: with `to` it names the redrive, so that the same command goes on with it. */
  readonly choice: unknown;
  /** Another topic than those they came from. */
  readonly to?: string | undefined;
  readonly dryRun: boolean;
  readonly recordsPerSecond?: number | undefined;
  readonly maxRedrives: number;
  /** From the beginning, whatever was redriven before. */
  readonly again: boolean;
}

export interface RedriveReport {
  readonly topic: string;
  readonly group: string;
  readonly dryRun: boolean;
  /** It went on with a run that was not finished. */
  readonly resumed: boolean;
  /** Letters that fit the choice. */
  readonly chosen: number;
  /** By target topic: what was sent, or would be, and which groups have committed offsets there. */
  readonly targets: readonly { readonly topic: string; readonly letters: number; readonly groups: readonly string[] }[];
  /** The same record again, sent once. */
  readonly copies: number;
  /** Redriven so often before that they are left. */
  readonly redrivenTooOften: number;
  /** Of parked keys, which their sink redrives. */
  readonly parked: number;
  /** Pieces of batches that could not be read: no records. */
  readonly batchParts: number;
}

/**
 * Redrives the letters that a topic holds when it begins, and that fit.
 * @throws SpillwayError TOPIC_MISSING, CONFIG_INVALID (to where they come from); what reading and writing throws
 */
export async function redriveLetters(options: RedriveOptions, context: LetterContext): Promise<RedriveReport> {
  const { topic, dryRun, again, filter, choice, to } = options;
  const { kafka, signal, log } = context;
  if (to === topic) {
    throw new SpillwayError("CONFIG_INVALID", "Letters would be redriven into the topic they are read from", {
      context: { topic, hint: "Choose another topic" },
    });
  }
  await using brokers = new Brokers(kafka, log);
  await brokers.connect(signal, log);
  const matches = matcher(filter, await topicIds(filter, context));
  const parked = await parkedKeys(brokers, context);
  const group = redriveGroup(topic, { choice, to });
  const progress = await RedriveProgress.open(group, await wholeRange([topic], context), { brokers, signal, again });
  const run = new Run(options, (letter) => matches(letter), parked);
  if (dryRun) {
    await readLetters(progress.range, context, async (read) => {
      for (const letter of read.letters) run.targetOf(letter, read.partition.topicId);
    });
  } else {
    await progress.reached(progress.range.positions);
    await using producer = await RecordProducer.open({ kafka, log, signal });
    const partitionsOf = async (target: string) => (await targetsOf([target], brokers, signal))[0]?.partitions.length;
    const sending = new RedriveSending({ producer, progress, partitionsOf, signal }, options.recordsPerSecond);
    await readLetters(progress.range, context, (read) => run.send(read, sending));
    await sending.settle();
  }
  const targets = [...run.targets].map(([name, letters]) => ({ topic: name, letters }));
  const found = await targetsOf([...run.targets.keys()], brokers, signal);
  const groups = await readersOf([...run.targets.keys()], brokers, signal);
  const missing = targets.find((target) => !found.some((one) => one.topic === target.topic));
  if (missing !== undefined) throw topicMissing(missing.topic);
  return {
    ...{ topic, group, dryRun, resumed: progress.isResumed, ...run.counts },
    targets: targets.map((target) => ({ ...target, groups: groups.get(target.topic) ?? [] })),
  };
}

/** One run over the letters of a topic. */
class Run {
  readonly counts = { chosen: 0, copies: 0, redrivenTooOften: 0, parked: 0, batchParts: 0 };
  readonly targets = new Map<string, number>();
  readonly #options: RedriveOptions;
  readonly #matches: (letter: Letter) => boolean;
  readonly #parked: ReadonlySet<string>;
  readonly #copies = new Copies();

  constructor(options: RedriveOptions, matches: (letter: Letter) => boolean, parked: ReadonlySet<string>) {
    this.#options = options;
    this.#matches = matches;
    this.#parked = parked;
  }

  /** The topic it is to be sent to, and counts it; undefined where it is left. */
  targetOf(letter: Letter, topicId: string): string | undefined {
    if (!this.#matches(letter)) return undefined;
    const { counts } = this;
    const { source, record } = letter;
    if (letter.batchPart !== undefined) counts.batchParts++;
    else if (this.#copies.has(originText(letter))) counts.copies++;
    else {
      counts.chosen++;
      if (
        source !== undefined &&
        record.key !== null &&
        this.#parked.has(keyText(source.topic, source.partition, record.key))
      ) {
        counts.parked++;
      } else if (letter.redrives >= this.#options.maxRedrives) counts.redrivenTooOften++;
      else {
        const target = this.#options.to ?? source?.topic ?? this.#options.sourceTopic;
        if (target === undefined) throw homeless(letter, topicId);
        this.targets.set(target, (this.targets.get(target) ?? 0) + 1);
        return target;
      }
    }
    return undefined;
  }

  async send({ letters, partition, nextOffset }: LettersRead, sending: RedriveSending): Promise<void> {
    for (const letter of letters) {
      const target = this.targetOf(letter, partition.topicId);
      if (target !== undefined) await sending.send(target, letter, partition.topicId);
      await sending.commitNow({ ...partition, offset: letter.record.offset + 1n });
    }
    await sending.commitNow({ ...partition, offset: nextOffset }, true);
  }
}

/** Of all groups: whoever has parked them redrives them, in the order of the key. */
async function parkedKeys(brokers: Brokers, context: LetterContext): Promise<ReadonlySet<string>> {
  const { signal } = context;
  const [control] = await retry(() => brokers.topics([CONTROL_TOPIC]), { signal, ...LIMITS });
  if (control === undefined) return new Set();
  return new Set(
    parkedAmong(await readControlEntries(isParkedKey, context)).map(({ name: { topic, partition, key } }) =>
      keyText(topic, partition, key),
    ),
  );
}

async function targetsOf(
  topics: readonly string[],
  brokers: Brokers,
  signal: AbortSignal,
): Promise<readonly TopicMetadata[]> {
  return topics.length === 0 ? [] : await retry(() => brokers.topics(topics), { signal, ...LIMITS });
}

/** The groups that have committed something in each topic: those who will read what is sent there. */
async function readersOf(
  topics: readonly string[],
  brokers: Brokers,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const readers = new Map<string, string[]>(topics.map((topic) => [topic, []]));
  if (topics.length === 0) return readers;
  for (const { group } of await retry(() => offsetGroups(brokers), { signal, ...LIMITS })) {
    const committed = await retry(() => offsetsOfGroup(brokers, group, "all"), { signal, ...LIMITS });
    for (const topic of new Set(committed.map((one) => one.topic))) readers.get(topic)?.push(group);
  }
  return readers;
}

function homeless({ record: { topic, partition, offset } }: Letter, topicId: string): SpillwayError {
  return new SpillwayError("CONFIG_INVALID", `A letter doesn't say where it came from (topic id ${topicId})`, {
    context: { topic, partition, offset, hint: "Say where to by --to" },
  });
}
