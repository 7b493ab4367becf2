/** How far the relay is in a partition of the source. */
export interface PartitionProgress {
  readonly partition: number;
  /** Of the next record to be relayed. */
  readonly offset: bigint;
  /** Where the job ends in it; the high watermark, which moves on, if there is no job. */
  readonly end: bigint;
  /** Offsets from there to the end. */
  readonly left: bigint;
  /** Offsets per second, of the last minute. */
  readonly perSecond: number;
  /** Seconds until the end is reached, at the fastest and the slowest pace of the last minute. Unknown at a standstill. */
  readonly secondsLeft: readonly [least: number, most: number] | undefined;
}

export interface Reached {
  readonly partition: number;
  readonly offset: bigint;
  readonly end: bigint;
}

interface Sample {
  readonly at: number;
  readonly offset: bigint;
}

interface Track extends Reached {
  readonly samples: Sample[];
}

/** A pace is that of so long: shorter stretches differ by chance. */
const STRETCH_MS = 5_000;
const STRETCHES = 12;

/** Where a relay is, by partition. The relay notes, others ask. */
export class Progress {
  readonly #now: () => number;
  #tracks = new Map<number, Track>();

  /** @param now milliseconds of a clock that only goes forward */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** These partitions are the relay's own from now on, and no others. */
  own(partitions: readonly number[]): void {
    const owned = new Set(partitions);
    this.#tracks = new Map([...this.#tracks].filter(([partition]) => owned.has(partition)));
  }

  note(reached: Reached): void {
    const known = this.#tracks.get(reached.partition);
    const samples = known === undefined || reached.offset < known.offset ? [] : known.samples;
    const sample = { at: this.#now(), offset: reached.offset };
    if (sample.at - (samples.at(-1)?.at ?? -Infinity) >= STRETCH_MS) samples.push(sample);
    if (samples.length > STRETCHES + 1) samples.shift();
    this.#tracks.set(reached.partition, { ...reached, samples });
  }

  /** In the order of their numbers. */
  read(): readonly PartitionProgress[] {
    const now = this.#now();
    return [...this.#tracks.values()]
      .sort((a, b) => a.partition - b.partition)
      .map(({ partition, offset, end, samples }) => {
        const left = end > offset ? end - offset : 0n;
        const paces = pacesOf([...samples, { at: now, offset }]);
        return { partition, offset, end, left, perSecond: mean(paces), secondsLeft: secondsLeft(Number(left), paces) };
      });
  }
}

interface Stretch {
  readonly perSecond: number;
  readonly ms: number;
}

/** The last stretch may be a short one: it counts only where it is the only one, or long enough. */
function pacesOf(samples: readonly Sample[]): readonly Stretch[] {
  const stretches = samples.slice(1).map(({ at, offset }, i) => {
    const from = samples[i] as Sample;
    return { perSecond: (Number(offset - from.offset) * 1_000) / Math.max(1, at - from.at), ms: at - from.at };
  });
  const last = stretches.at(-1);
  return stretches.length > 1 && last !== undefined && last.ms < STRETCH_MS ? stretches.slice(0, -1) : stretches;
}

function mean(stretches: readonly Stretch[]): number {
  const ms = stretches.reduce((sum, stretch) => sum + stretch.ms, 0);
  return ms === 0 ? 0 : stretches.reduce((sum, stretch) => sum + stretch.perSecond * stretch.ms, 0) / ms;
}

function secondsLeft(left: number, stretches: readonly Stretch[]): PartitionProgress["secondsLeft"] {
  if (left === 0) return [0, 0];
  const paces = stretches.map(({ perSecond }) => perSecond).filter((perSecond) => perSecond > 0);
  if (paces.length === 0) return undefined;
  return [left / Math.max(...paces), left / Math.min(...paces)];
}
