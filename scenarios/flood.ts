import { runBackfill } from "../src/producer/backfill.ts";
import { BACKFILL_PROFILES, BackfillPlan } from "../src/producer/backfill-plan.ts";
import type { RecordOutlet } from "../src/producer/outlet.ts";
import { FLOOD_HEADER, FLOOD_KEYS, FLOOD_PER_SECOND, VALUE_BYTES } from "./catalog.ts";
import type { Ledger } from "./ledger.ts";

/** The backfill: as many records a second as the second account's peaks, to keys drawn at random, all as likely. */
export class Flood {
  readonly records: number;
  acknowledged = 0;
  readonly #plan: BackfillPlan;

  constructor(floodMs: number, seed: number) {
    this.records = Math.round((FLOOD_PER_SECOND * floodMs) / 1_000);
    this.#plan = new BackfillPlan({
      ...BACKFILL_PROFILES.burst,
      records: this.records,
      // Peaks no higher than the average: an even rate.
      rate: { kind: "peaks", averageRate: FLOOD_PER_SECOND, peakRate: FLOOD_PER_SECOND, peaks: 1 },
      keys: FLOOD_KEYS,
      skew: { kind: "zipf", exponent: 0 },
      valueBytes: VALUE_BYTES,
      seed,
    });
  }

  /** Resolves when every record is acknowledged and the ledger knows it. */
  async run(topic: string, outlet: RecordOutlet, ledger: Ledger, signal: AbortSignal): Promise<void> {
    await runBackfill(this.#plan, {
      topic,
      outlet,
      signal,
      headers: [{ key: FLOOD_HEADER, value: Buffer.from("1") }],
      onAcknowledged: ({ key, sequence }, place) => {
        ledger.acknowledged(key, sequence, place);
        this.acknowledged++;
      },
    });
  }
}
