import { pause } from "../runtime/backoff.ts";
import { type AcknowledgedPlace, AcknowledgedRecords } from "./acknowledged.ts";
import { type OrderViolation, OrderWatch } from "./order-watch.ts";
import { type Stock, type StoredDocument, takeStock } from "./stock.ts";
import { WrittenEstimate } from "./written-estimate.ts";

/** The documents that a sink writes, as the ledger reads them. */
export interface DocumentStore {
  /** True if there is a document with this `_id` now. */
  has(id: string): Promise<boolean>;
  /** All documents. */
  documents(): AsyncIterable<StoredDocument>;
}

export interface LedgerOptions {
  readonly store: DocumentStore;
  /** The keys whose order is watched. */
  readonly sampledKeys: Iterable<string>;
  readonly orderLookupsPerSecond: number;
}

export interface Verdict extends Stock {
  readonly orderViolations: number;
  readonly firstViolations: readonly OrderViolation[];
}

/**
 * Tells whether every record that a producer had acknowledged became one document, in the order of its key.
 *
 * It is independent of what it checks: it shares no code with the relay and the sink, knows the records from the
 * producers' acknowledgements alone, and knows the documents from the database alone.
 */
export class Ledger {
  readonly records = new AcknowledgedRecords();
  readonly order: OrderWatch;
  readonly written: WrittenEstimate;
  readonly #store: DocumentStore;

  constructor({ store, sampledKeys, orderLookupsPerSecond }: LedgerOptions) {
    this.#store = store;
    const lookup = (id: string): Promise<boolean> => store.has(id);
    this.order = new OrderWatch({ keys: sampledKeys, lookup, lookupsPerSecond: orderLookupsPerSecond });
    this.written = new WrittenEstimate(this.records, lookup);
  }

  /** Begins to watch. Resolves once the watching has stopped. @throws what a look-up threw */
  async start(): Promise<void> {
    await Promise.all([this.order.start(), this.written.start()]);
  }

  /** @throws what a look-up threw */
  async stop(): Promise<void> {
    await Promise.all([this.order.stop(), this.written.stop()]);
  }

  acknowledged(key: string, sequence: number, place: AcknowledgedPlace): void {
    this.records.add(key, sequence, place);
    this.order.acknowledged(key, sequence, place);
  }

  /**
   * Waits until the latest records of the keys that were sent last are there: as a sink works through its partitions in
   * order, nearly everything is there then. Returns when that was, on the clock of `performance.now()`, or undefined
   * if it stops coming closer for `patienceMs`.
   */
  async drained(signal: AbortSignal, patienceMs: number): Promise<number | undefined> {
    let complete = performance.now();
    let movedAt = complete;
    let seen = this.written.value;
    for (const ids of groups(latestOfKeys(this.records), LOOKUPS_AT_ONCE)) {
      let absent = await this.#absent(ids);
      // What is found at once was there before, and leaves the time as it is.
      if (absent.length === 0) continue;
      while (absent.length > 0) {
        const now = performance.now();
        if (this.written.value > seen) {
          seen = this.written.value;
          movedAt = now;
        }
        if (now - movedAt > patienceMs) return undefined;
        await pause(DRAINED_POLL_MS, signal);
        // One look while it isn't there, so as not to hold up what is waited for.
        const [first = "", ...others] = absent;
        if (await this.#store.has(first)) absent = await this.#absent(others);
      }
      complete = performance.now();
      movedAt = complete;
    }
    return complete;
  }

  async #absent(ids: readonly string[]): Promise<string[]> {
    const found = await Promise.all(ids.map((id) => this.#store.has(id)));
    return ids.filter((_, index) => found[index] !== true);
  }

  /** Compares everything with everything; call it when writing has ended. */
  async verdict(onDocument?: (count: number) => void): Promise<Verdict> {
    await this.stop();
    const stock = await takeStock(this.records, this.#store.documents(), onDocument);
    return { ...stock, orderViolations: this.order.violations, firstViolations: this.order.firstViolations };
  }
}

/** Enough keys that each of some dozen partitions has one of them. */
const LATEST_KEYS = 500;
const LATEST_RECORDS = 10_000;
const LOOKUPS_AT_ONCE = 8;
const DRAINED_POLL_MS = 50;

/** The ids of the latest records of the keys that were acknowledged last, in the order of acknowledgement. */
function latestOfKeys(records: AcknowledgedRecords): string[] {
  const keys = new Set<number>();
  const ids: string[] = [];
  const first = Math.max(0, records.count - LATEST_RECORDS);
  for (let number = records.count - 1; number >= first && keys.size < LATEST_KEYS; number--) {
    const keyIndex = records.keyOf(number);
    if (keys.has(keyIndex)) continue;
    keys.add(keyIndex);
    ids.push(records.idOf(number));
  }
  return ids.reverse();
}

function* groups<T>(items: readonly T[], size: number): Generator<readonly T[], void, undefined> {
  for (let from = 0; from < items.length; from += size) yield items.slice(from, from + size);
}
