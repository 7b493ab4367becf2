import type { FetchedPartition, LostOffsets } from "../kafka/source.ts";
import type { Position } from "../kafka/topic-partition.ts";
import type { Job } from "./job.ts";

/**
 * Where a share is, in each partition that has something left to relay: up to the job's end; for ever, where there is
 * no job.
 */
export class Remaining {
  readonly #job: Job | undefined;
  readonly #positions: Map<number, Position>;
  readonly #lost = new Map<number, LostOffsets>();
  /** Those that began at their ends, or behind: retention may have moved the beginning there. */
  readonly reachedBefore: readonly Position[];

  constructor(positions: readonly Position[], job: Job | undefined) {
    this.#job = job;
    const isReached = (position: Position) => job?.isReached(position) === true;
    this.#positions = new Map(
      positions.filter((position) => !isReached(position)).map((position) => [position.partition, position]),
    );
    this.reachedBefore = positions.filter((position) => isReached(position) && job?.ends.has(position.partition));
  }

  get positions(): readonly Position[] {
    return [...this.#positions.values()];
  }

  get isNone(): boolean {
    return this.#positions.size === 0;
  }

  /** Everything before it is relayed. */
  moveTo(position: Position): void {
    if (this.#job?.isReached(position) === true) this.#positions.delete(position.partition);
    else this.#positions.set(position.partition, position);
  }

  lose({ topic, partition, from, to }: LostOffsets): void {
    const before = this.#lost.get(partition);
    this.#lost.set(partition, { topic, partition, from: before?.to === from ? before.from : from, to });
  }

  /**
   * What retention has taken from where a partition stands to the job's end, as a part with nothing in it: no other will
   * come from below that end. Undefined while there is something to come.
   */
  lostToTheEnd(partition: number): FetchedPartition | undefined {
    const [position, lost] = [this.#positions.get(partition), this.#lost.get(partition)];
    if (position === undefined || lost === undefined || position.offset < lost.from) return undefined;
    if (this.#job?.isReached({ partition, offset: lost.to }) !== true) return undefined;
    const nothing = { batches: Buffer.alloc(0), abortedTransactions: [], highWatermark: lost.to };
    return { ...position, ...nothing, fetchOffset: position.offset, nextOffset: lost.to };
  }
}
