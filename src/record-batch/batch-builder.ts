import { crc32c } from "@node-rs/crc32";
import type { RecordBatch } from "./batch.ts";
import type { BufferPool } from "./buffer-pool.ts";
import { compress } from "./compression.ts";
import * as layout from "./layout.ts";
import { CODECS, type Codec } from "./layout.ts";
import type { RecordCursor } from "./record-cursor.ts";
import { timestampOf } from "./records.ts";
import { varintSize, varlongSize, writeVarint, writeVarlong } from "./varint.ts";

const INITIAL_BYTES = 4 * 1024;
/** More than the length, attributes, timestamp and offset of a record can take. */
const RECORD_OVERHEAD = 32;
/** A count of headers takes at most this. */
const COUNT_OVERHEAD = 5;

/** A record to be written, for those who hold it as an object. */
export interface NewRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
  readonly headers?: readonly { readonly key: string; readonly value: Uint8Array | null }[];
}

/**
 * Builds one record batch. The caller decides when it is full (`bytes`) and takes it by `seal`; afterwards the builder
 * is empty and goes on with a new batch.
 */
export class BatchBuilder {
  readonly #pool: BufferPool | undefined;
  /** Every batch begins in this one: most partitions of a quiet topic never need more. */
  #small: Buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  #bytes: Buffer = this.#small;
  #end = layout.RECORDS;
  #count = 0;
  #baseTimestamp = 0n;
  /** The base timestamp as a number where that is exact; deltas are then reckoned in numbers. */
  #base = 0;
  #baseIsExact = true;
  /** The highest timestamp, as its distance from the base. */
  #maxDelta = 0;

  /** @param pool where larger buffers come from; whoever is done with a sealed batch gives its `memory` back there */
  constructor(pool?: BufferPool) {
    this.#pool = pool;
  }

  /** Records in the open batch. */
  get count(): number {
    return this.#count;
  }

  /** Bytes of the open batch before compression, its header included. */
  get bytes(): number {
    return this.#end;
  }

  /**
   * Appends the cursor's record as it is, but for the place in its batch, with one more header behind its own and
   * another key where they are given. Returns false, and appends nothing, if its timestamp is too far from the batch's first (2^53 ms) to be
   * written as a difference: seal this batch and append again.
   */
  appendFrom(cursor: RecordCursor, batch: RecordBatch, addedHeader?: Uint8Array, newKey?: Uint8Array): boolean {
    const delta = this.#count === 0 ? this.#start(timestampOf(cursor, batch)) : this.#deltaOf(cursor, batch);
    if (!Number.isSafeInteger(delta)) return false;
    const source = cursor.bytes;
    const added = addedHeader === undefined ? 0 : addedHeader.length + COUNT_OVERHEAD;
    this.#reserve(cursor.recordEnd - cursor.keyField + added + (newKey?.length ?? 0) + RECORD_OVERHEAD);

    const copied = newKey === undefined ? cursor.keyField : cursor.valueField;
    let body = cursor.recordEnd - copied + (newKey === undefined ? 0 : nullableSize(newKey));
    if (addedHeader !== undefined) {
      body += addedHeader.length + varintSize(cursor.headerCount + 1) - (cursor.headersStart - cursor.headerCountField);
    }
    let at = this.#beginRecord(delta, body);
    if (newKey !== undefined) at = writeNullable(this.#bytes, at, newKey);
    if (addedHeader === undefined) {
      at += source.copy(this.#bytes, at, copied, cursor.recordEnd);
    } else {
      at += source.copy(this.#bytes, at, copied, cursor.headerCountField);
      at = writeVarint(this.#bytes, at, cursor.headerCount + 1);
      at += source.copy(this.#bytes, at, cursor.headersStart, cursor.recordEnd);
      this.#bytes.set(addedHeader, at);
      at += addedHeader.length;
    }
    this.#endRecord(at, delta);
    return true;
  }

  /** Appends a record; false, and nothing appended, as with `appendFrom`. */
  append(record: NewRecord): boolean {
    const timestamp = BigInt(record.timestamp);
    const delta = this.#count === 0 ? this.#start(timestamp) : Number(timestamp - this.#baseTimestamp);
    if (!Number.isSafeInteger(delta)) return false;
    const headers = (record.headers ?? []).map(({ key, value }) => ({ key: Buffer.from(key, "utf8"), value }));
    let body = nullableSize(record.key) + nullableSize(record.value) + varintSize(headers.length);
    for (const { key, value } of headers) body += nullableSize(key) + nullableSize(value);
    this.#reserve(body + RECORD_OVERHEAD);

    let at = this.#beginRecord(delta, body);
    at = writeNullable(this.#bytes, at, record.key);
    at = writeNullable(this.#bytes, at, record.value);
    at = writeVarint(this.#bytes, at, headers.length);
    for (const { key, value } of headers) at = writeNullable(this.#bytes, writeNullable(this.#bytes, at, key), value);
    this.#endRecord(at, delta);
    return true;
  }

  /**
   * Closes the batch and returns it whole but for producer id, epoch, sequence and CRC, which `stampBatch` writes when
   * it is sent: the epoch can change while a batch is queued. Undefined if it holds no record.
   */
  seal(codec: Codec): SealedBatch | undefined {
    if (this.#count === 0) return undefined;
    const memory = codec === "none" ? this.#bytes : this.#compressed(codec);
    const bytes = codec === "none" ? memory.subarray(0, this.#end) : memory;
    bytes.fill(0, 0, layout.RECORDS);
    bytes.writeInt32BE(bytes.length - layout.LENGTH_OVERHEAD, layout.BATCH_LENGTH);
    bytes.writeInt32BE(-1, layout.LEADER_EPOCH);
    bytes[layout.MAGIC] = 2;
    bytes.writeInt16BE(CODECS.indexOf(codec), layout.ATTRIBUTES);
    bytes.writeInt32BE(this.#count - 1, layout.LAST_OFFSET_DELTA);
    bytes.writeBigInt64BE(this.#baseTimestamp, layout.BASE_TIMESTAMP);
    bytes.writeBigInt64BE(this.#baseTimestamp + BigInt(this.#maxDelta), layout.MAX_TIMESTAMP);
    bytes.writeInt32BE(this.#count, layout.RECORD_COUNT);
    const sealed = { bytes, recordCount: this.#count, memory };

    // The sealed batch keeps its buffer.
    if (memory === this.#small) this.#small = Buffer.allocUnsafeSlow(INITIAL_BYTES);
    else if (memory !== this.#bytes) this.#pool?.give(this.#bytes);
    this.#bytes = this.#small;
    this.#end = layout.RECORDS;
    this.#count = 0;
    return sealed;
  }

  #compressed(codec: Codec): Buffer {
    const compressed = compress(codec, this.#bytes.subarray(layout.RECORDS, this.#end));
    return Buffer.concat([this.#bytes.subarray(0, layout.RECORDS), compressed]);
  }

  #start(timestamp: bigint): number {
    this.#baseTimestamp = timestamp;
    this.#base = Number(timestamp);
    this.#baseIsExact = Number.isSafeInteger(this.#base);
    this.#maxDelta = 0;
    return 0;
  }

  #deltaOf(cursor: RecordCursor, batch: RecordBatch): number {
    const base = Number(batch.logAppendTime ? batch.maxTimestamp : batch.baseTimestamp);
    const timestamp = base + (batch.logAppendTime ? 0 : cursor.timestampDelta);
    // The sum of two safe integers need not be one, and would come out rounded.
    const isExact = Number.isSafeInteger(base) && Number.isSafeInteger(cursor.timestampDelta);
    if (this.#baseIsExact && isExact && Number.isSafeInteger(timestamp)) return timestamp - this.#base;
    return Number(timestampOf(cursor, batch) - this.#baseTimestamp);
  }

  /** Writes what stands before the key and returns where the key's length field begins. */
  #beginRecord(timestampDelta: number, body: number): number {
    const length = 1 + varlongSize(timestampDelta) + varintSize(this.#count) + body;
    let at = writeVarint(this.#bytes, this.#end, length);
    this.#bytes[at++] = 0;
    at = writeVarlong(this.#bytes, at, timestampDelta);
    return writeVarint(this.#bytes, at, this.#count);
  }

  #endRecord(end: number, timestampDelta: number): void {
    this.#end = end;
    this.#count++;
    if (timestampDelta > this.#maxDelta) this.#maxDelta = timestampDelta;
  }

  #reserve(more: number): void {
    const needed = this.#end + more;
    if (needed <= this.#bytes.length) return;
    const pooled = this.#pool !== undefined && needed <= this.#pool.bytes;
    const grown = pooled ? this.#pool.take() : Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#end);
    this.#pool?.give(this.#bytes);
    this.#bytes = grown;
  }
}

/** A batch that is ready to be sent, but for what `stampBatch` writes. */
export interface SealedBatch {
  readonly bytes: Buffer;
  readonly recordCount: number;
  /** What `bytes` is part of, where it may go back to the builder's pool when the batch is not needed any more. */
  readonly memory?: Buffer;
}

/** Who writes a batch and as which of theirs. -1 in each where the producer is not idempotent. */
export interface ProducerStamp {
  readonly producerId: bigint;
  readonly epoch: number;
  readonly sequence: number;
  /** The batch is part of the producer's open transaction. */
  readonly transactional?: boolean;
}

/** Writes the producer's fields and, over them, the CRC. May be called again with another stamp. */
export function stampBatch(
  { bytes }: Pick<SealedBatch, "bytes">,
  { producerId, epoch, sequence, transactional = false }: ProducerStamp,
): void {
  if (transactional)
    bytes.writeInt16BE(bytes.readInt16BE(layout.ATTRIBUTES) | layout.TRANSACTIONAL_BIT, layout.ATTRIBUTES);
  bytes.writeBigInt64BE(producerId, layout.PRODUCER_ID);
  bytes.writeInt16BE(epoch, layout.PRODUCER_EPOCH);
  bytes.writeInt32BE(sequence, layout.BASE_SEQUENCE);
  bytes.writeUInt32BE(crc32c(bytes.subarray(layout.ATTRIBUTES)), layout.CRC);
}

function nullableSize(bytes: Uint8Array | null): number {
  return bytes === null ? 1 : varintSize(bytes.length) + bytes.length;
}

function writeNullable(target: Buffer, at: number, bytes: Uint8Array | null): number {
  if (bytes === null) return writeVarint(target, at, -1);
  const start = writeVarint(target, at, bytes.length);
  target.set(bytes, start);
  return start + bytes.length;
}
