import { bufferTime, concatMap, filter, type Observable, Subject, take } from "rxjs";
import type { BatchBounds } from "./batching.ts";
import type { Queue } from "./oldest-first.ts";

export interface LaneOptions<T> extends BatchBounds {
  readonly bytesOf: (item: T) => number;
  /** Grows with each item that is pushed, into whatever lane. */
  readonly orderOf: (item: T) => number;
  /** False of a record that lacks something that writing it takes, such as a schema. */
  readonly isReady?: ((item: T) => boolean) | undefined;
  /** Gets what these lack. Their lane waits for it, and no other. */
  readonly prepare?: ((items: readonly T[]) => Promise<void>) | undefined;
}

/** Who writes what lanes have gathered. */
export interface LaneHost<T> {
  /** The lane has records to write; resolves when some of them are written, and rejects as that write does. */
  readonly turn: (lane: Lane<T>) => Promise<void>;
  /** The lane has begun to write, or to do something else in its turn. */
  readonly busy: (lane: Lane<T>) => void;
  /** All that was cut is written. */
  readonly rested: (lane: Lane<T>) => void;
}

/** Something else to do in a lane, between its records. */
class Work {
  readonly run: () => Promise<void>;

  constructor(run: () => Promise<void>) {
    this.run = run;
  }
}

/**
 * A queue that is cut by time, number and bytes, whichever comes first, and written one part after the other.
 *
 * bufferTime drops its buffer when it is unsubscribed: a lane ends by `complete` alone.
 */
export class Lane<T> implements Queue<T> {
  readonly written: Observable<void>;
  readonly #options: LaneOptions<T>;
  readonly #host: LaneHost<T>;
  readonly #opened = new Subject<Observable<T | Work>>();
  /** What came since the last cut; undefined: nothing. So a lane without records has no timer. */
  #open: Subject<T | Work> | undefined;
  #openBytes = 0;
  /** Cut and not yet being written. */
  readonly #waiting: (T | Work)[] = [];
  /** As many of those at the front are in the batch that is being filled. */
  #taken = 0;
  /** As many of those at the front lack nothing. */
  #prepared = 0;
  #records = 0;
  #bytes = 0;
  #isBusy = false;

  constructor(options: LaneOptions<T>, host: LaneHost<T>) {
    this.#options = options;
    this.#host = host;
    const { batchTimeoutMs, batchRecords } = options;
    this.written = this.#opened.pipe(
      concatMap((records) => records.pipe(bufferTime(batchTimeoutMs, null, batchRecords), take(1))),
      filter((part) => this.#beginsWriting(part)),
      concatMap(() => this.#write()),
    );
  }

  /** From a cut until all that was cut by then is written. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /** Not being written. */
  get records(): number {
    return this.#records;
  }

  /** Of those records. */
  get bytes(): number {
    return this.#bytes;
  }

  push(item: T): void {
    const bytes = this.#options.bytesOf(item);
    this.#records++;
    this.#bytes += bytes;
    this.#openBytes += bytes;
    this.#next(item);
    if (this.#openBytes >= this.#options.batchBytes) this.cut();
  }

  /** Does something behind the records that it has, and before those that come; no writer waits for it. */
  run(work: () => Promise<void>): void {
    this.#next(new Work(work));
    this.cut();
  }

  cut(): void {
    this.#open?.complete();
  }

  complete(): void {
    this.cut();
    this.#opened.complete();
  }

  /** What may be written next; undefined where there is nothing, or it lacks something, or something else is to be done. */
  head(): T | undefined {
    const item = this.#waiting[this.#taken];
    if (item === undefined || item instanceof Work) return undefined;
    return this.#taken < this.#prepared || this.#options.isReady?.(item) !== false ? item : undefined;
  }

  shift(): void {
    const head = this.head();
    if (head === undefined) return;
    this.#taken++;
    this.#records--;
    this.#bytes -= this.#options.bytesOf(head);
  }

  /** After what was taken: yields whether that was anything. */
  settle(): boolean {
    const taken = this.#taken;
    this.#waiting.splice(0, taken);
    this.#prepared = Math.max(0, this.#prepared - taken);
    this.#taken = 0;
    return taken > 0;
  }

  #next(item: T | Work): void {
    if (this.#open === undefined) {
      this.#open = new Subject();
      this.#opened.next(this.#open);
    }
    this.#open.next(item);
  }

  /** What is cut while a write goes on is that write's to go on with: so no turns queue up, however many are cut. */
  #beginsWriting(part: readonly (T | Work)[]): boolean {
    this.#open = undefined;
    this.#openBytes = 0;
    for (const item of part) this.#waiting.push(item);
    if (this.#isBusy) return false;
    this.#isBusy = true;
    this.#host.busy(this);
    return true;
  }

  async #write(): Promise<void> {
    for (let [first] = this.#waiting; first !== undefined; [first] = this.#waiting) {
      if (first instanceof Work) {
        this.#waiting.shift();
        await first.run();
      } else {
        const lacking = this.#prepare();
        if (lacking !== undefined) await lacking;
        await this.#host.turn(this);
      }
    }
    this.#isBusy = false;
    this.#host.rested(this);
  }

  /** Undefined where nothing is lacking: then the lane's turn comes in this very step, with that of others. */
  #prepare(): Promise<void> | undefined {
    const { isReady, prepare, batchRecords } = this.#options;
    if (isReady === undefined || prepare === undefined) return undefined;
    const items: T[] = [];
    for (const item of this.#waiting) {
      if (item instanceof Work || items.length === batchRecords) break;
      items.push(item);
    }
    this.#prepared = items.length;
    return items.every(isReady) ? undefined : prepare(items);
  }
}
