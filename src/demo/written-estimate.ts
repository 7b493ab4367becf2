import { setTimeout as sleep } from "node:timers/promises";
import type { AcknowledgedRecords } from "./acknowledged.ts";
import { BackgroundLoop } from "./background-loop.ts";
import { edge, type Frontier, NOTHING_SEEN } from "./order-visit.ts";
import type { Lookup } from "./order-watch.ts";

const EVERY_MS = 1_000;
/** The first look goes that far ahead at least, past a record that may be missing for good. */
const SHORTEST_STRIDE = 64;

/**
 * About how many records are written, for showing progress: how far writing has got in the order of acknowledgement, as
 * if it kept to that order. It does so but roughly, since partitions advance side by side; counting the documents would
 * take a database like FerretDB longer than writing them.
 */
export class WrittenEstimate {
  readonly #records: AcknowledgedRecords;
  readonly #lookup: Lookup;
  readonly #loop = new BackgroundLoop((stopped) => this.#run(stopped));
  #frontier: Frontier = NOTHING_SEEN;

  constructor(records: AcknowledgedRecords, lookup: Lookup) {
    this.#records = records;
    this.#lookup = lookup;
  }

  /** The number of records, of all kinds. Never falls. */
  get value(): number {
    return this.#frontier.seen + 1;
  }

  /** Resolves once it is stopped. @throws what a look-up threw */
  start(): Promise<void> {
    return this.#loop.start();
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
  }

  async #run(stopped: AbortSignal): Promise<void> {
    while (!stopped.aborted) {
      await this.#refresh();
      await sleep(EVERY_MS, undefined, { signal: stopped }).catch(() => undefined);
    }
  }

  async #refresh(): Promise<void> {
    const looks = edge(this.#frontier, this.#records.count);
    let look = looks.next();
    while (look.done !== true) look = looks.next(await this.#lookup(this.#records.idOf(look.value)));
    const grown = look.value - this.#frontier.seen;
    this.#frontier = { seen: look.value, stride: Math.max(SHORTEST_STRIDE, grown) };
  }
}
