import { BatchBuilder, type NewRecord } from "../../src/record-batch/batch-builder.ts";
import { compress } from "../../src/record-batch/compression.ts";
import * as layout from "../../src/record-batch/layout.ts";
import { CODECS, type Codec } from "../../src/record-batch/layout.ts";
import { ORIGIN_HEADER, packOrigin } from "../../src/record-batch/origin.ts";
import { RecordCursor } from "../../src/record-batch/record-cursor.ts";
import { recrc } from "../helpers/batches.ts";
import { below, chance, oneOf, type Random, randomBytes } from "./random.ts";

/** The header fields of a batch that its makers choose here; its length and CRC follow. */
export interface BatchSpec {
  readonly codec: Codec;
  readonly baseOffset: number;
  readonly lastOffsetDelta: number;
  readonly count: number;
  /** Bits beside those of the codec. */
  readonly flags: number;
  readonly producerId: bigint;
  readonly baseTimestamp: bigint;
  /** The records, as the codec leaves them. */
  readonly payload: Buffer;
}

/** A batch with a header that is in order, whatever its payload. */
export function assemble(spec: BatchSpec): Buffer {
  const bytes = Buffer.alloc(layout.RECORDS + spec.payload.length);
  bytes.writeBigInt64BE(BigInt(spec.baseOffset), layout.BASE_OFFSET);
  bytes.writeInt32BE(bytes.length - layout.LENGTH_OVERHEAD, layout.BATCH_LENGTH);
  bytes.writeInt32BE(-1, layout.LEADER_EPOCH);
  bytes[layout.MAGIC] = 2;
  bytes.writeInt16BE(CODECS.indexOf(spec.codec) | spec.flags, layout.ATTRIBUTES);
  bytes.writeInt32BE(spec.lastOffsetDelta, layout.LAST_OFFSET_DELTA);
  bytes.writeBigInt64BE(spec.baseTimestamp, layout.BASE_TIMESTAMP);
  bytes.writeBigInt64BE(spec.baseTimestamp, layout.MAX_TIMESTAMP);
  bytes.writeBigInt64BE(spec.producerId, layout.PRODUCER_ID);
  bytes.writeInt32BE(spec.count, layout.RECORD_COUNT);
  spec.payload.copy(bytes, layout.RECORDS);
  return recrc(bytes);
}

/** Where a record lies, its length field included, and where the varints in it begin. */
export interface RecordPlace {
  readonly start: number;
  readonly end: number;
  readonly fields: readonly number[];
}

/** Records that are in order, for mutation. */
export interface Specimen {
  readonly count: number;
  readonly records: Buffer;
  readonly places: readonly RecordPlace[];
  readonly compressed: Readonly<Record<Codec, Buffer>>;
}

export function makeSpecimens(random: Random, howMany: number): readonly Specimen[] {
  return Array.from({ length: howMany }, (_, i) => {
    // Mostly small: a mutation of a small batch is as telling, and there are more of them in a second.
    const count = i % 40 === 0 ? 50 + below(random, 200) : 1 + below(random, 6);
    return specimenOf(Array.from({ length: count }, () => anyRecord(random)));
  });
}

function specimenOf(records: readonly NewRecord[]): Specimen {
  const builder = new BatchBuilder();
  for (const record of records) builder.append(record);
  const sealed = builder.seal("none");
  if (sealed === undefined) throw new RangeError("a specimen needs records");
  const bytes = sealed.bytes.subarray(layout.RECORDS);
  const compressed = Object.fromEntries(CODECS.map((codec) => [codec, compress(codec, bytes)]));
  return {
    count: sealed.recordCount,
    records: bytes,
    places: placesOf(bytes, sealed.recordCount),
    compressed: compressed as Record<Codec, Buffer>,
  };
}

function placesOf(bytes: Buffer, count: number): RecordPlace[] {
  const cursor = new RecordCursor();
  cursor.openBytes(bytes, count, count);
  const places: RecordPlace[] = [];
  let start = 0;
  while (cursor.next()) {
    const { timestampAt, keyField, keyEnd, headerCountField, headersStart, recordEnd } = cursor;
    const valueField = keyEnd < 0 ? keyField + 1 : keyEnd;
    const fields = [timestampAt, keyField - 1, keyField, valueField, headerCountField];
    if (headersStart < recordEnd) fields.push(headersStart);
    places.push({ start, end: recordEnd, fields });
    start = recordEnd;
  }
  return places;
}

function anyRecord(random: Random): NewRecord {
  const headers = Array.from({ length: chance(random, 0.5) ? 0 : below(random, 4) }, () => ({
    key: oneOf(random, ["", "h", "header", "ключ", ORIGIN_HEADER]),
    value: chance(random, 0.2) ? null : randomBytes(random, below(random, 30)),
  }));
  const origin = { topicId: "zHaV0daIQvO8jLlQ5f0x4A", partition: 1, offset: BigInt(below(random, 2 ** 31)) };
  if (chance(random, 0.1)) headers.push({ key: ORIGIN_HEADER, value: packOrigin(origin) });
  return {
    key: chance(random, 0.2) ? null : randomBytes(random, below(random, 12)),
    value: chance(random, 0.1) ? null : Buffer.from("text that compresses ".repeat(below(random, 5))),
    timestamp: 1_700_000_000_000 + below(random, 100_000) - 50_000,
    headers,
  };
}
