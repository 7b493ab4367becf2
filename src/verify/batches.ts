import { type FetchedBytes, type RecordBatch, readBatches } from "../record-batch/batch.ts";
import * as layout from "../record-batch/layout.ts";

/** One batch of a fetch response, of whatever kind: together they say what every offset of the log holds. */
export type AnyBatch =
  | { readonly kind: "data"; readonly base: number; readonly last: number; readonly batch: RecordBatch }
  | { readonly kind: "marker" | "aborted"; readonly base: number; readonly last: number };

/**
 * Yields all batches at or behind the fetch offset: those that a read_committed reader gets, and, between them, those
 * that it must pass over. What `readBatches` leaves out of its own accord is a marker if its control bit is set, and
 * else belongs to an aborted transaction.
 *
 * @throws SpillwayError BATCH_CORRUPT
 */
export function* allBatches(fetched: FetchedBytes): Generator<AnyBatch, void, undefined> {
  const { batches, fetchOffset } = fetched;
  const data = readBatches(fetched);
  let next = data.next();
  for (let at = 0; at + layout.RECORDS <= batches.length; ) {
    const end = at + layout.LENGTH_OVERHEAD + batches.readInt32BE(at + layout.BATCH_LENGTH);
    if (end > batches.length) return; // a tail that is cut
    const base = Number(batches.readBigInt64BE(at + layout.BASE_OFFSET));
    const last = base + batches.readInt32BE(at + layout.LAST_OFFSET_DELTA);
    const isControl = (batches.readInt16BE(at + layout.ATTRIBUTES) & layout.CONTROL_BIT) !== 0;
    at = end;
    if (last < fetchOffset) continue;
    if (next.done !== true && Number(next.value.baseOffset) === base) {
      yield { kind: "data", base, last, batch: next.value };
      next = data.next();
    } else {
      yield { kind: isControl ? "marker" : "aborted", base, last };
    }
  }
}
