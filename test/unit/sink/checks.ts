import assert from "node:assert/strict";
import type { NewRecord } from "../../../src/record-batch/batch-builder.ts";
import type { Outcome } from "../../../src/sink/target.ts";
import {
  type MemoryGeneration,
  type MemoryParts,
  type MemoryTarget,
  type MemoryTopic,
  memoryGeneration,
  numbered,
  TOPIC,
  TOPIC_ID,
} from "./memory.ts";

export const AWAY: Outcome = { kind: "transient", message: "away" };
export const BAD: Outcome = { kind: "data-error", code: "test-bad", message: "bad" };

/** Waits for a condition, turn by turn of the event loop. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const giveUpAt = performance.now() + 20_000;
  while (!condition()) {
    assert.ok(performance.now() < giveUpAt, `waited too long until ${what}`);
    await new Promise(setImmediate);
  }
}

/** `count` records over `keys` keys (and, each eighth, none), in `partitions` partitions by key. */
export function records(count: number, keys: number, partitions: number): NewRecord[][] {
  const all: NewRecord[][] = Array.from({ length: partitions }, () => []);
  for (let i = 0; i < count; i++) {
    const key = i % 8 === 7 ? null : `key-${i % keys}`;
    all[key === null ? i % partitions : (i % keys) % partitions]?.push(numbered(key, i));
  }
  return all;
}

export interface Numbered {
  readonly key: string | null;
  readonly sequence: number;
}

/** Per key, how often a record came to be in the database before an earlier one of its key. */
export function orderViolations({ documents, order }: MemoryTarget): number {
  const last = new Map<string, number>();
  let violations = 0;
  for (const { id } of order) {
    const { key, sequence } = documents.get(id) as unknown as Numbered;
    if (key === null) continue;
    if (sequence < (last.get(key) ?? -1)) violations++;
    else last.set(key, sequence);
  }
  return violations;
}

/** Ids of all records of a topic. */
export function idsOf(topic: MemoryTopic): Set<string> {
  return new Set(
    topic.partitions.flatMap((of, partition) => of.map((_, offset) => `${TOPIC_ID}-${partition}-${offset}`)),
  );
}

export function buriedIds({ deadLetters }: MemoryParts): Set<string> {
  return new Set(
    deadLetters.buried.map(({ origin }) => `${origin.topicId}-${origin.partition}-${String(origin.offset)}`),
  );
}

/** Fails if a commit covers a record that is neither written nor a dead letter. */
export function checkedGeneration(topic: MemoryTopic, parts: () => MemoryParts): MemoryGeneration {
  return memoryGeneration(topic.positions(), async (positions) => {
    const buried = buriedIds(parts());
    for (const { partition, offset } of positions) {
      for (let i = 0; i < Number(offset); i++) {
        const id = `${TOPIC_ID}-${partition}-${i}`;
        assert.ok(parts().target.documents.has(id) || buried.has(id), `${id} is committed and not written`);
      }
    }
  });
}

export function ends(topic: MemoryTopic): Map<string, bigint> {
  return new Map(topic.partitions.map((of, i) => [`${TOPIC}/${i}`, BigInt(of.length)]));
}
