import type { ParkedStore } from "../dead-letter/parked-store.ts";
import type { Backoff } from "../runtime/backoff.ts";
import { withDeadline } from "../runtime/deadline.ts";
import type { Outage } from "./outage.ts";

/** When a generation ends: for what is said last. */
const LAST_WRITES_MS = 5_000;

export interface ControlWritesParts {
  readonly store: ParkedStore;
  readonly outage: Outage;
  readonly retryBackoff: Backoff;
  /** Ends every wait. */
  readonly abandoned: AbortSignal;
}

/** Writes to the control topic: outages are waited for, as with dead letters, and changes of an entry take turns. */
export class ControlWrites {
  readonly #parts: ControlWritesParts;
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(parts: ControlWritesParts) {
    this.#parts = parts;
  }

  isUnderWay(entry: string): boolean {
    return this.#underWay.has(entry);
  }

  /** Resolves when it is acknowledged. @throws what no retry mends; the reason of `abandoned` */
  async write(entry: string, value: string | undefined): Promise<void> {
    await this.patiently(() => this.#parts.store.write(entry, value));
  }

  /** Makes a change of an entry once those that were begun before are done. @throws what the change throws */
  async inTurn(entry: string, change: () => Promise<void>): Promise<void> {
    const before = this.#underWay.get(entry) ?? Promise.resolve();
    const own = before.catch(() => {}).then(change);
    this.#underWay.set(entry, own);
    try {
      await own;
    } finally {
      if (this.#underWay.get(entry) === own) this.#underWay.delete(entry);
    }
  }

  /** @throws what no retry mends; the reason of `signal`, or of `abandoned` */
  async patiently<T>(operation: () => Promise<T>, signal = this.#parts.abandoned): Promise<T> {
    const { outage, retryBackoff: backoff, abandoned } = this.#parts;
    const unlessAbandoned = async () => {
      const done = await operation();
      abandoned.throwIfAborted();
      return done;
    };
    return await outage.outlast(unlessAbandoned, { backoff, signal });
  }

  /** Resolves when nothing is under way any more, or it has taken too long. */
  async settled(): Promise<void> {
    const all = Promise.allSettled(this.#underWay.values());
    await withDeadline(all, LAST_WRITES_MS, "Writing of parked keys").catch(() => {});
  }
}
