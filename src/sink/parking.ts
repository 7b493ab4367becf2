import { type KeyState, keyText } from "../dead-letter/parked-key.ts";
import { PARKED } from "../dead-letter/reason.ts";
import type { KafkaRecord } from "../record-batch/records.ts";
import type { DeadRecord, Pending, Task } from "./plan.ts";
import type { InFlightRecord } from "./progress.ts";

/**
 * What a record's key says of what is to become of it.
 * - `flows`: it is written.
 * - `parked`: it follows those of its key into the dead-letter topic.
 * - `settled`: it did, and was redriven from there; it is only read again.
 */
export type Standing = "flows" | "parked" | "settled";

/** The keys of some partitions that don't simply flow. Records without a key always do. */
export class ParkedSet {
  readonly #states = new Map<string, KeyState>();
  #parked = 0;

  /** Keys that are parked now. */
  get parked(): number {
    return this.#parked;
  }

  get(id: string): KeyState | undefined {
    return this.#states.get(id);
  }

  set(id: string, state: KeyState | undefined): void {
    if (this.#states.get(id)?.state === "parked") this.#parked--;
    if (state?.state === "parked") this.#parked++;
    if (state === undefined) this.#states.delete(id);
    else this.#states.set(id, state);
  }

  standingOf({ record, topicId }: InFlightRecord): Standing {
    const { topic, partition, key, offset } = record;
    if (key === null || this.#states.size === 0) return "flows";
    const state = this.#states.get(keyText(topic, partition, key));
    // What lies before the record that it began with was written before, and may be read again after a crash.
    if (state === undefined || state.topicId !== topicId || offset < state.from) return "flows";
    if (state.state === "parked") return "parked";
    return offset <= state.through ? "settled" : "flows";
  }

  /** Open keys whose records up to `through` are behind what a partition has committed: nobody reads them again. */
  behind(topic: string, partition: number, committed: bigint): readonly string[] {
    const prefix = `${topic}/${partition}/`;
    return [...this.#states]
      .filter(([id, state]) => state.state === "open" && state.through < committed && id.startsWith(prefix))
      .map(([id]) => id);
  }
}

/** The keys of one batch that have a data error in it, and at which offset. */
export class Poisoned {
  readonly #first = new Map<string, bigint>();

  add({ record: { topic, partition, key, offset } }: InFlightRecord): void {
    if (key === null) return;
    const id = keyText(topic, partition, key);
    const first = this.#first.get(id);
    if (first === undefined || offset < first) this.#first.set(id, offset);
  }

  /** True of a record that has a data error of its key before it. */
  isBefore({ topic, partition, key, offset }: KafkaRecord): boolean {
    if (key === null || this.#first.size === 0) return false;
    const first = this.#first.get(keyText(topic, partition, key));
    return first !== undefined && offset > first;
  }
}

/** Why a record without a fault of its own is a dead letter. */
export function follows({ key }: KafkaRecord): DeadRecord["reason"] {
  const name = key === null ? "its key" : `key ${JSON.stringify(key.toString("utf8").slice(0, 100))}`;
  return { code: PARKED, message: `an earlier record of ${name} is a dead letter, so this one waits behind it` };
}

/**
 * Takes out of what is to be tried the records that have a data error of their key before them. A task that stands for
 * older states of its document hands over to the newest of those that may still be written.
 */
export function parkBehind(
  { tasks, ordered }: Pending,
  poisoned: Poisoned,
): { readonly pending: Pending; readonly dead: readonly DeadRecord[] } {
  const dead: DeadRecord[] = [];
  const left: Task[] = [];
  for (const task of tasks) {
    const [newest, ...older] = [task, ...task.replaced].filter((one) => {
      const { work } = one;
      if (!poisoned.isBefore(work.record.record)) return true;
      if (!work.dead) {
        work.dead = true;
        dead.push({ record: work.record, reason: follows(work.record.record), attempts: work.attempts });
      }
      return false;
    });
    if (newest !== undefined) left.push({ ...newest, replaced: older });
  }
  return { pending: { tasks: left, ordered }, dead };
}
