import type { FetchedPartition } from "../kafka/source.ts";
import { type OnPoison, spansOf } from "../record-batch/batch.ts";
import type { Job } from "./job.ts";
import type { Pace } from "./pace.ts";

/** What is relayed in one go: a fetched part, or less of it. */
export interface Piece extends FetchedPartition {
  /** Roughly, of the bytes that were fetched. */
  readonly bytes: number;
  /** Of its part. */
  readonly isLast: boolean;
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
    while (rest !== undefined) {
      if (!(await isOpen(pace, signal))) return;
      const { piece, rest: behind } = pace.split(rest);
      const bytes = pace.isLimited ? bytesIn(piece) : whole.batches.length;
      yield { ...piece, bytes, isLast: behind === undefined };
      rest = behind;
    }
  }
}

/**
 * Every piece is read from the bytes of the whole part, so a batch that can't be read is met again and again. It is told
 * once, with the piece that passes its end: whoever begins anew inside it, after a crash, has not told it.
 */
export function onceFor({ isLast, fetchOffset, endOffset }: Piece, onPoison: OnPoison): OnPoison {
  return (poison) => {
    const isBefore = poison.lastOffset < fetchOffset;
    const isBehind = endOffset !== undefined && (isLast ? poison.unreadFrom : poison.lastOffset) >= endOffset;
    if (!isBefore && !isBehind) onPoison(poison);
  };
}

/** For whom the first piece that it reaches into is the last: nothing of it is committed. */
export function atFirst({ endOffset }: Piece, onPoison: OnPoison): OnPoison {
  return (poison) => {
    if (endOffset === undefined || poison.unreadFrom < endOffset) onPoison(poison);
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
