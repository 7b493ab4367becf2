import { BatchBuilder } from "../../src/record-batch/batch-builder.ts";
import { compress } from "../../src/record-batch/compression.ts";
import type { Codec } from "../../src/record-batch/layout.ts";
import * as layout from "../../src/record-batch/layout.ts";
import { writeVarint } from "../../src/record-batch/varint.ts";
import { below, oneOf, type Random, randomBytes } from "./random.ts";

/** Few bytes that ask for much: memory, or work. */
export interface Bomb {
  readonly what: string;
  readonly codec: Codec;
  readonly count: number;
  readonly payload: Buffer;
}

const COMPRESSING = ["gzip", "snappy", "lz4", "zstd"] as const satisfies readonly Codec[];
const MEBIBYTE = 1024 * 1024;

/** Sizes are powers of two, small ones far more often than large, so that they can be kept. */
function sizeUpTo(random: Random, most: number): number {
  const steps = Math.floor(Math.log2(most / 64));
  return 64 * 2 ** Math.floor(steps * random() ** 4 + 0.5);
}

const kept = new Map<string, Buffer>();

function keep(name: string, make: () => Buffer): Buffer {
  const found = kept.get(name) ?? make();
  kept.set(name, found);
  return found;
}

/** @param most bytes, about, that a bomb grows to */
export function anyBomb(random: Random, most: number): Bomb {
  const make = oneOf(random, [zeros, records, headers, frames, liar]);
  return make(random, most);
}

/** Every bomb that can be of any size, in this one. */
export function bombsOf(size: number): Bomb[] {
  const frames = COMPRESSING.map((codec) => framesOf(codec, Math.min(size, MEBIBYTE)));
  return [
    ...COMPRESSING.flatMap((codec) => [zerosOf, recordsOf, headersOf].map((make) => make(codec, size))),
    ...frames,
  ];
}

function zeros(random: Random, most: number): Bomb {
  return zerosOf(oneOf(random, COMPRESSING), sizeUpTo(random, most));
}

function zerosOf(codec: Codec, size: number): Bomb {
  const payload = keep(`zeros ${codec} ${size}`, () => compress(codec, Buffer.alloc(size)));
  return { what: `${size} zeros`, codec, count: size, payload };
}

function records(random: Random, most: number): Bomb {
  return recordsOf(oneOf(random, COMPRESSING), sizeUpTo(random, most));
}

/** As many records as fit, all of them in order; not as many as could be, since each way of reading takes a second then. */
function recordsOf(codec: Codec, size: number): Bomb {
  const count = Math.max(1, Math.floor(Math.min(size, 16 * MEBIBYTE) / 10));
  const payload = keep(`records ${codec} ${count}`, () => {
    const builder = new BatchBuilder();
    for (let i = 0; i < count; i++) builder.append({ key: null, value: null, timestamp: 0 });
    const bytes = builder.seal("none")?.bytes ?? Buffer.alloc(layout.RECORDS);
    return compress(codec, bytes.subarray(layout.RECORDS));
  });
  return { what: `${count} records`, codec, count, payload };
}

function headers(random: Random, most: number): Bomb {
  return headersOf(oneOf(random, COMPRESSING), sizeUpTo(random, most));
}

/** One record with as many headers as fit: two bytes each, an empty name and an empty value. */
function headersOf(codec: Codec, size: number): Bomb {
  const payload = keep(`headers ${codec} ${size}`, () => {
    const body = Buffer.alloc(5 + 5 + size);
    body[3] = 1; // behind attributes, timestamp and offset a key of null and an empty value
    const start = writeVarint(body, 5, size / 2);
    const length = Buffer.alloc(5);
    const lengthEnd = writeVarint(length, 0, start + size);
    return compress(codec, Buffer.concat([length.subarray(0, lengthEnd), body.subarray(0, start + size)]));
  });
  return { what: `${size / 2} headers`, codec, count: 1, payload };
}

function frames(random: Random): Bomb {
  return framesOf(oneOf(random, COMPRESSING), Math.min(sizeUpTo(random, MEBIBYTE), MEBIBYTE));
}

/** Frame behind frame with nothing in them, or blocks where a codec has no frames. */
function framesOf(codec: (typeof COMPRESSING)[number], size: number): Bomb {
  const payload = keep(`frames ${codec} ${size}`, () => {
    const empty = compress(codec, Buffer.alloc(0));
    if (codec !== "snappy") return repeated(empty, size);
    return Buffer.concat([empty, repeated(Buffer.from([0, 0, 0, 1, 0]), size)]);
  });
  return { what: `${size} bytes of empty frames`, codec, count: 1, payload };
}

function repeated(bytes: Buffer, size: number): Buffer {
  return Buffer.alloc(bytes.length * Math.max(1, Math.floor(size / bytes.length)), bytes);
}

/** Frames that announce more than they hold. */
function liar(random: Random, most: number): Bomb {
  const junk = randomBytes(random, below(random, 40));
  const [codec, start] = oneOf(random, announcements(random, most));
  return { what: "a lie about its size", codec, count: 1, payload: Buffer.concat([start, junk]) };
}

function announcements(random: Random, most: number): [Codec, Buffer][] {
  const announced = 2 ** below(random, 48);
  const size64 = Buffer.alloc(8);
  size64.writeBigUInt64LE(BigInt(announced));
  const size32 = Buffer.alloc(4);
  size32.writeUInt32BE(announced % 2 ** 32);
  const snappyBlock = Buffer.concat([unsignedVarint(Math.min(announced, most)), Buffer.from([0x00, 0x61])]);
  const snappyLength = Buffer.alloc(4);
  snappyLength.writeUInt32BE(snappyBlock.length);
  const xerial = compress("snappy", Buffer.alloc(0));
  const manyBlocks = repeated(Buffer.concat([snappyLength, snappyBlock]), 64 + below(random, 400));
  return [
    // zstd: a window of up to 2^41 bytes; a content size; one block of a repeated byte
    ["zstd", Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, below(random, 256), 0x03, below(random, 256), 0xff, 0x61])],
    [
      "zstd",
      Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xe0]), size64, Buffer.from([0x03, 0xff, 0xff, 0x61])]),
    ],
    ["zstd", Buffer.concat([Buffer.from([0x50, 0x2a, 0x4d, 0x18]), size32])],
    // lz4: a content size; the largest blocks; a block that would be longer than the bytes
    ["lz4", Buffer.concat([Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x68, 0x70]), size64, Buffer.from([0x00])])],
    ["lz4", Buffer.concat([Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73]), size32.toReversed()])],
    // gzip: an extra field that is longer than the bytes; a name without an end
    ["gzip", Buffer.from([0x1f, 0x8b, 0x08, 0x04, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff])],
    ["gzip", Buffer.concat([Buffer.from([0x1f, 0x8b, 0x08, 0x08, 0, 0, 0, 0, 0, 0xff]), Buffer.alloc(200, 0x61)])],
    // snappy: blocks that announce much, each behind a right length; a raw block
    ["snappy", Buffer.concat([xerial, manyBlocks])],
    ["snappy", Buffer.concat([xerial, size32])],
    ["snappy", snappyBlock],
  ];
}

function unsignedVarint(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  for (; left >= 0x80; left = Math.floor(left / 128)) bytes.push((left % 128) | 0x80);
  return Buffer.from([...bytes, left]);
}
