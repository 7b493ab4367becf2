import { type DeadLetterProducer, DeadLetters } from "../../../src/dead-letter/dead-letter.ts";
import { type Letter, readLetter } from "../../../src/dead-letter/letter.ts";
import type { ParkedStore } from "../../../src/dead-letter/parked-store.ts";
import type { LetterReader } from "../../../src/dead-letter/read-letters.ts";
import { SpillwayError } from "../../../src/errors.ts";
import type { ControlEntry } from "../../../src/kafka/control-topic.ts";
import type { NewRecord } from "../../../src/record-batch/batch-builder.ts";
import { ORIGIN_HEADER, readOrigin } from "../../../src/record-batch/origin.ts";

/** What a step does to whoever makes it: nothing; or it fails before it takes effect, or behind. */
export type Step = (what: "letter" | "control") => "well" | "before" | "behind";

/** A dead-letter topic of one partition and a control topic, in memory, which outlive the sinks that use them. */
export class MemoryKafka {
  readonly letters: { readonly topic: string; readonly record: NewRecord }[] = [];
  readonly control = new Map<string, string>();
  /** What is written to the control topic is acknowledged once this is. */
  held: Promise<void> = Promise.resolve();
  readonly #followers = new Set<(entry: ControlEntry) => void>();

  /** The parts of a sink: one for each life of it. */
  parts(step: Step = () => "well") {
    // As a producer does: when one fails, those that were handed over behind it fail with it.
    let failures = 0;
    const producer: DeadLetterProducer = {
      send: async (topic, record) => {
        const before = failures;
        const fate = step("letter");
        await new Promise(setImmediate);
        if (before !== failures) throw passing();
        if (fate !== "well") failures++;
        if (fate === "before") throw passing();
        const offset = BigInt(this.letters.push({ topic, record }) - 1);
        if (fate === "behind") throw passing();
        return { partition: 0, offset };
      },
    };
    const store: ParkedStore = {
      follow: async (group, take) => {
        for (const [key, value] of this.control) if (key.includes(`"${group}"`)) take({ key, value });
        this.#followers.add(take);
        return { [Symbol.asyncDispose]: async () => void this.#followers.delete(take) };
      },
      write: async (key, value) => {
        const fate = step("control");
        await new Promise(setImmediate);
        await this.held;
        if (fate === "before") throw passing();
        this.write(key, value);
        if (fate === "behind") throw passing();
      },
    };
    const letters: LetterReader = {
      read: async ({ offset }, take) => {
        const all = this.read().slice(Number(offset));
        // In parts, as a broker gives them.
        for (let i = 0; i < all.length; i += 7) {
          await new Promise(setImmediate);
          if ((await take(all.slice(i, i + 7))) === false) return;
        }
      },
    };
    return { deadLetters: new DeadLetters(producer), parking: { store, letters } };
  }

  write(key: string, value: string | undefined): void {
    if (value === undefined) this.control.delete(key);
    else this.control.set(key, value);
    for (const take of this.#followers) take({ key, value });
  }

  read(): readonly Letter[] {
    return this.letters.map(({ topic, record }, i) => {
      const headers = (record.headers ?? []).map(({ key, value }) => ({ key, value: bufferOf(value) }));
      const origin = headers.find(({ key }) => key === ORIGIN_HEADER)?.value ?? undefined;
      return readLetter({
        topic,
        partition: 0,
        offset: BigInt(i),
        timestamp: BigInt(record.timestamp),
        key: bufferOf(record.key),
        value: bufferOf(record.value),
        headers,
        origin: origin === undefined ? undefined : readOrigin(origin, 0),
      });
    });
  }
}

function bufferOf(bytes: Uint8Array | null): Buffer | null {
  return bytes === null ? null : Buffer.from(bytes);
}

function passing(): SpillwayError {
  return new SpillwayError("DELIVERY_FAILED", "it may have been written", { retryable: true });
}
