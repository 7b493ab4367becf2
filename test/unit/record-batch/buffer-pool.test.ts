import assert from "node:assert/strict";
import { test } from "node:test";
import { BatchBuilder, stampBatch } from "../../../src/record-batch/batch-builder.ts";
import { BufferPool } from "../../../src/record-batch/buffer-pool.ts";
import { readRecords } from "../../../src/record-batch/records.ts";
import { NO_PRODUCER } from "../../helpers/batches.ts";

function batchOf(builder: BatchBuilder, values: readonly string[]) {
  for (const value of values) builder.append({ key: null, value: Buffer.from(value), timestamp: 1 });
  const sealed = builder.seal("none");
  assert.ok(sealed?.memory !== undefined);
  stampBatch(sealed, NO_PRODUCER);
  return { ...sealed, memory: sealed.memory };
}

function valuesOf({ bytes }: { readonly bytes: Buffer }): string[] {
  const fetched = { topic: "t", partition: 0, fetchOffset: 0n, batches: bytes, abortedTransactions: [] };
  return [...readRecords(fetched)].map(({ value }) => String(value));
}

test("a batch keeps its memory until it is given back, and the next batch to need it gets the same", () => {
  const pool = new BufferPool(64 * 1024, 2);
  const builder = new BatchBuilder(pool);
  const large = Array.from({ length: 50 }, (_, i) => `${i}`.repeat(500));
  const first = batchOf(builder, large);
  const second = batchOf(builder, large.toReversed());
  assert.notEqual(first.memory, second.memory);
  assert.deepEqual(valuesOf(first), large);
  pool.give(first.memory);
  const third = batchOf(builder, large);
  assert.equal(third.memory, first.memory);
  assert.deepEqual(valuesOf(second), large.toReversed());
  assert.deepEqual(valuesOf(third), large);
});

test("small batches, and those larger than the pool's buffers, have memory of their own", () => {
  const pool = new BufferPool(8 * 1024, 2);
  const builder = new BatchBuilder(pool);
  const [small, next] = [batchOf(builder, ["a"]), batchOf(builder, ["b"])];
  const huge = batchOf(builder, ["x".repeat(100_000), "y"]);
  assert.notEqual(small.memory, next.memory);
  for (const { memory } of [small, next, huge]) {
    pool.give(memory);
    assert.notEqual(pool.take(), memory);
  }
  assert.deepEqual([valuesOf(small), valuesOf(next)], [["a"], ["b"]]);
  assert.equal(valuesOf(huge)[1], "y");
});

test("no more buffers are kept than asked for", () => {
  const pool = new BufferPool(16, 1);
  const [first, second] = [pool.take(), pool.take()];
  pool.give(first);
  pool.give(second);
  assert.equal(pool.take(), first);
  assert.notEqual(pool.take(), second);
});
