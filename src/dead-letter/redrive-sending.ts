import { topicMissing } from "../kafka/offsets.ts";
import type { RecordProducer } from "../kafka/record-producer.ts";
import type { Position } from "../kafka/topic-partition.ts";
import { pause } from "../runtime/backoff.ts";
import { type Letter, redriven } from "./letter.ts";
import type { RedriveProgress } from "./redrive-progress.ts";

const COMMIT_MS = 1_000;

interface SendingParts {
  readonly producer: RecordProducer;
  readonly progress: RedriveProgress;
  /** Undefined for a topic that isn't there. */
  readonly partitionsOf: (topic: string) => Promise<number | undefined>;
  readonly signal: AbortSignal;
}

/** Sends letters no faster than allowed, and commits what is acknowledged. */
export class RedriveSending {
  readonly #parts: SendingParts;
  readonly #pauseMs: number;
  readonly #partitions = new Map<string, number>();
  #underWay: Promise<unknown>[] = [];
  #nextAt = performance.now();
  #committedAt = performance.now();

  constructor(parts: SendingParts, perSecond: number | undefined) {
    this.#parts = parts;
    this.#pauseMs = perSecond === undefined ? 0 : 1_000 / perSecond;
  }

  async send(target: string, letter: Letter, topicId: string): Promise<void> {
    const { producer, signal } = this.#parts;
    const wait = this.#nextAt - performance.now();
    if (this.#pauseMs > 0 && wait > 1) await pause(wait, signal);
    // Time in which nothing was to be done is not saved up.
    this.#nextAt = Math.max(this.#nextAt, performance.now()) + this.#pauseMs;
    await producer.ready();
    const { source } = letter;
    const count = await this.#countOf(target);
    // Where it came from its partition is known, whatever partitioner had chosen it; unless the topic was made anew.
    const partition = source?.topic === target && source.partition < count ? source.partition : undefined;
    const sent = producer.send(target, redriven(letter, topicId), partition);
    sent.catch(() => {}); // it is awaited later
    this.#underWay.push(sent);
  }

  /** Once a second, or `always`. @throws what sending met */
  async commitNow(position: Position, always = false): Promise<void> {
    if (!always && performance.now() - this.#committedAt < COMMIT_MS) return;
    await this.settle();
    await this.#parts.progress.reached([position]);
    this.#committedAt = performance.now();
  }

  async #countOf(target: string): Promise<number> {
    const count = this.#partitions.get(target) ?? (await this.#parts.partitionsOf(target));
    if (count === undefined) throw topicMissing(target);
    this.#partitions.set(target, count);
    return count;
  }

  /** Resolves when all that was sent is acknowledged. */
  async settle(): Promise<void> {
    const underWay = this.#underWay;
    this.#underWay = [];
    await Promise.all(underWay);
  }
}
