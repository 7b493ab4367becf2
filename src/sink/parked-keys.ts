import type { Logger } from "pino";
import type { LetterPlace } from "../dead-letter/dead-letter.ts";
import {
  formatState,
  type KeyState,
  type ParkedKeyName,
  type ParkedState,
  parseControlKey,
  parseRequest,
  parseState,
  type RedriveRequest,
  requestKey,
  stateKey,
} from "../dead-letter/parked-key.ts";
import type { ParkedStore } from "../dead-letter/parked-store.ts";
import type { LetterReader } from "../dead-letter/read-letters.ts";
import { messageOf, SpillwayError } from "../errors.ts";
import type { ControlEntry } from "../kafka/control-topic.ts";
import { type Position, partitionKey } from "../kafka/topic-partition.ts";
import { type Backoff, retry } from "../runtime/backoff.ts";
import { documentId } from "./models/insert.ts";
import { originOf } from "./models/model.ts";
import type { Outage } from "./outage.ts";
import { keyText, ParkedSet, type Standing } from "./parking.ts";
import type { DeadRecord } from "./plan.ts";
import type { InFlightRecord } from "./progress.ts";
import type { SinkStats } from "./stats.ts";

export interface ParkedKeysParts {
  readonly store: ParkedStore;
  readonly letters: LetterReader;
  readonly group: string;
  /** How many keys may be parked; one more ends the sink. */
  readonly maxKeys: number;
  readonly retryBackoff: Backoff;
  readonly outage: Outage;
  readonly stats: SinkStats;
  readonly log: Logger;
  /** Aborted when the generation is over: nothing more is heard of then. */
  readonly stop: AbortSignal;
  /** Ends every wait. */
  readonly abandoned: AbortSignal;
}

type OnRequest = (name: ParkedKeyName, request: RedriveRequest) => void;

/**
 * The parked keys of the partitions of one generation, in memory and in the control topic.
 *
 * Guarantee: what `park`, `keep` and `reopen` say is acknowledged there when they resolve, and holds here only from then
 * on. Nobody else changes it: a key is its partition's owner's.
 */
export class ParkedKeys implements AsyncDisposable {
  readonly #parts: ParkedKeysParts;
  readonly #positions: ReadonlyMap<string, Position>;
  readonly #set = new ParkedSet();
  readonly #names = new Map<string, ParkedKeyName>();
  /** Requests that were handed on. */
  readonly #seen = new Set<string>();
  #onRequest: OnRequest | undefined;
  #waiting: ControlEntry[] = [];
  #reserved = 0;
  #following: AsyncDisposable | undefined;

  private constructor(positions: readonly Position[], parts: ParkedKeysParts) {
    this.#positions = new Map(positions.map((position) => [partitionKey(position), position]));
    this.#parts = parts;
  }

  /**
   * Knows all parked keys of these partitions once it resolves.
   * @throws SpillwayError as `readControl`; TIMEOUT, retryable, if the generation is over before
   */
  static async open(positions: readonly Position[], parts: ParkedKeysParts): Promise<ParkedKeys> {
    const keys = new ParkedKeys(positions, parts);
    try {
      await keys.#load();
      await keys.#patiently(() => keys.committed(positions));
      parts.stats.keysParked = keys.#set.parked;
      return keys;
    } catch (cause) {
      await keys[Symbol.asyncDispose]();
      if (!parts.stop.aborted) throw cause;
      const options = { retryable: true, cause };
      throw new SpillwayError("TIMEOUT", "The generation was over before its parked keys were known", options);
    }
  }

  /** Hands on what the owner of a key's partition is asked to do, once for each request: those there are, and later ones. */
  hand(onRequest: OnRequest): void {
    this.#onRequest = onRequest;
    for (const entry of this.#waiting) this.#request(entry);
    this.#waiting = [];
  }

  get letters(): LetterReader {
    return this.#parts.letters;
  }

  standingOf(record: InFlightRecord): Standing {
    return this.#set.standingOf(record);
  }

  stateOf({ topic, partition, key }: ParkedKeyName): KeyState | undefined {
    return this.#set.get(keyText(topic, partition, key));
  }

  /** Makes sure that one more key may be parked, before anything is written of it. @throws SpillwayError TOO_MANY_PARKED_KEYS */
  reserve({ record: { topic, partition, offset } }: InFlightRecord): Disposable {
    const { maxKeys, group } = this.#parts;
    if (this.#set.parked + this.#reserved >= maxKeys) {
      const hint =
        "Mend the cause and redrive them (spillway dlq list --parked), or raise max-parked-keys; without room the order of further keys can't be kept";
      throw new SpillwayError("TOO_MANY_PARKED_KEYS", `${maxKeys} keys are parked already`, {
        context: { topic, partition, offset, group, hint },
      });
    }
    this.#reserved++;
    return { [Symbol.dispose]: () => void this.#reserved-- };
  }

  /** From this record on its key is parked. `place` is that of its letter. */
  async park({ record: item, reason }: DeadRecord, letters: LetterPlace & { readonly topic: string }): Promise<void> {
    const { record, topicId } = item;
    const { topic, partition, key, offset } = record;
    if (key === null) return;
    const name = { group: this.#parts.group, topic, partition, key };
    // It is only read again, from before where its key was parked: that goes by what it was parked with.
    if (this.stateOf(name)?.state === "parked") return;
    const now = new Date().toISOString();
    await this.keep(name, {
      state: "parked",
      topicId,
      from: offset,
      letters: { topic: letters.topic, partition: letters.partition, offset: letters.offset },
      origin: documentId(originOf(record, topicId)),
      code: reason.code,
      redrives: 0,
      since: now,
      failedAt: now,
    });
    this.#parts.log.warn(
      { topic, partition, offset: String(offset), reason: reason.code, parked: this.#set.parked },
      "a key is parked: its later records follow it into the dead-letter topic until it is redriven",
    );
  }

  /** The key stays parked, as this says. */
  async keep(name: ParkedKeyName, state: ParkedState): Promise<void> {
    await this.#write(stateKey(name), formatState(state));
    this.#put(name, state);
  }

  /** All letters of the key are dealt with, up to this offset of the source: it flows again. */
  async reopen(name: ParkedKeyName, { topicId, from }: ParkedState, through: bigint): Promise<void> {
    const state = { state: "open", topicId, from, through } as const;
    await this.#write(stateKey(name), formatState(state));
    this.#put(name, state);
  }

  /** The request is dealt with. */
  async answered(name: ParkedKeyName): Promise<void> {
    await this.#write(requestKey(name), undefined);
  }

  /** Forgets open keys whose records nobody reads again. */
  async committed(positions: readonly Position[]): Promise<void> {
    for (const { topic, partition, offset } of positions) {
      for (const id of this.#set.behind(topic, partition, offset)) {
        const name = this.#names.get(id);
        if (name === undefined) continue;
        await this.#parts.store.write(stateKey(name), undefined);
        this.#put(name, undefined);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#following?.[Symbol.asyncDispose]();
  }

  async #load(): Promise<void> {
    const { store, group, stop } = this.#parts;
    let isLoaded = false;
    const take = (entry: ControlEntry): void => {
      if (!isLoaded) this.#state(entry);
      if (this.#onRequest === undefined) this.#waiting.push(entry);
      else this.#request(entry);
    };
    this.#following = await this.#patiently(() => store.follow(group, take, stop));
    isLoaded = true; // from now on this is the only one who writes them
  }

  #state({ key, value }: ControlEntry): void {
    const named = parseControlKey(key);
    if (named?.kind !== "state") return;
    const state = parseState(value);
    const { topic, partition } = named.name;
    const position = this.#positions.get(partitionKey(named.name));
    if (position === undefined) return;
    if (state === undefined || state.topicId === position.topicId) this.#put(named.name, state);
    else this.#parts.log.warn({ topic, partition }, "a key was parked in an earlier topic of this name: it is ignored");
  }

  #request({ key, value }: ControlEntry): void {
    const named = parseControlKey(key);
    const request = parseRequest(value);
    if (named?.kind !== "request" || request === undefined || this.#seen.has(request.id)) return;
    if (!this.#positions.has(partitionKey(named.name))) return;
    this.#seen.add(request.id);
    this.#onRequest?.(named.name, request);
  }

  #put(name: ParkedKeyName, state: KeyState | undefined): void {
    const { topic, partition, key } = name;
    const id = keyText(topic, partition, key);
    this.#set.set(id, state);
    if (state === undefined) this.#names.delete(id);
    else this.#names.set(id, name);
    this.#parts.stats.keysParked = this.#set.parked;
  }

  async #write(key: string, value: string | undefined): Promise<void> {
    await this.#patiently(() => this.#parts.store.write(key, value));
  }

  /** Waits out any outage, as dead letters do. */
  async #patiently<T>(operation: () => Promise<T>): Promise<T> {
    const { outage, retryBackoff, stop, abandoned } = this.#parts;
    let startedAt = 0;
    const done = await retry(
      () => {
        startedAt = performance.now();
        return operation();
      },
      {
        signal: this.#following === undefined ? stop : abandoned,
        backoff: retryBackoff,
        deadlineMs: Number.POSITIVE_INFINITY,
        onRetry: (error) => outage.failed(startedAt, messageOf(error)),
      },
    );
    abandoned.throwIfAborted();
    outage.succeeded(startedAt);
    return done;
  }
}
