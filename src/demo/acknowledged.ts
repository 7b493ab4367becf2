import { column16, column32, column64 } from "./columns.ts";

/** What a producer was told about a record it sent. */
export interface AcknowledgedPlace {
  readonly topicId: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** A record as the ledger knows it. */
export interface LedgerRecord {
  readonly key: string;
  readonly sequence: number;
  /** How the sink must name its document. */
  readonly id: string;
}

/**
 * How the sink's documented format spells the `_id` of a record's document: the hot topic's id as Kafka prints it
 * (base64url without padding), the hot partition, and the offset there. Spelled out here once more, on purpose: the
 * ledger shares no code with what it checks.
 */
export function documentId(topicId: string, partition: number, offset: bigint | number): string {
  return `${topicId}-${partition}-${offset}`;
}

/**
 * Every record the producers had acknowledged, in 18 bytes each. A record is known by its key and its sequence number
 * within the key, counted from 0, which no two records share; `number` is its place in the order of acknowledgement.
 */
export class AcknowledgedRecords {
  #topicId: string | undefined;
  readonly #keys: string[] = [];
  readonly #keyIndexes = new Map<string, number>();
  readonly #keyOf = column32();
  readonly #sequenceOf = column32();
  readonly #partitionOf = column16();
  readonly #offsetOf = column64();

  get count(): number {
    return this.#keyOf.length;
  }

  get keyCount(): number {
    return this.#keys.length;
  }

  /** @throws RangeError if the record lies in another topic than the others: the ledger is for one */
  add(key: string, sequence: number, { topicId, partition, offset }: AcknowledgedPlace): void {
    this.#topicId ??= topicId;
    if (topicId !== this.#topicId) {
      throw new RangeError(`a record was acknowledged in topic ${topicId}, those before it in ${this.#topicId}`);
    }
    let keyIndex = this.#keyIndexes.get(key);
    if (keyIndex === undefined) {
      keyIndex = this.#keys.push(key) - 1;
      this.#keyIndexes.set(key, keyIndex);
    }
    this.#keyOf.push(keyIndex);
    this.#sequenceOf.push(sequence);
    this.#partitionOf.push(partition);
    this.#offsetOf.push(Number(offset));
  }

  record(number: number): LedgerRecord {
    return { key: this.key(this.keyOf(number)), sequence: this.sequenceOf(number), id: this.idOf(number) };
  }

  key(keyIndex: number): string {
    const key = this.#keys[keyIndex];
    if (key === undefined) throw new RangeError(`there is no key ${keyIndex} of ${this.#keys.length}`);
    return key;
  }

  indexOfKey(key: string): number | undefined {
    return this.#keyIndexes.get(key);
  }

  keyOf(number: number): number {
    return this.#keyOf.at(number);
  }

  sequenceOf(number: number): number {
    return this.#sequenceOf.at(number);
  }

  idOf(number: number): string {
    return documentId(this.#topicId ?? "", this.#partitionOf.at(number), this.#offsetOf.at(number));
  }
}
