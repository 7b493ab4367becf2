import { PART_HEADER } from "../dead-letter/poison.ts";
import type { DeadLetterReason } from "../dead-letter/reason.ts";
import type { Decoded } from "../decode/decoded.ts";
import type { Decoder } from "../decode/decoder.ts";
import { originOf, type PlanRecord } from "./models/model.ts";
import { isNewer, type Operation } from "./operations.ts";
import { follows, type ParkedSet, type Poisoned } from "./parking.ts";
import type { InFlightRecord } from "./progress.ts";
import type { Outcome } from "./target.ts";

/** A record on its way into the database. */
interface Work {
  readonly record: InFlightRecord;
  /** Operations of it that are neither done nor given up. */
  open: number;
  /** Given up: it is a dead letter, and nothing more of it is tried. */
  dead: boolean;
  /** How often operations of it were tried and failed. */
  attempts: number;
}

/** One operation of a record. */
export interface Task {
  readonly operation: Operation;
  readonly work: Work;
  /** Of the same document, older, and not written because this one will be; the newest first. */
  readonly replaced: readonly Task[];
}

/** What is to be tried in one collection. */
export interface Pending {
  readonly tasks: readonly Task[];
  /** A key repeats, so operations depend on each other. */
  readonly ordered: boolean;
}

/** A record that goes to the dead-letter topic. */
export interface DeadRecord {
  readonly record: InFlightRecord;
  readonly reason: DeadLetterReason;
  /** How often it was tried. */
  readonly attempts: number;
}

export function byOffset({ record: a }: DeadRecord, { record: b }: DeadRecord): number {
  return a.record.offset < b.record.offset ? -1 : 1;
}

export interface BatchPlan {
  /** By collection. */
  readonly pending: ReadonlyMap<string, Pending>;
  /** Records for which there is nothing to do. */
  readonly nothing: readonly InFlightRecord[];
  /** Records that were written as dead letters of their key, before they were read again. */
  readonly settled: readonly InFlightRecord[];
  /** Pieces of batches that could not be read, from a dead-letter topic: no records. */
  readonly parts: readonly InFlightRecord[];
  readonly dead: readonly DeadRecord[];
}

export interface Planning {
  readonly decoder: Decoder;
  readonly model: PlanRecord;
  /** Set where a data error parks its key. */
  readonly parked?: Pick<ParkedSet, "standingOf"> | undefined;
}

const NO_VALUE = { kind: "value", value: null } as const;

/**
 * Plans a batch: what is to be done for each record that can be written.
 * @param poisoned set where later records of a key follow one that can't be: knows those, and learns of more
 */
export function planBatch(
  batch: readonly InFlightRecord[],
  { decoder, model, parked }: Planning,
  poisoned?: Poisoned,
): BatchPlan {
  const tasks = new Map<string, Task[]>();
  const nothing: InFlightRecord[] = [];
  const settled: InFlightRecord[] = [];
  const parts: InFlightRecord[] = [];
  const dead: DeadRecord[] = [];
  for (const record of batch) {
    if (isPart(record)) {
      parts.push(record);
      continue;
    }
    const standing = parked?.standingOf(record);
    if (standing === "settled") {
      settled.push(record);
      continue;
    }
    if (standing === "parked" || poisoned?.isBefore(record.record) === true) {
      dead.push({ record, reason: follows(record.record), attempts: 0 });
      continue;
    }
    const planned = planRecord(record, decoder, model);
    if ("reason" in planned) {
      poisoned?.add(record);
      dead.push({ record, reason: planned.reason, attempts: 1 });
    } else if (planned.length === 0) nothing.push(record);
    else {
      const work = { record, open: planned.length, dead: false, attempts: 0 };
      for (const { collection, operation } of planned) {
        let ofCollection = tasks.get(collection);
        if (ofCollection === undefined) {
          ofCollection = [];
          tasks.set(collection, ofCollection);
        }
        ofCollection.push({ operation, work, replaced: [] });
      }
    }
  }
  const pending = new Map<string, Pending>();
  for (const [collection, all] of tasks) {
    const left = withoutReplaced(all);
    pending.set(collection, { tasks: left, ordered: dependOnEachOther(left) });
  }
  return { pending, nothing, settled, parts, dead };
}

function isPart({ record: { headers } }: InFlightRecord): boolean {
  return headers.some(({ key }) => key === PART_HEADER);
}

function planRecord({ record, topicId }: InFlightRecord, decoder: Decoder, model: PlanRecord) {
  const decoded: Decoded = record.value === null ? NO_VALUE : decoder.decode(record.value);
  if (decoded.kind === "poison") return { reason: { code: decoded.reason, message: decoded.message } };
  return model({ record, origin: originOf(record, topicId), value: decoded.value });
}

/** Of several states of one document the newest is enough, unless it turns out to be a data error. */
function withoutReplaced(tasks: readonly Task[]): readonly Task[] {
  const places = new Map<string, number>();
  const left: (Task | undefined)[] = [];
  for (const task of tasks) {
    const { operation } = task;
    if (operation.kind === "latest") {
      const at = places.get(operation.id);
      const other = at === undefined ? undefined : left[at];
      const merged = other === undefined ? undefined : newest(task, other);
      if (merged !== undefined) left[at as number] = undefined;
      places.set(operation.id, left.length);
      left.push(merged ?? task);
    } else left.push(task);
  }
  return left.filter((task) => task !== undefined);
}

/** The newer task, the other behind it. Of equals the first counts, as it would in the database. */
function newest(task: Task, other: Task): Task | undefined {
  if (task.operation.kind !== "latest" || other.operation.kind !== "latest") return undefined;
  const newer = isNewer(task.operation.version, other.operation.version);
  if (newer === undefined) return undefined;
  const all = [task, other, ...other.replaced];
  if (newer) return { ...task, replaced: all.slice(1) };
  return { ...other, replaced: all.filter((one) => one !== other).toSorted(byAge) };
}

function byAge(a: Task, b: Task): number {
  if (a.operation.kind !== "latest" || b.operation.kind !== "latest") return 0;
  return isNewer(a.operation.version, b.operation.version) === true ? -1 : 1;
}

/** By hash: two keys that share one are taken for the same, which costs nothing but the order. */
function dependOnEachOther(tasks: readonly Task[]): boolean {
  const seen = new Set<number>();
  for (const { work } of tasks) {
    if (work.open > 1) return true;
    const { keyHash } = work.record;
    if (keyHash === undefined) continue;
    if (seen.has(keyHash)) return true;
    seen.add(keyHash);
  }
  return false;
}

/** The first so many tasks, to be tried now, and the others. */
export function parted(pending: Pending, most: number): { readonly now: Pending; readonly later: readonly Task[] } {
  const { tasks } = pending;
  if (tasks.length <= most) return { now: pending, later: [] };
  return { now: { ...pending, tasks: tasks.slice(0, most) }, later: tasks.slice(most) };
}

/** What is to be tried, as a target takes it. */
export function operationsOf({ tasks, ordered }: Pending): readonly Operation[] {
  if (!ordered) return tasks.map(({ operation }) => operation);
  return tasks.map(({ operation, work }) => ({ ...operation, orderedBy: orderOf(work) }));
}

/** Operations of one record are in order also where it has no key. */
function orderOf({ record: { keyHash, record } }: Work): number {
  return keyHash ?? Number(BigInt.asUintN(32, record.offset));
}

/** What an attempt has brought. */
export interface Settled {
  readonly written: readonly InFlightRecord[];
  readonly alreadyWritten: readonly InFlightRecord[];
  /** A newer state of their document was written. */
  readonly replaced: readonly InFlightRecord[];
  readonly dead: readonly DeadRecord[];
  /** What is to be tried again, that of each key in its old order. */
  readonly pending: Pending;
  /** Set if an operation met an outage: the next attempt has to wait. */
  readonly outage: string | undefined;
  /** No answer came in time. */
  readonly isLate: boolean;
}

/**
 * Sorts the tasks of an attempt by their outcomes.
 * @param later of the same batch, not attempted
 */
export function settle(
  { tasks, ordered }: Pending,
  outcomes: readonly Outcome[],
  later: readonly Task[] = [],
): Settled {
  if (outcomes.length !== tasks.length) {
    throw new RangeError(`a target gave ${outcomes.length} outcomes for ${tasks.length} operations`);
  }
  const written: InFlightRecord[] = [];
  const alreadyWritten: InFlightRecord[] = [];
  const replaced: InFlightRecord[] = [];
  const dead: DeadRecord[] = [];
  const again: Task[] = [];
  const stuck = new Set<number>();
  let outage: string | undefined;
  let isLate = false;
  for (const [i, outcome] of outcomes.entries()) {
    const task = tasks[i] as Task;
    switch (outcome.kind) {
      case "written":
        finish(task, written, replaced);
        break;
      case "already-written":
        finish(task, alreadyWritten, replaced);
        break;
      case "data-error": {
        const { work } = task;
        work.attempts++;
        if (!work.dead) {
          work.dead = true;
          const reason = { code: outcome.code, message: outcome.message };
          dead.push({ record: work.record, reason, attempts: work.attempts });
        }
        const [predecessor, ...older] = task.replaced;
        if (predecessor !== undefined) again.push({ ...predecessor, replaced: older });
        break;
      }
      case "transient":
      case "not-attempted":
        again.push(task);
        if (outcome.kind === "transient") {
          task.work.attempts++;
          stuck.add(orderOf(task.work));
          outage ??= outcome.message;
          isLate ||= outcome.isLate === true;
        }
    }
  }
  if (outage === undefined && again.length > 0 && outcomes.every(({ kind }) => kind === "not-attempted")) {
    throw new RangeError("a target attempted nothing and gave no reason: that would go on for ever");
  }
  const open = [...again, ...later].filter(({ work }) => !work.dead);
  // What has failed doesn't hold up the others: it is tried behind them, with all that follows it.
  const isStuck = ({ work }: Task) => stuck.has(orderOf(work));
  const left = stuck.size === 0 ? open : [...open.filter((task) => !isStuck(task)), ...open.filter(isStuck)];
  return { written, alreadyWritten, replaced, dead, pending: { tasks: left, ordered }, outage, isLate };
}

function finish(task: Task, done: InFlightRecord[], replaced: InFlightRecord[]): void {
  if (close(task)) done.push(task.work.record);
  for (const older of task.replaced) if (close(older)) replaced.push(older.work.record);
}

/** True if that was the last operation of a record that isn't a dead letter. */
function close({ work }: Task): boolean {
  work.open--;
  return work.open === 0 && !work.dead;
}
