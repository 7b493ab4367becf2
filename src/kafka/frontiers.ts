import { CommitFrontier } from "../runtime/commit-frontier.ts";
import { type Position, partitionKey, type TopicPartition } from "./topic-partition.ts";

interface Tracked {
  readonly position: Position;
  readonly frontier: CommitFrontier;
  committed: bigint;
}

/** How far each partition of an assignment is done, without a gap, and which of that is not committed yet. */
export class Frontiers {
  readonly #tracked: ReadonlyMap<string, Tracked>;

  /** @param positions where reading begins */
  constructor(positions: readonly Position[]) {
    this.#tracked = new Map(
      positions.map((position) => {
        const frontier = new CommitFrontier(position.offset);
        return [partitionKey(position), { position, frontier, committed: position.offset }];
      }),
    );
  }

  /** That of what was fetched. @throws RangeError if the partition isn't one of them */
  of(fetched: Pick<TopicPartition, "topic" | "partition"> & { readonly fetchOffset: bigint }): CommitFrontier {
    const tracked = this.#tracked.get(partitionKey(fetched));
    if (tracked === undefined) throw new RangeError(`${partitionKey(fetched)} is not read here`);
    tracked.frontier.returnTo(fetched.fetchOffset);
    return tracked.frontier;
  }

  /** The positions that are reached and not committed. */
  uncommitted(): readonly Position[] {
    return [...this.#tracked.values()]
      .filter(({ frontier, committed }) => frontier.position !== committed)
      .map(({ position, frontier }) => ({ ...position, offset: frontier.position }));
  }

  /** How far each is done. */
  reached(): readonly Position[] {
    return [...this.#tracked.values()].map(({ position, frontier }) => ({ ...position, offset: frontier.position }));
  }

  /** These positions are committed. */
  committed(positions: readonly Position[]): void {
    for (const position of positions) {
      const tracked = this.#tracked.get(partitionKey(position));
      if (tracked !== undefined) tracked.committed = position.offset;
    }
  }
}
