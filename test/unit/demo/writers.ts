import { setTimeout as pause, setImmediate as turn } from "node:timers/promises";
import { documentId } from "../../../src/demo/acknowledged.ts";
import type { DocumentStore, Ledger } from "../../../src/demo/ledger.ts";
import type { StoredDocument } from "../../../src/demo/stock.ts";

export const TOPIC_ID = "kJ0Vqz3fTxyZ-_0123456A";

export interface TestRecord {
  readonly key: string;
  readonly sequence: number;
  readonly partition: number;
  readonly offset: bigint;
}

export interface TestDocument {
  readonly _id: string;
  readonly key: string;
  readonly seq: number;
}

export type Write = (documents: readonly TestDocument[]) => Promise<void>;

/** Records of some keys in turn, each key in one of three partitions. */
export function testRecords(count: number, keys: number): TestRecord[] {
  const offsets = [0n, 0n, 0n];
  return Array.from({ length: count }, (_, index) => {
    const partition = (index % keys) % 3;
    const offset = offsets[partition] ?? 0n;
    offsets[partition] = offset + 1n;
    return { key: `k${index % keys}`, sequence: Math.floor(index / keys), partition, offset };
  });
}

export function keysOf(records: readonly TestRecord[]): string[] {
  return [...new Set(records.map(({ key }) => key))];
}

export function tell(ledger: Ledger, records: readonly TestRecord[]): void {
  for (const { key, sequence, partition, offset } of records) {
    ledger.acknowledged(key, sequence, { topicId: TOPIC_ID, partition, offset });
  }
}

export function toDocument({ key, sequence, partition, offset }: TestRecord): TestDocument {
  return { _id: documentId(TOPIC_ID, partition, offset), key, seq: sequence };
}

/** A right writer: one batch after the other. */
export async function writeInOrder(records: readonly TestRecord[], batch: number, write: Write): Promise<void> {
  for (let from = 0; from < records.length; from += batch) {
    await write(records.slice(from, from + batch).map(toDocument));
  }
}

const SLOWNESS_MS = 30;

/**
 * A broken sink: two writers take batches in turn without regard to keys, and each is slow at times.
 * @param held what the writer of the tenth batch waits for, while the other one writes the next: so a gap stands at the
 *   edge of what is written, where the watch looks, however fast it is written
 */
export async function writeByTwo(
  records: readonly TestRecord[],
  batch: number,
  write: Write,
  held: () => Promise<void> = async () => {},
): Promise<void> {
  let next = 0;
  let holding: Promise<void> | undefined;
  const writer = async (): Promise<void> => {
    for (let from = next; from < records.length; from = next) {
      next += batch;
      if (from === 10 * batch) holding = held();
      await pause(Math.random() * SLOWNESS_MS);
      if (from === 10 * batch || from > 11 * batch) await holding;
      await write(records.slice(from, from + batch).map(toDocument));
    }
  };
  await Promise.all([writer(), writer()]);
}

/** A database in memory, in which each look takes a moment. */
export class MemoryStore implements DocumentStore {
  readonly #documents = new Map<string, TestDocument>();

  readonly write: Write = async (documents) => {
    await pause(2);
    for (const document of documents) this.#documents.set(document._id, document);
  };

  async has(id: string): Promise<boolean> {
    await turn();
    return this.#documents.has(id);
  }

  async *documents(): AsyncGenerator<StoredDocument> {
    for (const { _id, key, seq } of this.#documents.values()) yield { id: _id, key, sequence: seq };
  }
}
