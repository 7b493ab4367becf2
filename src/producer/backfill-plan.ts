import { SpillwayError } from "../errors.ts";
import { type KeyShares, type KeySkew, keyShares, rankFor } from "./key-skew.ts";
import { randomFraction } from "./random.ts";
import { type RateShape, type Timetable, timetable } from "./rate-shape.ts";
import { encodeValue, type Padding, type RecordFacts, shortestValue } from "./record-value.ts";

export interface BackfillOptions {
  readonly records: number;
  readonly rate: RateShape;
  readonly keys: number;
  readonly skew: KeySkew;
  /** Every value is JSON of exactly this length. */
  readonly valueBytes: number;
  /** See `Padding`. */
  readonly compressibility: number;
  readonly seed: number;
  /** How many seconds of the plan pass in one: 100 sends a backfill of one and a half days in 22 minutes. */
  readonly timeCompression: number;
}

/**
 * The profiles that have a name.
 *
 * `second-account`: of the published account, records and both rates are given; they make 1.53 days. How many peaks
 * there were, of what shape, and the keys and sizes of the records are not, and are assumed: a peak every hour, sizes
 * of a typical small item, a mild skew.
 */
export const BACKFILL_PROFILES = {
  "second-account": {
    records: 14_500_000,
    rate: { kind: "peaks", averageRate: 110, peakRate: 450, peaks: 36 },
    keys: 100_000,
    skew: { kind: "zipf", exponent: 0.5 },
    valueBytes: 400,
    compressibility: 0.5,
    seed: 1,
    timeCompression: 1,
  },
  burst: {
    records: 200_000,
    rate: { kind: "unlimited" },
    keys: 10_000,
    skew: { kind: "zipf", exponent: 0.5 },
    valueBytes: 180,
    compressibility: 0.5,
    seed: 1,
    timeCompression: 1,
  },
} as const satisfies Record<string, BackfillOptions>;

/** One record of a plan: a function of the plan's seed and the record's index, but for `sequence`, which counts. */
export interface PlannedRecord {
  readonly index: number;
  /** 0 for the hottest key. */
  readonly rank: number;
  readonly key: string;
  readonly sequence: number;
}

const KEY_STREAM = 0x4e1;
/** Room for the sequence number and time of any record. */
const LATEST = 9_999_999_999_999;

/** What a backfill sends and when: the same options give the same records, byte for byte but for their time. */
export class BackfillPlan {
  readonly options: BackfillOptions;
  readonly timetable: Timetable;
  readonly #shares: KeyShares;
  readonly #padding: Padding;

  /** @throws SpillwayError CONFIG_INVALID */
  constructor(options: BackfillOptions) {
    this.options = options;
    if (!Number.isSafeInteger(options.records) || options.records < 0) {
      throw new SpillwayError("CONFIG_INVALID", `the number of records is ${options.records}, but can't be that`);
    }
    if (!(options.compressibility >= 0 && options.compressibility <= 1)) {
      throw new SpillwayError(
        "CONFIG_INVALID",
        `the compressibility is ${options.compressibility}, but must be between 0 and 1`,
      );
    }
    this.timetable = timetable(options.records, options.rate, options.timeCompression);
    this.#shares = keyShares(options.keys, options.skew);
    this.#padding = options;
    const longest = this.#facts({ rank: 0, sequence: options.records }, LATEST);
    if (!Number.isSafeInteger(options.valueBytes) || options.valueBytes < shortestValue(longest)) {
      throw new SpillwayError(
        "CONFIG_INVALID",
        `a value of ${options.valueBytes} bytes is too short for the longest record: ${shortestValue(longest)} are needed`,
      );
    }
  }

  /** All records in the order they are sent. */
  *records(): Generator<PlannedRecord, void, undefined> {
    const { records, keys, seed } = this.options;
    const sequences = new Uint32Array(keys);
    for (let index = 0; index < records; index++) {
      const rank = rankFor(this.#shares, randomFraction(seed, KEY_STREAM, index));
      const sequence = sequences[rank] as number;
      sequences[rank] = sequence + 1;
      yield { index, rank, key: backfillKey(rank), sequence };
    }
  }

  /** The record's value. `createdAt` is in milliseconds since the epoch. */
  encode(record: PlannedRecord, createdAt: number): Buffer {
    return encodeValue(this.#facts(record, createdAt), record.index, this.#padding);
  }

  #facts({ rank, sequence }: Pick<PlannedRecord, "rank" | "sequence">, createdAt: number): RecordFacts {
    return { kind: "backfill", key: backfillKey(rank), sequence, createdAt };
  }
}

/** The key of a rank: fixed width up to ten million keys. */
export function backfillKey(rank: number): string {
  return `key-${String(rank).padStart(7, "0")}`;
}
