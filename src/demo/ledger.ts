import { pause } from "../runtime/backoff.ts";
import { type AcknowledgedPlace, AcknowledgedRecords } from "./acknowledged.ts";
import { type OrderViolation, OrderWatch } from "./order-watch.ts";
import { type Stock, type StoredDocument, takeStock } from "./stock.ts";

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
  readonly #store: DocumentStore;

  constructor({ store, sampledKeys, orderLookupsPerSecond }: LedgerOptions) {
    this.#store = store;
    this.order = new OrderWatch({
      keys: sampledKeys,
      lookup: (id) => store.has(id),
      lookupsPerSecond: orderLookupsPerSecond,
    });
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
    let seen = this.order.progress().seen;
    for (const id of latestOfKeys(this.records)) {
      // What is found at once was there before, and leaves the time as it is.
      let waited = false;
      for (; !(await this.#store.has(id)); waited = true) {
        const now = performance.now();
        if (this.order.progress().seen > seen) {
          seen = this.order.progress().seen;
          movedAt = now;
        }
        if (now - movedAt > patienceMs) return undefined;
        await pause(DRAINED_POLL_MS, signal);
      }
      signal.throwIfAborted();
      if (!waited) continue;
      complete = performance.now();
      movedAt = complete;
    }
    return complete;
  }

  /** The share of the records that is written, judged by the sampled keys: good enough to show progress by. */
  estimatedShare(): number {
    const { acknowledged, seen } = this.order.progress();
    return acknowledged === 0 ? 0 : seen / acknowledged;
  }

  /** Compares everything with everything; call it when writing has ended. */
  async verdict(onDocument?: (count: number) => void): Promise<Verdict> {
    await this.order.stop();
    const stock = await takeStock(this.records, this.#store.documents(), onDocument);
    return { ...stock, orderViolations: this.order.violations, firstViolations: this.order.firstViolations };
  }
}

/** Enough keys that each of some dozen partitions has one of them. */
const LATEST_KEYS = 500;
const LATEST_RECORDS = 10_000;
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
