import { setTimeout as sleep } from "node:timers/promises";
import { type AcknowledgedPlace, documentId } from "./acknowledged.ts";
import { BackgroundLoop } from "./background-loop.ts";
import { type Frontier, NOTHING_SEEN, visit } from "./order-visit.ts";

/** True if there is a document with this `_id` now. */
export type Lookup = (id: string) => Promise<boolean>;

export interface OrderWatchOptions {
  /** Only these keys are looked at. */
  readonly keys: Iterable<string>;
  readonly lookup: Lookup;
  /** So that watching doesn't take the database's time from what is watched. */
  readonly lookupsPerSecond: number;
  readonly random?: () => number;
}

/** One record was there while one before it, of the same key, was not. */
export interface OrderViolation {
  readonly key: string;
  readonly present: number;
  readonly absent: number;
}

const KEPT_VIOLATIONS = 20;
const IDLE_MS = 20;
/** The first visit to a key spends most of its looks on finding out how far writing has got; those after it don't. */
const VISITS_IN_A_ROW = 4;

/**
 * Watches, while writing goes on, whether records of one key become visible in their order.
 *
 * It looks for the higher sequence number first. If that is there, everything before it must have been written, so any
 * lower one that is looked for *afterwards* and isn't there proves a violation; there are no false ones, however slow
 * the look-ups. Which ones it meets is a matter of chance: it samples. Each absent record counts once.
 */
export class OrderWatch {
  readonly #samples: Map<string, Sample>;
  readonly #options: OrderWatchOptions;
  readonly #loop = new BackgroundLoop((stopped) => this.#run(stopped));
  #violations = 0;
  #firstViolations: OrderViolation[] = [];
  #lookups = 0;

  constructor(options: OrderWatchOptions) {
    this.#options = options;
    this.#samples = new Map([...options.keys].map((key) => [key, new Sample(key)]));
  }

  get violations(): number {
    return this.#violations;
  }

  /** The first of them, for the message. */
  get firstViolations(): readonly OrderViolation[] {
    return this.#firstViolations;
  }

  get lookups(): number {
    return this.#lookups;
  }

  /** Tell it of every acknowledged record; it keeps those of its keys. */
  acknowledged(key: string, sequence: number, place: AcknowledgedPlace): void {
    this.#samples.get(key)?.add(sequence, place);
  }

  /** Resolves once it is stopped. @throws what a look-up threw */
  start(): Promise<void> {
    return this.#loop.start();
  }

  /** Resolves when no look-up is under way any more. @throws what a look-up threw */
  async stop(): Promise<void> {
    await this.#loop.stop();
  }

  async #run(stopped: AbortSignal): Promise<void> {
    const { lookupsPerSecond } = this.#options;
    const startedAt = performance.now();
    let allowance = startedAt;
    while (!stopped.aborted) {
      const before = this.#lookups;
      for (const sample of this.#samples.values()) {
        if (stopped.aborted) return;
        for (let turn = 0; turn < VISITS_IN_A_ROW && sample.hasUnseen && !stopped.aborted; turn++) {
          const lookupsBefore = this.#lookups;
          await this.#visit(sample);
          // The allowance doesn't pile up over quiet times.
          allowance = Math.max(allowance, performance.now() - 1000 / lookupsPerSecond);
          allowance += ((this.#lookups - lookupsBefore) * 1000) / lookupsPerSecond;
          await sleepUntil(allowance, stopped);
        }
      }
      if (this.#lookups === before) await sleepUntil(performance.now() + IDLE_MS, stopped);
    }
  }

  async #visit(sample: Sample): Promise<void> {
    const looks = visit(sample.frontier, sample.acknowledged, this.#options.random ?? Math.random);
    // Nothing before this may be absent from now on.
    let present = sample.frontier.seen;
    for (let look = looks.next(); ; ) {
      if (look.done === true) {
        sample.frontier = look.value;
        return;
      }
      const sequence = look.value;
      this.#lookups++;
      const found = await this.#options.lookup(sample.idOf(sequence));
      if (!found && sequence < present) this.#violation(sample, present, sequence);
      if (found && sequence > present) present = sequence;
      look = looks.next(found);
    }
  }

  #violation(sample: Sample, present: number, absent: number): void {
    if (!sample.isNewViolation(absent)) return;
    this.#violations++;
    if (this.#firstViolations.length < KEPT_VIOLATIONS) {
      this.#firstViolations.push({ key: sample.key, present, absent });
    }
  }
}

/** What is known of one key. */
class Sample {
  readonly key: string;
  frontier: Frontier = NOTHING_SEEN;
  /** Places by sequence number. Acknowledgements may come in any order. */
  readonly #places: (AcknowledgedPlace | undefined)[] = [];
  #acknowledged = 0;
  readonly #violations = new Set<number>();

  constructor(key: string) {
    this.key = key;
  }

  /** Every record below this sequence number is acknowledged. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  get hasUnseen(): boolean {
    return this.frontier.seen + 1 < this.#acknowledged;
  }

  add(sequence: number, place: AcknowledgedPlace): void {
    this.#places[sequence] = place;
    while (this.#places[this.#acknowledged] !== undefined) this.#acknowledged++;
  }

  idOf(sequence: number): string {
    const place = this.#places[sequence];
    if (place === undefined) throw new RangeError(`record ${sequence} of key ${this.key} is not acknowledged`);
    return documentId(place.topicId, place.partition, place.offset);
  }

  isNewViolation(absent: number): boolean {
    if (this.#violations.has(absent)) return false;
    this.#violations.add(absent);
    return true;
  }
}

async function sleepUntil(time: number, signal: AbortSignal): Promise<void> {
  const ms = time - performance.now();
  if (ms > 0) await sleep(ms, undefined, { signal }).catch(() => undefined);
}
