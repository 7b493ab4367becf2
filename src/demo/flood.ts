import { runBackfill } from "../producer/backfill.ts";
import { BACKFILL_PROFILES, BackfillPlan, backfillKey } from "../producer/backfill-plan.ts";
import type { RecordOutlet } from "../producer/outlet.ts";
import type { Ledger } from "./ledger.ts";

const BURST_SHARE = 0.5;

/** Half of the records as fast as the cluster takes them, the rest spread evenly over the time a flood has to last. */
export class Flood {
  readonly records: number;
  readonly burst: number;
  /** Sending all of it takes that long at least. */
  readonly seconds: number;
  readonly #plan: BackfillPlan;
  #acknowledged = 0;
  #startedAt = 0;
  #burstAcknowledgedAt: number | undefined;

  constructor(records: number, floodMs: number) {
    this.records = records;
    this.seconds = floodMs / 1000;
    this.burst = Math.ceil(records * BURST_SHARE);
    this.#plan = new BackfillPlan({
      ...BACKFILL_PROFILES.burst,
      records,
      rate: { kind: "burst", burst: this.burst, tailMs: floodMs },
    });
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** When the first record was sent, on the clock of `performance.now()`. */
  get startedAt(): number {
    return this.#startedAt;
  }

  /** Records a second while the burst was produced. */
  get burstRate(): number {
    const end = this.#burstAcknowledgedAt ?? performance.now();
    return (Math.min(this.burst, this.#acknowledged) * 1000) / (end - this.#startedAt);
  }

  /** Resolves when every record is acknowledged and the ledger knows it. */
  async run(topic: string, outlet: RecordOutlet, ledger: Ledger, signal: AbortSignal): Promise<void> {
    this.#startedAt = performance.now();
    await runBackfill(this.#plan, {
      topic,
      outlet,
      signal,
      onAcknowledged: ({ key, sequence }, place) => {
        ledger.acknowledged(key, sequence, place);
        this.#acknowledged++;
        if (this.#acknowledged === this.burst) this.#burstAcknowledgedAt = performance.now();
      },
    });
  }

  /** Keys to watch: the hottest, in which faults of order are likeliest, and some from all ranks below. */
  keysToWatch(count: number): string[] {
    const { keys } = this.#plan.options;
    const hottest = Math.ceil(count / 2);
    const step = Math.max(1, Math.floor((keys - hottest) / (count - hottest)));
    return Array.from({ length: count }, (_, index) =>
      index < hottest ? index : Math.min(keys - 1, hottest + (index - hottest) * step),
    ).map(backfillKey);
  }
}
