import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { parseRule } from "../../../src/config/rules.ts";
import type { FetchedPartition } from "../../../src/kafka/source.ts";
import { SampleCounter, type SampleOptions } from "../../../src/preflight/sample-counter.ts";
import type { NewRecord } from "../../../src/record-batch/batch-builder.ts";
import { partitionForKey } from "../../../src/record-batch/murmur2.ts";
import { batchOf } from "../../helpers/batches.ts";

const NOW = 1_700_000_000_000;
const OPTIONS: SampleOptions = { source: "hot", target: "wide", partitions: 6, codec: "source", provenance: true };

function fetched(partition: number, records: readonly NewRecord[], baseOffset = 0n): FetchedPartition {
  const nextOffset = baseOffset + BigInt(records.length);
  return {
    ...{ topic: "hot", topicId: "zHaV0daIQvO8jLlQ5f0x4A", partition, fetchOffset: baseOffset, nextOffset },
    batches: batchOf(records, { baseOffset }),
    abortedTransactions: [],
    highWatermark: nextOffset,
  };
}

function keyed(keys: readonly (string | null)[]): NewRecord[] {
  return keys.map((key) => ({ key: key === null ? null : Buffer.from(key), value: Buffer.alloc(50), timestamp: NOW }));
}

const keys = fc.array(fc.option(fc.constantFrom("a", "b", "c", "backfill-1", "backfill-2")), {
  minLength: 1,
  maxLength: 80,
  size: "max",
});

test("counts agree with counting one by one: keys, routes, partitions of the target", () => {
  const rule = parseRule("key ^= backfill -> aside/3") ?? assert.fail("no rule");
  fc.assert(
    fc.property(keys, (all) => {
      const counter = new SampleCounter({ ...OPTIONS, rules: [rule] }, 2, NOW);
      counter.add(fetched(0, keyed(all)), { partition: 0, begin: 0n, end: BigInt(all.length) }, 1_000);
      const sample = counter.finish("backlog", 1, false);
      const aside = all.filter((key) => key?.startsWith("backfill") === true);
      assert.deepEqual([sample.records, sample.weight, sample.isWhole], [all.length, all.length, true]);
      assert.equal(sample.keylessWeight, all.filter((key) => key === null).length);
      assert.equal(sample.keys.distinct, new Set(all.filter((key) => key !== null)).size);
      assert.equal(sample.keys.onSeveralRoutes, 0);
      assert.deepEqual(
        sample.routes.map(({ to, records }) => [to, records]),
        [
          ["aside", aside.length],
          ["wide", all.length - aside.length],
        ],
      );
      const places = aside.map((key) => partitionForKey(Buffer.from(key ?? ""), 0, key?.length ?? 0, 3));
      const wanted = [0, 1, 2].map((partition) => places.filter((place) => place === partition).length);
      assert.deepEqual(
        sample.targets.get("aside")?.partitions.map(({ records }) => records),
        wanted,
      );
    }),
  );
});

test("records of a window that isn't read to its end stand for the rest of it", () => {
  const counter = new SampleCounter(OPTIONS, 2, NOW);
  counter.add(fetched(0, keyed(Array(100).fill("a"))), { partition: 0, begin: 0n, end: 1_000n }, 50);
  counter.add(fetched(1, keyed(Array(100).fill("b"))), { partition: 1, begin: 0n, end: 100n }, 200);
  const { records, weight, isWhole, targets } = counter.finish("backlog", 1, false);
  assert.deepEqual([records, weight, isWhole], [150, 1_100, false]);
  assert.deepEqual(targets.get("wide")?.hotKeys, [
    { key: "a", weight: 1_000 },
    { key: "b", weight: 100 },
  ]);
});

test("records before and behind the window are left out", () => {
  const counter = new SampleCounter(OPTIONS, 1, NOW);
  counter.add(fetched(0, keyed(Array(100).fill("a")), 50n), { partition: 0, begin: 60n, end: 75n }, 1_000);
  assert.equal(counter.finish("backlog", 1, false).records, 15);
});

test("keys that lie where librdkafka puts them are told from those that lie anywhere", () => {
  const names = Array.from({ length: 300 }, (_, i) => `key-${i}`);
  const counter = new SampleCounter(OPTIONS, 3, NOW);
  for (let partition = 0; partition < 3; partition++) {
    const own = names.filter((name) => crc32(name) % 3 === partition);
    counter.add(fetched(partition, keyed(own)), { partition, begin: 0n, end: BigInt(own.length) }, 1_000);
  }
  const { misplaced, elsewhere, inSeveralPartitions } = counter.finish("backlog", 1, false).keys;
  assert.ok(misplaced > 100);
  assert.equal(elsewhere["librdkafka's CRC-32"], misplaced);
  assert.ok(elsewhere["Sarama's FNV-1a"] < misplaced);
  assert.equal(inSeveralPartitions, 0);
});

test("a batch that can't be read is counted, and the others are", () => {
  const counter = new SampleCounter(OPTIONS, 1, NOW);
  const [bad, good] = [fetched(0, keyed(["a", "b"])), fetched(0, keyed(["c"]), 2n)];
  bad.batches.writeUInt32BE(0, 17);
  const both = { ...good, fetchOffset: 0n, batches: Buffer.concat([bad.batches, good.batches]) };
  counter.add(both, { partition: 0, begin: 0n, end: 3n }, 1_000);
  const { records, unreadable } = counter.finish("backlog", 1, false);
  assert.deepEqual([records, unreadable], [1, 1]);
});

test("growth is what the origin adds, and what another codec takes away", () => {
  const ratio = (options: Partial<SampleOptions>) => {
    const counter = new SampleCounter({ ...OPTIONS, ...options }, 1, NOW);
    counter.add(fetched(0, keyed(Array(200).fill("key"))), { partition: 0, begin: 0n, end: 200n }, 1_000);
    return counter.finish("backlog", 1, false).growth ?? assert.fail("not measured");
  };
  assert.equal(ratio({ provenance: false }), 1);
  assert.ok(ratio({}) > 1.4 && ratio({}) < 2, `${ratio({})}`);
  assert.ok(ratio({ codec: "gzip", provenance: false }) < 0.3);
});
