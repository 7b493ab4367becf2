import type { Logger } from "pino";
import type { LetterPlace } from "../dead-letter/dead-letter.ts";
import {
  formatState,
  type KeyState,
  keyText,
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
import type { Backoff } from "../runtime/backoff.ts";
import { ControlWrites } from "./control-writes.ts";
import { documentId } from "./models/insert.ts";
import { originOf } from "./models/model.ts";
import type { Outage } from "./outage.ts";
import { ParkedSet, type Standing } from "./parking.ts";
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
  /** Makes sure that the generation isn't over. @throws SpillwayError FENCED */
  readonly confirm: () => Promise<void>;
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
 * on. A key is its partition's owner's: what a former one writes late, which was frozen for a while, is set right.
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
  readonly #writes: ControlWrites;
  #reserved = 0;
  #following: AsyncDisposable | undefined;

  private constructor(positions: readonly Position[], parts: ParkedKeysParts) {
    this.#positions = new Map(positions.map((position) => [partitionKey(position), position]));
    this.#parts = parts;
    this.#writes = new ControlWrites(parts);
  }

  /**
   * Knows all parked keys of these partitions once it resolves.
   * @throws SpillwayError as `readControl`; TIMEOUT, retryable, if the generation is over before
   */
  static async open(positions: readonly Position[], parts: ParkedKeysParts): Promise<ParkedKeys> {
    const keys = new ParkedKeys(positions, parts);
    try {
      await keys.#load();
      await keys.#writes.patiently(() => keys.committed(positions), parts.stop);
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
    await this.#change(name, state);
  }

  /** All letters of the key are dealt with, up to this offset of the source: it flows again. */
  async reopen(name: ParkedKeyName, { topicId, from }: ParkedState, through: bigint): Promise<void> {
    const state = { state: "open", topicId, from, through } as const;
    // Whoever isn't the owner any more must not say so: the next one has added letters.
    await this.#parts.confirm();
    await this.#change(name, state);
  }

  /** The request is dealt with. */
  async answered(name: ParkedKeyName): Promise<void> {
    await this.#writes.write(requestKey(name), undefined);
  }

  /** Forgets open keys whose records nobody reads again. */
  async committed(positions: readonly Position[]): Promise<void> {
    for (const { topic, partition, offset } of positions) {
      for (const id of this.#set.behind(topic, partition, offset)) {
        const name = this.#names.get(id);
        if (name === undefined) continue;
        const entry = stateKey(name);
        if (this.#writes.isUnderWay(entry)) continue; // it is being parked again
        await this.#writes.inTurn(entry, async () => {
          await this.#parts.store.write(entry, undefined);
          this.#put(name, undefined);
        });
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#following?.[Symbol.asyncDispose]();
    await this.#writes.settled();
  }

  async #load(): Promise<void> {
    const { store, group, stop } = this.#parts;
    let isLoaded = false;
    const take = (entry: ControlEntry): void => {
      if (isLoaded) this.#setRight(entry);
      else this.#state(entry);
      if (this.#onRequest === undefined) this.#waiting.push(entry);
      else this.#request(entry);
    };
    this.#following = await this.#writes.patiently(() => store.follow(group, take, stop), stop);
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

  /** Says again what holds, where the entry says something else. */
  #setRight({ key, value }: ControlEntry): void {
    const named = parseControlKey(key);
    if (named?.kind !== "state" || !this.#positions.has(partitionKey(named.name)) || this.#writes.isUnderWay(key))
      return;
    const holds = () => {
      const state = this.stateOf(named.name);
      return state === undefined ? undefined : formatState(state);
    };
    if (value === holds()) return;
    const { topic, partition } = named.name;
    this.#parts.log.info({ topic, partition }, "the state of a parked key was written late: it is set right");
    const say = () => this.#writes.write(key, holds());
    this.#writes.inTurn(key, say).catch((error: unknown) => {
      if (!this.#parts.abandoned.aborted) {
        this.#parts.log.warn(
          { topic, partition, error: messageOf(error) },
          "the state of a parked key is not set right",
        );
      }
    });
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

  async #change(name: ParkedKeyName, state: KeyState): Promise<void> {
    const entry = stateKey(name);
    await this.#writes.inTurn(entry, async () => {
      await this.#writes.write(entry, formatState(state));
      this.#put(name, state);
    });
  }
}
