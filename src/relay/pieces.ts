import type { FetchedPartition } from "../kafka/source.ts";
import { type OnPoison, spansOf } from "../record-batch/batch.ts";
import type { Job } from "./job.ts";
import type { Pace } from "./pace.ts";

/** What is relayed in one go: a fetched part, or less of it. */
export interface Piece extends FetchedPartition {
  /** Roughly, of the bytes that were fetched. */
  readonly bytes: number;
  /** Of its part. */
  readonly isFirst: boolean;
}

export interface Bounds {
  readonly job: Job | undefined;
  readonly pace: Pace;
  readonly signal: AbortSignal;
}

/** What was fetched, no further than the job's end and no faster than the pace. Ends when the signal is aborted. */
export async function* inPieces(
  fetched: AsyncIterable<FetchedPartition>,
  { job, pace, signal }: Bounds,
): AsyncGenerator<Piece, void, undefined> {
  for await (const whole of fetched) {
    let rest = job === undefined ? whole : job.clip(whole);
    for (let isFirst = true; rest !== undefined; isFirst = false) {
      if (!(await isOpen(pace, signal))) return;
      const { piece, rest: behind } = pace.split(rest);
      const bytes = pace.isLimited ? bytesIn(piece) : whole.batches.length;
      yield { ...piece, bytes, isFirst };
      rest = behind;
    }
  }
}

/** Every piece is read from the bytes of the whole part: a batch that can't be read is met again and again, and told once. */
export function onceFor({ isFirst, fetchOffset, endOffset }: Piece, onPoison: OnPoison): OnPoison {
  return (poison) => {
    const isBefore = !isFirst && poison.unreadFrom < fetchOffset;
    const isBehind = endOffset !== undefined && poison.unreadFrom >= endOffset;
    if (!isBefore && !isBehind) onPoison(poison);
  };
}

function bytesIn(piece: FetchedPartition): number {
  return Math.ceil(spansOf(piece).reduce((sum, { bytes }) => sum + bytes, 0));
}

async function isOpen(pace: Pace, signal: AbortSignal): Promise<boolean> {
  await pace.open(signal).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
  return !signal.aborted;
}
