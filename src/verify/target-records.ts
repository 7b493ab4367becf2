import type { FetchedPartition } from "../kafka/source.ts";
import type { Position, TopicPartition } from "../kafka/topic-partition.ts";
import { type RecordBatch, readBatches, stopAtPoison } from "../record-batch/batch.ts";
import { partitionForKey } from "../record-batch/murmur2.ts";
import type { RecordCursor } from "../record-batch/record-cursor.ts";
import { advance } from "../record-batch/records.ts";

/** A partition of a target. */
export interface TargetPartition extends TopicPartition {
  /** Of its topic. */
  readonly partitions: number;
  readonly begin: number;
  /** Records with an origin, and without. */
  marked: number;
  unmarked: number;
}

export function newTargetPartition(begin: Position, partitions: number): TargetPartition {
  const { topic, topicId, partition, offset } = begin;
  return { topic, topicId, partition, partitions, begin: Number(offset), marked: 0, unmarked: 0 };
}

/** A record of a target: `cursor` stands on it until the next one is asked for. */
export interface TargetRecord {
  readonly target: TargetPartition;
  readonly offset: number;
  readonly batch: RecordBatch;
  readonly cursor: RecordCursor;
  /** It lies where the partitioner puts it, or has no key. */
  readonly inPlace: boolean;
}

/** The records of a part of a target partition below `end`. */
export function* targetRecords(
  target: TargetPartition,
  fetched: FetchedPartition,
  end: number,
  cursor: RecordCursor,
): Generator<TargetRecord, void, undefined> {
  const from = Math.max(target.begin, Number(fetched.fetchOffset));
  for (const batch of readBatches(fetched)) {
    const base = Number(batch.baseOffset);
    cursor.open(batch);
    while (advance(cursor, batch, stopAtPoison)) {
      const offset = base + cursor.offsetDelta;
      if (offset < from || offset >= end) continue;
      const { bytes, keyStart, keyEnd } = cursor;
      const inPlace = keyStart < 0 || partitionForKey(bytes, keyStart, keyEnd, target.partitions) === target.partition;
      yield { target, offset, batch, cursor, inPlace };
    }
  }
}
