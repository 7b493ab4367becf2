import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import type { RecordBatch } from "../../src/record-batch/batch.ts";
import { ORIGIN_BYTES, ORIGIN_HEADER } from "../../src/record-batch/origin.ts";
import type { RecordCursor } from "../../src/record-batch/record-cursor.ts";
import { type KafkaRecord, timestampOf } from "../../src/record-batch/records.ts";

/**
 * What was read, in a few numbers that don't depend on the order of records: enough to see that two ways of reading
 * found the same keys, values and timestamps.
 */
export class RecordSum {
  records = 0;
  #keys = 0;
  #values = 0;
  #timestamps = 0n;
  #headers = 0;
  #origins = 0;

  add(key: Buffer | null, value: Buffer | null, timestamp: bigint, headers: number): void {
    this.records++;
    this.#keys += sumOf(key);
    this.#values += sumOf(value);
    this.#timestamps += timestamp;
    this.#headers += headers;
  }

  addFromCursor(cursor: RecordCursor, batch: RecordBatch): void {
    const { bytes, keyStart, keyEnd, valueStart, valueEnd } = cursor;
    const key = keyStart < 0 ? null : bytes.subarray(keyStart, keyEnd);
    const value = valueStart < 0 ? null : bytes.subarray(valueStart, valueEnd);
    this.add(key, value, timestampOf(cursor, batch), cursor.headerCount);
    if (cursor.originAt >= 0) this.#origins++;
  }

  addRecord({ key, value, timestamp, headers, origin }: KafkaRecord): void {
    this.add(key, value, timestamp, headers.length);
    if (origin !== undefined) this.#origins++;
  }

  /** A record that has come through the transcoder: with provenance each has an origin, the last header if it is new. */
  addTranscoded(record: KafkaRecord, provenance: boolean): void {
    this.addRecord(record);
    if (!provenance) return;
    const last = record.headers.at(-1);
    assert.ok(record.origin !== undefined && last !== undefined);
    const isOrigin = (header: typeof last) => header.key === ORIGIN_HEADER && header.value?.length === ORIGIN_BYTES;
    assert.ok(record.headers.some(isOrigin));
  }

  /** @param provenance whether every record has an origin here, added where there was none before */
  assertSame(other: RecordSum, provenance = false): void {
    const added = provenance ? this.records - other.#origins : 0;
    this.assertSameContent(other, added);
    assert.equal(this.#origins, other.#origins + added);
  }

  /** @param headersAdded how many headers there are more of */
  assertSameContent(other: RecordSum, headersAdded = 0): void {
    assert.equal(this.records, other.records);
    assert.equal(this.#keys, other.#keys);
    assert.equal(this.#values, other.#values);
    assert.equal(this.#timestamps, other.#timestamps);
    assert.equal(this.#headers, other.#headers + headersAdded);
  }
}

/** Of empty bytes another number than of none at all. */
function sumOf(bytes: Buffer | null): number {
  return bytes === null ? 1 : bytes.length + 2 + crc32(bytes);
}
