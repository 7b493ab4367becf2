import type { FetchedPartition } from "../kafka/source.ts";
import { type Position, partitionKey } from "../kafka/topic-partition.ts";
import { CommitFrontier, type FrontierEntry } from "../runtime/commit-frontier.ts";
import type { TranscoderInput } from "./transcoder.ts";

/** One fetched part on its way through the relay, its records spread over many output batches. */
export interface RelayInput extends TranscoderInput {
  readonly entry: FrontierEntry;
  readonly frontier: CommitFrontier;
}

interface Tracked {
  readonly position: Position;
  readonly frontier: CommitFrontier;
  committed: bigint;
}

/** Knows how far each source partition is acknowledged in the target, without a gap. */
export class InputTracker {
  readonly #tracked: ReadonlyMap<string, Tracked>;

  constructor(positions: readonly Position[]) {
    this.#tracked = new Map(
      positions.map((position) => {
        const frontier = new CommitFrontier(position.offset);
        return [partitionKey(position), { position, frontier, committed: position.offset }];
      }),
    );
  }

  /** A part has come in. It is held until `release` is called once for it and once per output batch it is in. */
  begin(fetched: FetchedPartition): RelayInput {
    const tracked = this.#tracked.get(partitionKey(fetched));
    if (tracked === undefined) throw new RangeError(`${partitionKey(fetched)} is not read here`);
    const { frontier } = tracked;
    return { entry: frontier.track(fetched.nextOffset), frontier, outputs: 1 };
  }

  /** One of those that held the part is done with it: its transcoding, or an output batch that is acknowledged. */
  release(input: RelayInput): void {
    input.outputs--;
    if (input.outputs === 0) input.frontier.complete(input.entry);
  }

  /** The positions that are not committed yet. */
  progress(): readonly Position[] {
    return [...this.#tracked.values()]
      .filter(({ frontier, committed }) => frontier.position !== committed)
      .map(({ position, frontier }) => ({ ...position, offset: frontier.position }));
  }

  /** These positions are committed. */
  committed(positions: readonly Position[]): void {
    for (const position of positions) {
      const tracked = this.#tracked.get(partitionKey(position));
      if (tracked !== undefined) tracked.committed = position.offset;
    }
  }
}
