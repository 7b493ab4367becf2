import * as layout from "../../src/record-batch/layout.ts";
import { writeVarint } from "../../src/record-batch/varint.ts";
import { below, chance, oneOf, type Random, randomBytes } from "./random.ts";
import type { RecordPlace, Specimen } from "./specimens.ts";

const EXTREMES: readonly number[] = [
  ...[-(2 ** 31), -(2 ** 31) + 1, -65_536, -129, -128, -2, -1, 0, 1, 2, 3, 27, 28, 29, 60, 61, 62, 63, 64],
  ...[127, 128, 8_191, 8_192, 65_535, 65_536, 2 ** 20, 2 ** 24, 2 ** 30, 2 ** 31 - 13, 2 ** 31 - 12, 2 ** 31 - 1],
];
const EXTREMES_64: readonly bigint[] = [
  ...[-(2n ** 63n), -(2n ** 53n), -1n, 0n, 1n, 2n ** 31n, 2n ** 32n, 2n ** 53n - 2n, 2n ** 53n - 1n, 2n ** 53n],
  ...[2n ** 53n + 1n, 2n ** 62n, 2n ** 63n - 1n],
];

/** A field that lies: one varint of a record is replaced, and often the record's length made right again. */
export function lyingField(random: Random, { records, places }: Specimen): Buffer {
  const place = places[below(random, places.length)];
  if (place === undefined) return records;
  const at = chance(random, 0.15) ? place.start : (place.fields[below(random, place.fields.length)] ?? place.start);
  const written = chance(random, 0.2) ? endlessVarint(random) : varint(liesFor(random, place, at));
  const before = records.subarray(place.start, at);
  const after = records.subarray(at + varintLength(records, at), place.end);
  const record = Buffer.concat([before, written, after]);
  const fitting = at !== place.start && chance(random, 0.7) ? withRightLength(record) : record;
  return Buffer.concat([records.subarray(0, place.start), fitting, records.subarray(place.end)]);
}

function liesFor(random: Random, place: RecordPlace, at: number): number {
  const left = place.end - at;
  return chance(random, 0.5) ? left - 4 + below(random, 8) : oneOf(random, EXTREMES);
}

/** A record whose first varint is its length, that of the rest now. */
function withRightLength(record: Buffer): Buffer {
  const body = record.subarray(varintLength(record, 0));
  return Buffer.concat([varint(body.length), body]);
}

function varintLength(bytes: Buffer, at: number): number {
  let length = 1;
  while (((bytes[at + length - 1] ?? 0) & 0x80) !== 0) length++;
  return length;
}

function varint(value: number): Buffer {
  const bytes = Buffer.alloc(5);
  return bytes.subarray(0, writeVarint(bytes, 0, value));
}

function endlessVarint(random: Random): Buffer {
  const bytes = Buffer.alloc(1 + below(random, 16), oneOf(random, [0x80, 0xff, 0x81]));
  // One that does end, and may say what was there before, is the harder to refuse.
  const last = oneOf(random, [-1, 0, 0, 1, 2, below(random, 128)]);
  return last < 0 ? bytes : Buffer.concat([bytes, Buffer.from([last])]);
}

/** One change that knows nothing of what the bytes mean. */
export function blindly(random: Random, bytes: Buffer): Buffer {
  const at = below(random, bytes.length + 1);
  const changed = Buffer.from(bytes);
  switch (below(random, 7)) {
    case 0: {
      if (at < changed.length) changed[at] = (changed[at] ?? 0) ^ (1 << below(random, 8));
      return changed;
    }
    case 1: {
      if (at < changed.length) changed[at] = oneOf(random, [0x00, 0x01, 0x7f, 0x80, 0xff]);
      return changed;
    }
    case 2:
      return Buffer.concat([changed.subarray(0, at), endlessVarint(random), changed.subarray(at)]);
    case 3:
      return Buffer.concat([changed.subarray(0, at), randomBytes(random, below(random, 20)), changed.subarray(at)]);
    case 4:
      return Buffer.concat([changed.subarray(0, at), changed.subarray(at + 1 + below(random, 20))]);
    case 5:
      return changed.subarray(0, at);
    default: {
      const piece = changed.subarray(at, at + below(random, 60));
      const to = below(random, bytes.length + 1);
      return Buffer.concat([changed.subarray(0, to), piece, changed.subarray(to)]);
    }
  }
}

/** One field of a batch's header set to what it can't, or hardly, be. Changes the batch. */
export function lyingHeader(random: Random, batch: Buffer): void {
  switch (below(random, 9)) {
    case 0:
      batch.writeBigInt64BE(oneOf(random, EXTREMES_64), layout.BASE_OFFSET);
      break;
    case 1:
      batch.writeInt32BE(nearOrFar(random, batch.readInt32BE(layout.BATCH_LENGTH)), layout.BATCH_LENGTH);
      break;
    case 2:
      batch[layout.MAGIC] = oneOf(random, [0, 1, 3, 255]);
      break;
    case 3:
      batch.writeInt16BE(batch.readInt16BE(layout.ATTRIBUTES) ^ (1 << below(random, 7)), layout.ATTRIBUTES);
      break;
    case 4:
      batch.writeInt32BE(nearOrFar(random, batch.readInt32BE(layout.LAST_OFFSET_DELTA)), layout.LAST_OFFSET_DELTA);
      break;
    case 5:
      batch.writeBigInt64BE(oneOf(random, EXTREMES_64), layout.BASE_TIMESTAMP);
      break;
    case 6:
      batch.writeBigInt64BE(oneOf(random, EXTREMES_64), layout.MAX_TIMESTAMP);
      break;
    case 7:
      batch.writeBigInt64BE(oneOf(random, EXTREMES_64), layout.PRODUCER_ID);
      break;
    default:
      batch.writeInt32BE(nearOrFar(random, batch.readInt32BE(layout.RECORD_COUNT)), layout.RECORD_COUNT);
  }
}

function nearOrFar(random: Random, value: number): number {
  if (chance(random, 0.5)) return Math.min(2 ** 31 - 1, Math.max(-(2 ** 31), value - 3 + below(random, 7)));
  return oneOf(random, EXTREMES);
}
