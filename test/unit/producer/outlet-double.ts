import type { Acknowledgement, RecordOutlet } from "../../../src/producer/outlet.ts";
import type { NewRecord } from "../../../src/record-batch/batch-builder.ts";

export interface SentRecord {
  readonly topic: string;
  readonly record: NewRecord;
  /** When `send` was called, on the clock of `performance.now()`. */
  readonly at: number;
}

/** What the values of any generator may hold. */
export interface SentValue {
  readonly kind?: string;
  readonly key?: string;
  readonly seq?: number;
  readonly created?: number;
  readonly symbol?: string;
  readonly price?: number;
  readonly source?: string;
}

/** Takes every record, in memory, all into one partition. */
export class OutletDouble implements RecordOutlet {
  readonly sent: SentRecord[] = [];
  /** Fails the record with this index. */
  failAt = Number.POSITIVE_INFINITY;

  async ready(): Promise<void> {}

  async send(topic: string, record: NewRecord): Promise<Acknowledgement> {
    const index = this.sent.push({ topic, record, at: performance.now() }) - 1;
    if (index === this.failAt) throw new Error("the broker is away");
    return { topicId: "AAAAAAAAAAAAAAAAAAAAAA", partition: 0, offset: BigInt(index) };
  }

  get keys(): string[] {
    return this.sent.map(({ record }) => Buffer.from(record.key ?? []).toString());
  }

  get values(): SentValue[] {
    return this.sent.map(({ record }) => JSON.parse(Buffer.from(record.value ?? []).toString()));
  }
}
