import type { PoisonBatch } from "../record-batch/batch.ts";
import type { NewRecord } from "../record-batch/batch-builder.ts";
import { ORIGIN_HEADER, packOrigin } from "../record-batch/origin.ts";
import { reasonHeaders } from "./reason.ts";

/** What to do with a record batch that can't be read: end with an error, or keep its bytes as dead letters and go on. */
export const POISON_BATCH = ["stop", "dead-letter"] as const;
export type PoisonBatchPolicy = (typeof POISON_BATCH)[number];

/** The offsets that could not be read, first and last, such as `120-179`. */
export const OFFSETS_HEADER = "spillway-batch-offsets";
/** Which piece of the batch this is, such as `1/3`. */
export const PART_HEADER = "spillway-batch-part";

/** Of the batch's bytes in one dead letter: with its headers it stays under a topic's usual `max.message.bytes`. */
const PART_BYTES = 900_000;

/**
 * The dead letters of a batch that can't be read. Joined in their order, their values are the batch as it lies in the
 * log; they share a key, so that they stay in one partition. The origin is that of the first record not read.
 */
export function poisonLetters(poison: PoisonBatch, topicId: string, failedAt: Date): readonly NewRecord[] {
  const { partition, baseOffset, lastOffset, unreadFrom, bytes, error } = poison;
  const parts = Math.ceil(bytes.length / PART_BYTES);
  return Array.from({ length: parts }, (_, part) => ({
    key: Buffer.from(`${partition}-${baseOffset}`),
    value: bytes.subarray(part * PART_BYTES, (part + 1) * PART_BYTES),
    timestamp: failedAt.getTime(),
    headers: [
      ...reasonHeaders({ code: "corrupt-batch", message: error.message }, failedAt),
      { key: OFFSETS_HEADER, value: Buffer.from(`${unreadFrom}-${lastOffset}`) },
      { key: PART_HEADER, value: Buffer.from(`${part + 1}/${parts}`) },
      { key: ORIGIN_HEADER, value: packOrigin({ topicId, partition, offset: unreadFrom }) },
    ],
  }));
}
