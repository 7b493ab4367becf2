import { bufferTime, concatAll, concatMap, type Observable, Subject, take, tap } from "rxjs";
import type { BatchBounds } from "./batching.ts";
import type { Queue } from "./oldest-first.ts";

export interface LaneOptions<T> extends BatchBounds {
  readonly bytesOf: (item: T) => number;
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
  /** All that was due is written. */
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
  readonly #opened = new Subject<Observable<(T | Work)[]>>();
  /** What came since the last cut; undefined: nothing. So a lane without records has no timer. */
  #open: Subject<T | Work> | undefined;
  /** What came while the lane was busy. It needs no timer either, and under a flood most does. */
  #behind: (T | Work)[] = [];
  #behindSince = 0;
  /** Cut and not yet being written. */
  #waiting: (T | Work)[] = [];
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
    this.written = this.#opened.pipe(
      concatAll(),
      tap((part) => this.#begin(part)),
      concatMap(() => this.#write()),
    );
  }

  /** From a cut until nothing that is due is left to be written. */
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
    this.#records++;
    this.#bytes += this.#options.bytesOf(item);
    if (this.#isBusy) {
      if (this.#behind.length === 0) this.#behindSince = performance.now();
      this.#behind.push(item);
      return;
    }
    this.#gather(item, this.#options.batchTimeoutMs);
    if (this.#bytes >= this.#options.batchBytes) this.cut();
  }

  /** Does something behind the records that it has, and before those that come; no writer waits for it. */
  run(work: () => Promise<void>): void {
    if (this.#isBusy) this.#behind.push(new Work(work));
    else this.#gather(new Work(work), this.#options.batchTimeoutMs);
    this.cut();
  }

  /** What it has is due. */
  cut(): void {
    if (this.#isBusy) this.#join();
    else this.#open?.complete();
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

  #gather(item: T | Work, forMs: number): void {
    if (this.#open === undefined) {
      this.#open = new Subject();
      this.#opened.next(this.#open.pipe(bufferTime(forMs, null, this.#options.batchRecords), take(1)));
    }
    this.#open.next(item);
  }

  #begin(part: readonly (T | Work)[]): void {
    this.#open = undefined;
    for (const item of part) this.#waiting.push(item);
    this.#isBusy = true;
    this.#host.busy(this);
  }

  /** What came behind that which waits is cut with it. */
  #join(): void {
    if (this.#waiting.length === 0) [this.#waiting, this.#behind] = [this.#behind, this.#waiting];
    else for (const item of this.#behind.splice(0)) this.#waiting.push(item);
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0 || this.#isDue()) {
      this.#join();
      const [first] = this.#waiting;
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
    const leftMs = Math.max(0, this.#options.batchTimeoutMs - (performance.now() - this.#behindSince));
    for (const item of this.#behind.splice(0)) this.#gather(item, leftMs);
    this.#host.rested(this);
  }

  /** Whether what came meanwhile has reached a bound. Nothing else is there then. */
  #isDue(): boolean {
    const { batchRecords, batchBytes, batchTimeoutMs } = this.#options;
    if (this.#behind.length === 0) return false;
    if (this.#records >= batchRecords || this.#bytes >= batchBytes) return true;
    return performance.now() - this.#behindSince >= batchTimeoutMs;
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
