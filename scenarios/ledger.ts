import type { AcknowledgedPlace } from "../src/demo/acknowledged.ts";
import type { StoredDocument } from "../src/demo/stock.ts";

/** How the service names a message's document. Spelled out here once more, as the ledger shares no code with it. */
export function documentId(key: string, sequence: number): string {
  return `${key}:${sequence}`;
}

export interface Verdict {
  readonly documents: number;
  /** Acknowledged messages without a document, though the service was done with them. */
  readonly missing: number;
  /** Acknowledged messages without a document that the service had not come to. */
  readonly waiting: number;
  /** Documents beyond one per message. */
  readonly duplicates: number;
  /** Documents that were inserted behind a later one of their key. */
  readonly orderViolations: number;
  /** Documents that no acknowledged message accounts for. */
  readonly strangers: number;
}

type Place = Pick<AcknowledgedPlace, "partition" | "offset"> & {
  /** Where messages go to several topics. */
  readonly topicId?: string;
};

/** Names the document of a message. */
type DocumentName = (key: string, sequence: number, place: Place) => string;

/** How a sink names it, by where it lies. Spelled out here once more, too. */
export function originId(_key: string, _sequence: number, { topicId = "", partition, offset }: Place): string {
  return `${topicId}-${partition}-${offset}`;
}

/**
 * Every message that a producer had acknowledged, against every document. It knows the messages from acknowledgements
 * alone, and the documents from the database alone, in the order in which that returns them: the order of insertion,
 * in FerretDB (on SQLite, by row) and MongoDB (by record) alike.
 */
export class Ledger {
  readonly #places = new Map<string, Place[]>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  acknowledged(key: string, sequence: number, { topicId, partition, offset }: Place): void {
    const place = topicId === undefined ? { partition, offset } : { topicId, partition, offset };
    const ofKey = this.#places.get(key);
    if (ofKey === undefined) this.#places.set(key, placed([], sequence, place));
    else placed(ofKey, sequence, place);
    this.#count++;
  }

  /**
   * @param isDone whether the service was done with what lies there in the hot topic
   * @param nameOf how it names documents
   */
  async verdict(
    documents: AsyncIterable<StoredDocument>,
    isDone: (place: Place) => boolean,
    nameOf: DocumentName = documentId,
  ): Promise<Verdict> {
    const seen = new Map<string, Set<number>>();
    const latest = new Map<string, number>();
    let [count, duplicates, orderViolations, strangers] = [0, 0, 0, 0];
    for await (const { id, key, sequence: stored } of documents) {
      count++;
      const sequence = Number(stored);
      const place = typeof key === "string" ? this.#places.get(key)?.[sequence] : undefined;
      if (typeof key !== "string" || place === undefined || id !== nameOf(key, sequence, place)) {
        strangers++;
        continue;
      }
      const ofKey = seen.get(key) ?? new Set();
      seen.set(key, ofKey);
      if (ofKey.has(sequence)) {
        duplicates++;
        continue;
      }
      ofKey.add(sequence);
      const before = latest.get(key) ?? -1;
      if (sequence < before) orderViolations++;
      latest.set(key, Math.max(before, sequence));
    }

    let [missing, waiting] = [0, 0];
    for (const [key, places] of this.#places) {
      for (const [sequence, place] of places.entries()) {
        if (place === undefined || seen.get(key)?.has(sequence)) continue;
        if (isDone(place)) missing++;
        else waiting++;
      }
    }
    return { documents: count, missing, waiting, duplicates, orderViolations, strangers };
  }
}

/** Acknowledgements may come in any order. */
function placed(places: Place[], sequence: number, place: Place): Place[] {
  places[sequence] = place;
  return places;
}
