import type { KafkaRecord } from "../record-batch/records.ts";
import type { Letter, RecordPlace } from "./letter.ts";

/** Which dead letters are meant: those that fit all of it. */
export interface LetterFilter {
  /** The code of the reason. */
  readonly error?: string | undefined;
  readonly key?: Buffer | undefined;
  /** Of the last failure, milliseconds since the epoch; `until` is exclusive. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  /** One record: by its place among the dead letters, where it was read, or where it first came from. */
  readonly record?: RecordPlace | undefined;
}

/** @param topicIdOf the id of a topic that exists now: origins name topics by it */
export function matcher(
  { error, key, since, until, record }: LetterFilter,
  topicIdOf: (topic: string) => string | undefined,
): (letter: Letter) => boolean {
  const topicId = record === undefined ? undefined : topicIdOf(record.topic);
  return (letter) =>
    (error === undefined || letter.code === error) &&
    (key === undefined || letter.record.key?.equals(key) === true) &&
    // A letter that doesn't say when it failed is of no time.
    (since === undefined || (letter.failedAt !== undefined && letter.failedAt >= since)) &&
    (until === undefined || (letter.failedAt !== undefined && letter.failedAt < until)) &&
    (record === undefined || isAt(letter, record, topicId));
}

function isAt({ record, source, origin }: Letter, at: RecordPlace, topicId: string | undefined): boolean {
  if (isSame(record, at) || (source !== undefined && isSame(source, at))) return true;
  return origin?.topicId === topicId && origin?.partition === at.partition && origin.offset === at.offset;
}

function isSame(a: Pick<KafkaRecord, "topic" | "partition" | "offset">, b: RecordPlace): boolean {
  return a.topic === b.topic && a.partition === b.partition && a.offset === b.offset;
}
