import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { BatchBuilder, type NewRecord, type ProducerStamp, stampBatch } from "../../src/record-batch/batch-builder.ts";
import * as layout from "../../src/record-batch/layout.ts";
import { CODECS, type Codec } from "../../src/record-batch/layout.ts";
import { ORIGIN_HEADER, packOrigin } from "../../src/record-batch/origin.ts";
import { type OutputBatch, Transcoder, type TranscoderInput } from "../../src/relay/transcoder.ts";
import {
  type DescribedBatch,
  type DescribedFile,
  type DescribedRecord,
  describeRecord,
  describeRecords,
} from "../golden/describe.ts";
import { openKafkaJava } from "../golden/kafka-java.ts";
import { NO_PRODUCER } from "../helpers/batches.ts";
import { seeds } from "../helpers/seeds.ts";

/** What we write is read by the classes that Kafka's own consumer and broker read it with. */

const nullableBytes = fc.option(fc.uint8Array({ maxLength: 400 }));
const record: fc.Arbitrary<NewRecord> = fc.record({
  key: fc.option(fc.oneof(fc.uint8Array({ maxLength: 5 }), fc.string({ unit: "grapheme" }).map(bytesOf))),
  value: nullableBytes,
  timestamp: fc.oneof(fc.integer({ min: -1, max: 2 ** 41 }), fc.constantFrom(-1, 0, 2 ** 52)),
  headers: fc.array(fc.record({ key: fc.string({ maxLength: 8, unit: "grapheme" }), value: nullableBytes }), {
    maxLength: 4,
  }),
});
const stamp: fc.Arbitrary<ProducerStamp> = fc.oneof(
  fc.constant(NO_PRODUCER),
  fc.record({
    producerId: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
    epoch: fc.nat(2 ** 15 - 1),
    sequence: fc.oneof(fc.nat(), fc.constant(2 ** 31 - 1)),
  }),
);
const batch = fc.record({ records: fc.array(record, { minLength: 1, maxLength: 100 }), stamp });

type Batch = typeof batch extends fc.Arbitrary<infer T> ? T : never;

/** A file for Java, and what must be true of what it says of it. */
interface Case {
  readonly name: string;
  readonly bytes: Buffer;
  check(batches: readonly DescribedBatch[]): void;
}

for (const seed of seeds(1)) {
  test(`what we write is what Java reads (seed ${seed})`, async (t) => {
    t.diagnostic(`SPILLWAY_SEED=${seed}`);
    const cases = [...CODECS.flatMap((codec) => builtCases(codec, seed)), ...transcodedCases(seed)];
    await using java = await openKafkaJava((line) => t.diagnostic(line));
    const files = cases.map((_, i) => join(java.directory, `${i}.bin`));
    for (const [i, { bytes }] of cases.entries()) await writeFile(files[i] ?? "", bytes);
    const lines = (await java.run("ReadBatches.java", files)).trimEnd().split("\n");
    assert.equal(lines.length, cases.length);
    for (const [i, { name, check }] of cases.entries()) {
      const { batches, error } = JSON.parse(lines[i] ?? "") as DescribedFile;
      await t.test(name, () => {
        assert.equal(error, undefined);
        check(batches);
      });
    }
  });
}

function builtCases(codec: Codec, seed: number): Case[] {
  const value = Buffer.alloc(3 * 1024 * 1024, "some three megabytes of a value, ");
  for (let at = 0; at < value.length; at += 1_009) value[at] = at;
  const small = { key: bytesOf("k"), value: bytesOf("v"), timestamp: 1_700_000_000_000 };
  const many = Array.from({ length: 130_000 }, (_, i) => ({
    key: bytesOf(`key ${i % 1_000}`),
    value: bytesOf(`value ${i}`),
    timestamp: small.timestamp + (i % 7),
  }));
  return [
    built(`${codec}: any content`, codec, fc.sample(batch, { seed, numRuns: 20 })),
    built(`${codec}: a value of 3 MB`, codec, [{ records: [small, { ...small, value }, small], stamp: NO_PRODUCER }]),
    built(`${codec}: 130,000 records in one batch`, codec, [{ records: many, stamp: NO_PRODUCER }]),
  ];
}

function built(name: string, codec: Codec, batches: readonly Batch[]): Case {
  let baseOffset = 0n;
  const wanted: DescribedBatch[] = [];
  const parts = batches.map(({ records, stamp }) => {
    const builder = new BatchBuilder();
    for (const one of records) assert.ok(builder.append(one));
    const sealed = builder.seal(codec) ?? assert.fail("a batch without records");
    stampBatch(sealed, stamp);
    wanted.push({
      baseOffset: String(baseOffset),
      lastOffset: String(baseOffset + BigInt(records.length - 1)),
      codec,
      logAppendTime: false,
      maxTimestamp: String(records.reduce((max, { timestamp }) => Math.max(max, timestamp), -1)),
      transactional: false,
      producerId: String(stamp.producerId),
      producerEpoch: stamp.epoch,
      baseSequence: stamp.sequence,
      recordCount: records.length,
      ...describeRecords(records.map((one, i) => ({ ...contentOf(one), offset: baseOffset + BigInt(i) }))),
    });
    const placed = placedAt(sealed.bytes, baseOffset);
    baseOffset += BigInt(records.length);
    return placed;
  });
  return { name, bytes: Buffer.concat(parts), check: (found) => assert.deepEqual(found, wanted) };
}

const NUMBER_HEADER = "number";
const PARTITIONS = 4;
const ORIGIN = { topicId: "zHaV0daIQvO8jLlQ5f0x4A", partition: 3 };

/** What the relay makes of batches of ours, one case for each target partition. Each record carries its number. */
function transcodedCases(seed: number): Case[] {
  const numbered = fc
    .sample(fc.array(record, { minLength: 1, maxLength: 60 }), { seed: seed + 1, numRuns: 10 })
    .flat()
    .map((one, i) => ({
      ...one,
      headers: [...(one.headers ?? []), { key: NUMBER_HEADER, value: bytesOf(String(i)) }],
    }));
  const codecs = [...CODECS, "source"] as const;
  return codecs.flatMap((codec) => [false, true].flatMap((provenance) => transcoded(numbered, codec, provenance)));
}

function transcoded(source: readonly NewRecord[], codec: Codec | "source", provenance: boolean): Case[] {
  const transcoder = new Transcoder<TranscoderInput>({
    target: "wide",
    partitions: PARTITIONS,
    batchBytes: 1_500,
    codec,
    provenance,
  });
  const logs = new Map<number, Buffer[]>();
  const ends = new Map<number, number>();
  const take = ({ partition, batch: sealed }: OutputBatch<TranscoderInput>) => {
    stampBatch(sealed, NO_PRODUCER);
    const end = ends.get(partition) ?? 0;
    ends.set(partition, end + sealed.recordCount);
    logs.set(partition, [...(logs.get(partition) ?? []), placedAt(sealed.bytes, BigInt(end))]);
  };
  const codecOf = (i: number) => CODECS[i % CODECS.length] ?? "none";
  const batches = Buffer.concat(source.map((one, i) => batchOfOne(one, codecOf(i), i)));
  const fetched = { ...ORIGIN, topic: "hot", fetchOffset: 0n, batches, abortedTransactions: [] };
  transcoder.add(fetched, { outputs: 0 }, take);
  transcoder.drain(take);
  assert.equal(
    [...ends.values()].reduce((sum, end) => sum + end, 0),
    source.length,
  );

  return [...logs].map(([partition, parts]) => ({
    name: `transcoded to ${codec}, ${provenance ? "with" : "without"} provenance, partition ${partition}`,
    bytes: Buffer.concat(parts),
    check(found) {
      const records = found.flatMap((one) => one.records ?? assert.fail("a batch too large to be told in full"));
      if (codec !== "source") for (const one of found) assert.equal(one.codec, codec);
      let last = -1;
      for (const [offset, one] of records.entries()) {
        const number = numberOf(one);
        assert.ok(number > last, `record ${number} comes after ${last}`);
        last = number;
        const original = source[number] ?? assert.fail(`there is no record ${number}`);
        const added = { key: ORIGIN_HEADER, value: packOrigin({ ...ORIGIN, offset: BigInt(number) }) };
        const headers = [...(original.headers ?? []), ...(provenance ? [added] : [])];
        assert.deepEqual(one, describeRecord({ ...contentOf(original), headers, offset: BigInt(offset) }));
        if (one.keyHash !== undefined) assert.equal(one.keyHash % PARTITIONS, partition);
      }
      assert.equal(records.length, ends.get(partition));
    },
  }));
}

function batchOfOne(one: NewRecord, codec: Codec, offset: number): Buffer {
  const builder = new BatchBuilder();
  builder.append(one);
  const sealed = builder.seal(codec) ?? assert.fail("a batch without records");
  stampBatch(sealed, NO_PRODUCER);
  return placedAt(sealed.bytes, BigInt(offset));
}

/** What a broker does when it appends the batch to its log. */
function placedAt(bytes: Buffer, baseOffset: bigint): Buffer {
  bytes.writeBigInt64BE(baseOffset, layout.BASE_OFFSET);
  return bytes;
}

function numberOf({ headers }: DescribedRecord): number {
  const header = headers.findLast(([name]) => name === NUMBER_HEADER);
  return Number(Buffer.from(header?.[1] ?? "", "base64").toString());
}

function contentOf({ key, value, timestamp, headers = [] }: NewRecord) {
  return { key, value, timestamp: BigInt(timestamp), headers };
}

function bytesOf(text: string): Buffer {
  return Buffer.from(text);
}
