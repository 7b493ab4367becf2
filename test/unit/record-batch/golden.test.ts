import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { test } from "node:test";
import { type FetchedBytes, offsetAfter, type RecordBatch, readBatches } from "../../../src/record-batch/batch.ts";
import { stampBatch } from "../../../src/record-batch/batch-builder.ts";
import { partitionForKey } from "../../../src/record-batch/murmur2.ts";
import { ORIGIN_HEADER } from "../../../src/record-batch/origin.ts";
import { type KafkaRecord, readRecords } from "../../../src/record-batch/records.ts";
import { type OutputBatch, Transcoder, type TranscoderInput } from "../../../src/relay/transcoder.ts";
import { type DescribedBatch, describeRecord, describeRecords } from "../../golden/describe.ts";
import { readVectors, type Vector } from "../../golden/vectors.ts";
import { NO_PRODUCER } from "../../helpers/batches.ts";

/**
 * Batches that Kafka's own Java classes wrote, read and transcoded by ours; what they hold is told by Java, too. See
 * test/golden/generate.ts.
 */
const vectors = readVectors();
const TOPIC_ID = "zHaV0daIQvO8jLlQ5f0x4A";
const PARTITIONS = 24;

function fetched({ bytes }: Vector, given: Partial<FetchedBytes> = {}): FetchedBytes & { topicId: string } {
  const all = { topic: "golden", topicId: TOPIC_ID, partition: 5, fetchOffset: 0n, batches: bytes };
  return { ...all, abortedTransactions: [], ...given };
}

const isData = ({ control }: DescribedBatch) => control === undefined;

/** The same of a batch that we read as Java says of it. */
function describeBatch(batch: RecordBatch) {
  return {
    baseOffset: String(batch.baseOffset),
    lastOffset: String(batch.lastOffset),
    codec: batch.codec,
    logAppendTime: batch.logAppendTime,
    maxTimestamp: String(batch.maxTimestamp),
    transactional: batch.transactional,
    producerId: String(batch.producerId),
    recordCount: batch.recordCount,
  };
}

for (const vector of vectors) {
  const data = vector.batches.filter(isData);

  test(`${vector.name}: batches and records are what Java wrote`, () => {
    const batches = [...readBatches(fetched(vector))].map(describeBatch);
    const wanted = data.map(({ producerEpoch, baseSequence, deleteHorizon, records, digest, ...batch }) => batch);
    assert.deepEqual(batches, wanted);

    const records = [...readRecords(fetched(vector))];
    for (const batch of data) {
      const inBatch = records.splice(0, batch.recordCount);
      const { records: inFull, digest } = batch;
      assert.deepEqual(describeRecords(inBatch), inFull === undefined ? { digest } : { records: inFull });
    }
    assert.equal(records.length, 0);
  });

  test(`${vector.name}: reading goes on behind the last batch`, () => {
    const lastOffset = BigInt(vector.batches.at(-1)?.lastOffset ?? Number.NaN);
    assert.equal(offsetAfter(vector.bytes, "golden", 5), lastOffset + 1n);
    assert.deepEqual([...readRecords(fetched(vector, { fetchOffset: lastOffset + 1n }))], []);
  });

  for (const provenance of [false, true]) {
    test(`${vector.name}: transcoded ${provenance ? "with" : "without"} provenance, content and order stay`, () => {
      const source = [...readRecords(fetched(vector))];
      checkTranscoded(source, transcode(fetched(vector), provenance), provenance);
    });
  }
}

test("what is cut anywhere gives the records of its whole batches", () => {
  for (const vector of vectors.filter(({ bytes }) => bytes.length < 2_000)) {
    const all = [...readRecords(fetched(vector))];
    for (let length = 0; length < vector.bytes.length; length++) {
      const cut = vector.bytes.subarray(0, length);
      const next = offsetAfter(cut, "golden", 5) ?? 0n;
      const wanted = all.filter(({ offset }) => offset < next).map(({ offset }) => offset);
      const read = [...readRecords(fetched(vector, { batches: cut }))].map(({ offset }) => offset);
      assert.deepEqual(read, wanted, `${vector.name} cut at ${length}`);
    }
  }
});

test("reading begins at any offset, also within a batch and in its holes", () => {
  for (const name of ["compacted-holes-lz4", "several", "transactions"]) {
    const vector = named(name);
    const all = [...readRecords(fetched(vector))].map(({ offset }) => offset);
    const next = offsetAfter(vector.bytes, "golden", 5) ?? 0n;
    for (let fetchOffset = all[0] ?? 0n; fetchOffset <= next; fetchOffset++) {
      const read = [...readRecords(fetched(vector, { fetchOffset }))].map(({ offset }) => offset);
      assert.deepEqual(
        read,
        all.filter((offset) => offset >= fetchOffset),
      );
    }
  }
});

test("aborted transactions are left out as their markers say, whatever the order of the broker's list", () => {
  const vector = named("transactions");
  const data = vector.batches.filter(isData);
  const aborted = data.filter((batch) => batch.transactional && markerOf(vector, batch).control === "ABORT");
  // A broker lists each transaction once, by the first offset it has: that of its first batch.
  const ofMarkers = Map.groupBy(aborted, (batch) => markerOf(vector, batch));
  const list = [...ofMarkers.values()].map(([first]) => ({
    producerId: BigInt(first?.producerId ?? Number.NaN),
    firstOffset: BigInt(first?.baseOffset ?? Number.NaN),
  }));
  assert.deepEqual(list, [
    { producerId: 1n, firstOffset: 0n },
    { producerId: 2n, firstOffset: 8n },
  ]);
  const wanted = data.filter((batch) => !aborted.includes(batch)).flatMap(({ records }) => records ?? []);
  for (const abortedTransactions of [list, list.toReversed()]) {
    const committed = fetched(vector, { abortedTransactions });
    const source = [...readRecords(committed)];
    assert.deepEqual(source.map(describeRecord), wanted);
    checkTranscoded(source, transcode(committed, true), true);
  }
});

function named(name: string): Vector {
  return vectors.find((vector) => vector.name === name) ?? assert.fail(`no vector ${name}`);
}

/** The marker that ends the transaction of a batch: the producer's next. */
function markerOf({ batches }: Vector, { producerId, baseOffset }: DescribedBatch): DescribedBatch {
  const ends = (one: DescribedBatch) =>
    !isData(one) && one.producerId === producerId && BigInt(one.baseOffset) > BigInt(baseOffset);
  return batches.find(ends) ?? assert.fail(`the transaction at ${baseOffset} has no end`);
}

/** What comes out, by target partition. */
function transcode(source: FetchedBytes & { topicId: string }, provenance: boolean): Map<number, KafkaRecord[]> {
  const options = {
    target: "wide",
    partitions: PARTITIONS,
    batchBytes: 16 * 1024,
    codec: "source",
    provenance,
  } as const;
  const transcoder = new Transcoder<TranscoderInput>(options);
  const outputs = new Map<number, Buffer[]>();
  let records = 0;
  const take = ({ partition, batch }: OutputBatch<TranscoderInput>) => {
    stampBatch(batch, NO_PRODUCER);
    records += batch.recordCount;
    outputs.set(partition, [...(outputs.get(partition) ?? []), batch.bytes]);
  };
  const added = transcoder.add(source, { outputs: 0 }, take);
  transcoder.drain(take);
  assert.equal(added, records);
  const read = (partition: number, batches: Buffer) =>
    readRecords({ topic: "wide", partition, fetchOffset: 0n, batches, abortedTransactions: [] });
  return new Map(
    [...outputs].map(([partition, batches]) => [partition, batches.flatMap((bytes) => [...read(partition, bytes)])]),
  );
}

function checkTranscoded(
  source: readonly KafkaRecord[],
  byPartition: ReadonlyMap<number, readonly KafkaRecord[]>,
  provenance: boolean,
): void {
  const wanted = source.map(essence);
  const places = new Map(source.map(({ offset }, i) => [offset, i]));
  const left = new Map<string, number>();
  for (const text of wanted) left.set(text, (left.get(text) ?? 0) + 1);
  for (const [partition, records] of byPartition) {
    let at = -1;
    for (const record of records) {
      const text = essence(record);
      // Where provenance tells the place in the source, by that; otherwise any equal record behind the last one will do.
      const place = provenance ? (places.get(offsetInSource(record)) ?? -1) : wanted.indexOf(text, at + 1);
      if (place <= at) assert.fail(`a record of partition ${partition} is out of order, or not from the source`);
      if (text !== wanted[place]) assert.equal(text, wanted[place]);
      at = place;
      left.set(text, (left.get(text) ?? 0) - 1);
      const { key } = record;
      if (key !== null) assert.equal(partitionForKey(key, 0, key.length, PARTITIONS), partition);
    }
  }
  // Each came out as often as it went in.
  assert.deepEqual(new Set(left.values()), new Set(source.length === 0 ? [] : [0]));
}

function offsetInSource({ origin }: KafkaRecord): bigint {
  assert.equal(origin?.topicId, TOPIC_ID);
  assert.equal(origin.partition, 5);
  return origin.offset;
}

/** A record's content, less what a relay changes of it: its offset and the origin header. */
function essence({ timestamp, key, value, headers }: KafkaRecord): string {
  const text = `${timestamp} ${key?.toString("hex")} ${value === null ? null : textOf(value)}`;
  if (headers.length === 0) return text;
  const own = headers.filter((header) => header.key !== ORIGIN_HEADER);
  return own.reduce((all, header) => `${all} ${JSON.stringify(header.key)} ${header.value?.toString("hex")}`, text);
}

function textOf(value: Buffer): string {
  return value.length < 1_000 ? value.toString("hex") : hash("sha256", value);
}
