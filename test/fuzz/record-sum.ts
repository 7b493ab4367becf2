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

  addFromCursor(cursor: RecordCursor, batch: RecordBatch): void {
    const { bytes, keyStart, keyEnd, valueStart, valueEnd } = cursor;
    this.records++;
    this.#keys += keyStart < 0 ? 1 : sumOf(bytes.subarray(keyStart, keyEnd));
    this.#values += valueStart < 0 ? 1 : sumOf(bytes.subarray(valueStart, valueEnd));
    this.#timestamps += timestampOf(cursor, batch);
    this.#headers += cursor.headerCount;
    if (cursor.originAt >= 0) this.#origins++;
  }

  addRecord({ key, value, timestamp, headers, origin }: KafkaRecord): void {
    this.records++;
    this.#keys += key === null ? 1 : sumOf(key);
    this.#values += value === null ? 1 : sumOf(value);
    this.#timestamps += timestamp;
    this.#headers += headers.length;
    if (origin !== undefined) this.#origins++;
    for (const header of headers) {
      if (header.value !== null && header.value.length > header.value.buffer.byteLength) assert.fail("a header is cut");
    }
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
    assert.equal(this.records, other.records);
    assert.equal(this.#keys, other.#keys);
    assert.equal(this.#values, other.#values);
    assert.equal(this.#timestamps, other.#timestamps);
    assert.equal(this.#origins, provenance ? this.records : other.#origins);
    assert.equal(this.#headers, other.#headers + (provenance ? this.records - other.#origins : 0));
  }
}

/** Of empty bytes another number than of none at all. */
function sumOf(bytes: Buffer): number {
  return bytes.length + 2 + crc32(bytes);
}
