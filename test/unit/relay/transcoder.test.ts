import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type NewRecord, stampBatch } from "../../../src/record-batch/batch-builder.ts";
import { CODECS } from "../../../src/record-batch/layout.ts";
import { partitionForKey } from "../../../src/record-batch/murmur2.ts";
import { ORIGIN_HEADER, packOrigin } from "../../../src/record-batch/origin.ts";
import { type KafkaRecord, readRecords } from "../../../src/record-batch/records.ts";
import { type OutputBatch, Transcoder, type TranscoderInput } from "../../../src/relay/transcoder.ts";
import { batchOf, NO_PRODUCER } from "../../helpers/batches.ts";

const TOPIC_ID = "zHaV0daIQvO8jLlQ5f0x4A";
const nullableBytes = fc.option(fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)));
const record: fc.Arbitrary<NewRecord> = fc.record({
  key: fc.option(
    fc.constantFrom("a", "b", "c", "", "ключ", "longer-key-1", "longer-key-2").map((key) => Buffer.from(key)),
  ),
  value: nullableBytes,
  timestamp: fc.oneof(
    fc.integer({ min: -1, max: 2 ** 41 }),
    fc.constantFrom(-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
  ),
  headers: fc.array(fc.record({ key: fc.string({ maxLength: 5 }), value: nullableBytes }, { noNullPrototype: true }), {
    maxLength: 70,
  }),
});

interface Result {
  readonly byPartition: Map<number, KafkaRecord[]>;
  readonly batches: number;
}

function transcode(
  batches: readonly Buffer[],
  options: { provenance: boolean; batchBytes?: number; partitions?: number },
): Result {
  const { provenance, batchBytes = 300, partitions = 5 } = options;
  const transcoder = new Transcoder<TranscoderInput>({
    target: "wide",
    partitions,
    batchBytes,
    codec: "source",
    provenance,
  });
  const byPartition = new Map<number, KafkaRecord[]>();
  let count = 0;
  const take = ({ partition, batch }: OutputBatch<TranscoderInput>) => {
    count++;
    stampBatch(batch, NO_PRODUCER);
    const read = [
      ...readRecords({ topic: "wide", partition, fetchOffset: 0n, batches: batch.bytes, abortedTransactions: [] }),
    ];
    assert.equal(read.length, batch.recordCount);
    byPartition.set(partition, [...(byPartition.get(partition) ?? []), ...read]);
  };
  for (const bytes of batches) {
    const input = { outputs: 0 };
    transcoder.add(
      { topic: "hot", topicId: TOPIC_ID, partition: 2, fetchOffset: 0n, batches: bytes, abortedTransactions: [] },
      input,
      take,
    );
  }
  transcoder.drain(take);
  return { byPartition, batches: count };
}

test("keys, values, headers, timestamps and order survive, and every key is where Java's producer would put it", () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(record, { minLength: 1, maxLength: 12, size: "max" }), { minLength: 1, maxLength: 5 }),
      fc.boolean(),
      fc.constantFrom(...CODECS),
      (groups, provenance, codec) => {
        let baseOffset = 0n;
        const source: KafkaRecord[] = [];
        const batches = groups.flatMap((records) => {
          // A batch can't hold timestamps that are too far apart; those become batches of their own.
          return records.map((one) => {
            const bytes = batchOf([one], { baseOffset, codec });
            source.push(
              ...readRecords({ topic: "hot", partition: 2, fetchOffset: 0n, batches: bytes, abortedTransactions: [] }),
            );
            baseOffset += 1n;
            return bytes;
          });
        });
        const { byPartition } = transcode([Buffer.concat(batches)], { provenance });
        const all = [...byPartition.values()].flat();
        assert.equal(all.length, source.length);

        for (const [partition, records] of byPartition) {
          for (const { key } of records) {
            if (key !== null) assert.equal(partitionForKey(key, 0, key.length, 5), partition);
          }
        }
        const keyed = (records: readonly KafkaRecord[]) => {
          const groups = Map.groupBy(records, ({ key }) => key?.toString("hex") ?? "null");
          groups.delete("null");
          return new Map([...groups].toSorted(([a], [b]) => (a < b ? -1 : 1)));
        };
        const essence = ({ key, value, timestamp, headers }: KafkaRecord) => ({
          key,
          value,
          timestamp,
          headers: headers.filter(({ key: name }) => name !== ORIGIN_HEADER),
        });
        const wanted = keyed(source);
        const found = keyed(all);
        assert.deepEqual([...found.keys()], [...wanted.keys()]);
        for (const [key, records] of wanted) assert.deepEqual(found.get(key)?.map(essence), records.map(essence));
        const spread = (records: readonly KafkaRecord[]) =>
          records
            .filter(({ key }) => key === null)
            .map(essence)
            .map((one) => JSON.stringify(one, (_, v) => (typeof v === "bigint" ? String(v) : v)))
            .toSorted();
        assert.deepEqual(spread(all), spread(source));
        for (const { origin } of all) assert.equal(origin !== undefined, provenance);
      },
    ),
  );
});

test("the origin is topic id, partition and offset of the first hop, and stays what it was", () => {
  const first = { topicId: "AAAAAAAAAAAAAAAAAAAAAQ", partition: 7, offset: 2n ** 40n + 5n };
  const plain = { key: Buffer.from("a"), value: Buffer.from("1"), timestamp: 1 };
  const relayed = {
    ...plain,
    headers: [
      { key: "x", value: null },
      { key: ORIGIN_HEADER, value: packOrigin(first) },
    ],
  };
  const decoy = { ...plain, headers: [{ key: ORIGIN_HEADER, value: Buffer.from("not an origin") }] };
  const { byPartition } = transcode([batchOf([plain, relayed, decoy], { baseOffset: 2n ** 33n })], {
    provenance: true,
  });
  const all = [...byPartition.values()].flat();
  assert.equal(all[1]?.headers.length, relayed.headers.length, "a record that has an origin gets no other");
  const origins = all.map(({ origin }) => origin);
  assert.deepEqual(origins, [
    { topicId: TOPIC_ID, partition: 2, offset: 2n ** 33n },
    first,
    { topicId: TOPIC_ID, partition: 2, offset: 2n ** 33n + 2n },
  ]);
});

test("records without a key are spread over the partitions, batch by batch", () => {
  const keyless = Array.from({ length: 200 }, (_, i) => ({
    key: null,
    value: Buffer.from(`value ${i}`),
    timestamp: 1,
  }));
  const { byPartition } = transcode([batchOf(keyless)], { provenance: false });
  assert.equal(byPartition.size, 5);
});

test("an input counts the open batches that its records are in", () => {
  const transcoder = new Transcoder<TranscoderInput>({
    target: "wide",
    partitions: 4,
    batchBytes: 1e6,
    codec: "none",
    provenance: true,
  });
  const records = ["a", "b", "c", "d", "e", "f"].map((key) => ({ key: Buffer.from(key), value: null, timestamp: 1 }));
  const input = { outputs: 0 };
  const bytes = {
    topic: "hot",
    topicId: TOPIC_ID,
    partition: 0,
    fetchOffset: 0n,
    batches: batchOf(records),
    abortedTransactions: [],
  };
  transcoder.add(bytes, input, () => assert.fail("no batch is full"));
  const outputs: OutputBatch<TranscoderInput>[] = [];
  transcoder.drain((output) => outputs.push(output));
  assert.equal(input.outputs, outputs.length);
  assert.ok(outputs.every(({ inputs }) => inputs.length === 1 && inputs[0] === input));
});
