import { runBackfill } from "../src/producer/backfill.ts";
import { BACKFILL_PROFILES, BackfillPlan } from "../src/producer/backfill-plan.ts";
import type { RecordOutlet } from "../src/producer/outlet.ts";
import { FLOOD_HEADER, FLOOD_KEYS, FLOOD_PER_SECOND, VALUE_BYTES } from "./catalog.ts";
import type { Ledger } from "./ledger.ts";

export interface FloodOptions {
  readonly ms: number;
  readonly perSecond?: number;
  readonly seed: number;
  /** So that the records of two floods are told apart. */
  readonly keyPrefix?: string;
}

/** The backfill: as many records a second as the second account's peaks, to keys drawn at random, all as likely. */
export class Flood {
  readonly records: number;
  acknowledged = 0;
  readonly #plan: BackfillPlan;

  readonly #keyPrefix: string;

  constructor({ ms, perSecond = FLOOD_PER_SECOND, seed, keyPrefix = "" }: FloodOptions) {
    this.records = Math.round((perSecond * ms) / 1_000);
    this.#keyPrefix = keyPrefix;
    this.#plan = new BackfillPlan({
      ...BACKFILL_PROFILES.burst,
      records: this.records,
      // Peaks no higher than the average: an even rate.
      rate: { kind: "peaks", averageRate: perSecond, peakRate: perSecond, peaks: 1 },
      keys: FLOOD_KEYS,
      skew: { kind: "zipf", exponent: 0 },
      valueBytes: VALUE_BYTES,
      seed,
    });
  }

  /** Resolves when every record is acknowledged and the ledger knows it. */
  async run(topic: string, outlet: RecordOutlet, ledger: Ledger, signal: AbortSignal): Promise<void> {
    const prefix = this.#keyPrefix;
    await runBackfill(this.#plan, {
      topic,
      outlet: prefix === "" ? outlet : prefixed(outlet, prefix),
      signal,
      headers: [{ key: FLOOD_HEADER, value: Buffer.from("1") }],
      onAcknowledged: ({ key, sequence }, place) => {
        ledger.acknowledged(prefix + key, sequence, place);
        this.acknowledged++;
      },
    });
  }
}

/** Both the key and the copy of it in the value. */
function prefixed(outlet: RecordOutlet, prefix: string): RecordOutlet {
  return {
    ready: () => outlet.ready(),
    send: (topic, { key, value, ...rest }) => {
      const body: object = JSON.parse(String(value));
      const renamed = `${prefix}${Buffer.from(key ?? "").toString("latin1")}`;
      const written = JSON.stringify({ ...body, key: renamed });
      return outlet.send(topic, { ...rest, key: Buffer.from(renamed, "latin1"), value: Buffer.from(written) });
    },
  };
}
