import type { Logger } from "pino";
import type { KafkaOptions } from "../src/kafka/options.ts";
import { openSource } from "../src/kafka/source.ts";
import type { Position } from "../src/kafka/topic-partition.ts";
import * as layout from "../src/record-batch/layout.ts";

const DEADLINE_MS = 120_000;
/** Only headers are looked at, so the fewer and larger the responses the better. */
const FETCH = { partitionBytes: 4 * 1024 ** 2, responseBytes: 32 * 1024 ** 2, queuedBytes: 64 * 1024 ** 2 };

export interface Counted {
  readonly records: number;
  readonly batches: number;
  /** As they are stored. */
  readonly bytes: number;
}

export interface CountOptions {
  readonly kafka: KafkaOptions;
  readonly log: Logger;
  readonly from: readonly Position[];
  readonly to: readonly Position[];
}

/**
 * The records between two looks at a topic, by the counts in the headers of its batches: exact where offsets are not,
 * because transactions leave markers in a log. Aborted transactions are an error: no peer is to have any.
 */
export async function countRecords({ kafka, log, from, to }: CountOptions): Promise<Counted> {
  const ends = new Map(to.map(({ partition, offset }) => [partition, offset]));
  const positions = from.filter(({ partition, offset }) => offset < (ends.get(partition) ?? 0n));
  const left = new Set(positions.map(({ partition }) => partition));
  const total = { records: 0, batches: 0, bytes: 0 };
  if (left.size === 0) return total;
  const signal = AbortSignal.timeout(DEADLINE_MS);
  for await (const fetched of openSource({ kafka, log, positions, signal, fetch: FETCH })) {
    const { partition, fetchOffset, nextOffset, abortedTransactions } = fetched;
    const end = ends.get(partition) ?? 0n;
    // Behind the end there may be one: that of a peer that was stopped in the middle of it.
    if (abortedTransactions.some(({ firstOffset }) => firstOffset < end)) {
      throw new Error(`aborted transactions in partition ${partition}`);
    }
    addBatches(total, fetched.batches, fetchOffset, end);
    if (nextOffset >= end) left.delete(partition);
    if (left.size === 0) return total;
  }
  throw new Error(`not all records were counted within ${DEADLINE_MS / 1000} s`);
}

/** Adds the batches whose first offset is in the range. Ends of a window lie between batches, never within one. */
export function addBatches(
  total: { records: number; batches: number; bytes: number },
  batches: Buffer,
  from: bigint,
  to: bigint,
): void {
  for (let at = 0; batches.length - at >= layout.RECORDS; ) {
    const bytes = batches.readInt32BE(at + layout.BATCH_LENGTH) + layout.LENGTH_OVERHEAD;
    if (bytes > batches.length - at) return;
    const baseOffset = batches.readBigInt64BE(at);
    const isControl = (batches.readInt16BE(at + layout.ATTRIBUTES) & layout.CONTROL_BIT) !== 0;
    if (!isControl && baseOffset >= from && baseOffset < to) {
      total.records += batches.readInt32BE(at + layout.RECORD_COUNT);
      total.batches++;
      total.bytes += bytes;
    }
    at += bytes;
  }
}
