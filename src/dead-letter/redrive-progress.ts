import { createHash } from "node:crypto";
import type { Brokers } from "../kafka/cluster.ts";
import { offsetsOfGroup, setOffsets } from "../kafka/group-offsets.ts";
import { type Position, partitionKey } from "../kafka/topic-partition.ts";
import { retry } from "../runtime/backoff.ts";
import { LIMITS } from "./limits.ts";
import type { LetterRange } from "./read-letters.ts";

/** Beside each offset stands the end that was frozen, and of which topic of that name. */
interface Beside {
  readonly topicId: string;
  readonly end: number;
}

/** The group under which a redrive says how far it is: the same for the same topic and choice. */
export function redriveGroup(topic: string, choice: unknown): string {
  const hash = createHash("sha256").update(JSON.stringify(choice)).digest("hex").slice(0, 10);
  return `spillway-redrive-${topic}-${hash}`;
}

/**
 * How far a redrive is, as offsets of a group that has no members. The ends are kept beside the offsets, so that a run
 * that was killed ends where it would have ended, and not behind letters that have come since, of its own records perhaps.
 */
export class RedriveProgress {
  readonly #brokers: Brokers;
  readonly #group: string;
  readonly #signal: AbortSignal;
  readonly range: LetterRange;
  /** True if an earlier run was not finished. */
  readonly isResumed: boolean;

  private constructor(brokers: Brokers, group: string, signal: AbortSignal, range: LetterRange, isResumed: boolean) {
    this.#brokers = brokers;
    this.#group = group;
    this.#signal = signal;
    this.range = range;
    this.isResumed = isResumed;
  }

  /**
   * What of the range is left to do: the rest of a run that wasn't finished, or what has come since the last one.
   * @param again all of it, whatever was done before
   * @throws SpillwayError as `offsetsOfGroup`
   */
  static async open(
    group: string,
    range: LetterRange,
    { brokers, signal, again }: { readonly brokers: Brokers; readonly signal: AbortSignal; readonly again: boolean },
  ): Promise<RedriveProgress> {
    const read = () => offsetsOfGroup(brokers, group, range.positions);
    const committed = again ? [] : await retry(read, { signal, ...LIMITS });
    const before = new Map(
      committed.flatMap(({ offset, metadata, ...place }) => {
        const beside = parse(metadata);
        const known = range.positions.find((one) => partitionKey(one) === partitionKey(place));
        return beside === undefined || beside.topicId !== known?.topicId
          ? []
          : [[partitionKey(place), { offset, end: beside.end }] as const];
      }),
    );
    const isResumed = [...before.values()].some(({ offset, end }) => offset < end);
    const positions = range.positions.map((begin) => {
      const offset = before.get(partitionKey(begin))?.offset ?? begin.offset;
      return { ...begin, offset: offset > begin.offset ? offset : begin.offset };
    });
    const ends = new Map(
      [...range.ends].map(([key, end]) => [key, isResumed ? (before.get(key)?.end ?? end) : end] as const),
    );
    return new RedriveProgress(brokers, group, signal, { positions, ends }, isResumed);
  }

  /** Everything before these positions is done. @throws SpillwayError GROUP_ACTIVE; as `setOffsets` */
  async reached(positions: readonly Position[]): Promise<void> {
    const beside = (position: Position): string => {
      const { topicId } = position;
      const end = this.range.ends.get(partitionKey(position)) ?? 0;
      return JSON.stringify({ topicId, end } satisfies Beside);
    };
    const write = () => setOffsets(this.#brokers, this.#group, positions, beside);
    await retry(write, { signal: this.#signal, ...LIMITS });
  }
}

function parse(metadata: string | null): Beside | undefined {
  try {
    const { topicId, end } = JSON.parse(metadata ?? "") as Partial<Beside>;
    return typeof topicId === "string" && typeof end === "number" ? { topicId, end } : undefined;
  } catch {
    return undefined;
  }
}
