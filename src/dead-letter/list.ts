import { readControlEntries } from "../kafka/control-topic.ts";
import { partitionKey } from "../kafka/topic-partition.ts";
import { Copies } from "./copies.ts";
import { type LetterFilter, matcher } from "./filter.ts";
import { type Letter, originText } from "./letter.ts";
import { isOfGroup, keyText, type ParkedKeyName, type ParkedState, parkedAmong } from "./parked-key.ts";
import { idsOfTopics, type LetterContext, readLetters, wholeRange } from "./read-letters.ts";
import { Summary, type SummaryReport } from "./summary.ts";

/** Counts the letters in these dead-letter topics. @throws SpillwayError TOPIC_MISSING; as `readLetters` */
export async function listLetters(
  topics: readonly string[],
  filter: LetterFilter,
  { top, ...context }: LetterContext & { readonly top: number },
): Promise<SummaryReport> {
  const summary = new Summary();
  await eachLetter(topics, filter, context, (letter) => void summary.add(letter));
  return summary.report(top);
}

/** The first letters that fit, each record once. @throws SpillwayError TOPIC_MISSING; as `readLetters` */
export async function someLetters(
  topics: readonly string[],
  filter: LetterFilter,
  { limit, ...context }: LetterContext & { readonly limit: number },
): Promise<readonly Letter[]> {
  const found: Letter[] = [];
  const copies = new Copies();
  await eachLetter(topics, filter, context, (letter) => {
    if (letter.batchPart === undefined && copies.has(originText(letter))) return true;
    found.push(keep(letter));
    return found.length < limit;
  });
  return found;
}

/** A key that is parked, and how many letters of it wait. */
export interface ParkedListing extends ParkedKeyName, ParkedState {
  readonly waiting: number;
}

/**
 * The parked keys of a group, of these topics (source or dead-letter topics) or all, with how many records wait for each.
 * Memory is bounded by the number of keys, which a sink bounds.
 * @throws SpillwayError as `readControl` and `readLetters`
 */
export async function listParked(
  group: string,
  topics: readonly string[],
  context: LetterContext,
): Promise<readonly ParkedListing[]> {
  const entries = await readControlEntries(isOfGroup(group), context);
  const parked = parkedAmong(entries).filter(
    ({ name, state }) => topics.length === 0 || topics.includes(name.topic) || topics.includes(state.letters.topic),
  );
  const counted = new Map(
    parked.map((one) => [
      keyText(one.name.topic, one.name.partition, one.name.key),
      { ...one, waiting: 0, last: one.state.from - 1n },
    ]),
  );
  const letterTopics = [...new Set(parked.map(({ state }) => state.letters.topic))];
  if (letterTopics.length > 0) {
    const range = await wholeRange(letterTopics, context);
    const places = parked.map(({ state }) => state.letters);
    const positions = range.positions.flatMap((position) => {
      const own = places.filter((place) => partitionKey(place) === partitionKey(position));
      if (own.length === 0) return [];
      const first = own.map(({ offset }) => offset).reduce(least);
      return [{ ...position, offset: first > position.offset ? first : position.offset }];
    });
    await readLetters({ ...range, positions }, context, ({ letters }) => {
      for (const { record, source } of letters) {
        if (source === undefined || record.key === null) continue;
        const one = counted.get(keyText(source.topic, source.partition, record.key));
        // Letters of a key lie in the order of their source: what isn't behind the last is a copy.
        if (one === undefined || record.offset < one.state.letters.offset || source.offset <= one.last) continue;
        one.last = source.offset;
        one.waiting++;
      }
    });
  }
  return [...counted.values()].map(({ name, state, waiting }) => ({ ...name, ...state, waiting }));
}

/** @param take yields `false` to end it */
async function eachLetter(
  topics: readonly string[],
  filter: LetterFilter,
  context: LetterContext,
  take: (letter: Letter) => unknown,
): Promise<void> {
  const matches = matcher(filter, await topicIds(filter, context));
  await readLetters(await wholeRange(topics, context), context, ({ letters }) => {
    for (const letter of letters) if (matches(letter) && take(letter) === false) return false;
    return true;
  });
}

/** Origins name topics by their ids. @throws SpillwayError as `Brokers.connect` */
export async function topicIds(
  { record }: LetterFilter,
  context: LetterContext,
): Promise<(topic: string) => string | undefined> {
  const ids = await idsOfTopics(record === undefined ? [] : [record.topic], context);
  return (topic) => ids.get(topic);
}

/** A copy of its bytes: those of the letter keep a whole fetch response in memory. */
function keep(letter: Letter): Letter {
  const { record } = letter;
  const copy = (bytes: Buffer | null) => (bytes === null ? null : Buffer.from(bytes));
  const headers = record.headers.map(({ key, value }) => ({ key, value: copy(value) }));
  return { ...letter, record: { ...record, key: copy(record.key), value: copy(record.value), headers } };
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
