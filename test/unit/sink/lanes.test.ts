import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { murmur2, partitionForKey } from "../../../src/record-batch/murmur2.ts";
import { withDeadline } from "../../../src/runtime/deadline.ts";
import { LaneChoice, Lanes, laneOf } from "../../../src/sink/lanes.ts";

const PLAIN = { batching: "fixed", batchBytes: 1e9, bytesOf: () => 1 } as const;

test("within one partition of a topic, keys still reach all lanes", () => {
  const keys = Array.from({ length: 20_000 }, (_, i) => Buffer.from(`key-${i}`));
  for (const [partitions, lanes] of [
    [24, 32],
    [24, 24],
    [32, 32],
    [3, 8],
    [100, 10],
  ] as const) {
    const inFirst = keys.filter((key) => partitionForKey(key, 0, key.length, partitions) === 0);
    const counts = new Array<number>(lanes).fill(0);
    for (const key of inFirst) {
      const lane = laneOf(murmur2(key, 0, key.length), lanes);
      counts[lane] = (counts[lane] ?? 0) + 1;
    }
    const fair = inFirst.length / lanes;
    for (const count of counts) {
      assert.ok(count > fair / 3 && count < fair * 3, `${partitions} partitions, ${lanes} lanes: ${counts.join()}`);
    }
  }
});

test("a hash has one lane, within bounds", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      fc.integer({ min: 1, max: 1_024 }),
      (hash, lanes) => {
        const lane = laneOf(hash, lanes);
        assert.ok(Number.isInteger(lane) && lane >= 0 && lane < lanes);
        assert.equal(new LaneChoice({ lanes, batchRecords: 10 }).key(hash), lane);
      },
    ),
  );
});

test("records without a key fill a batch of one lane, then of the next; what is fetched next begins elsewhere", () => {
  const choice = new LaneChoice({ lanes: 3, batchRecords: 2 });
  const keyless = (count: number) => Array.from({ length: count }, () => choice.key(undefined));
  assert.deepEqual(keyless(5), [0, 0, 1, 1, 2]);
  choice.nextFetch();
  assert.deepEqual(keyless(3), [0, 0, 1]);
});

test("records of one key take one lane, whatever comes between them", () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.integer({ min: 0, max: 9 })), { maxLength: 100, size: "max" }), (hashes) => {
      const choice = new LaneChoice({ lanes: 7, batchRecords: 3 });
      const laneOfKey = new Map<number, number>();
      for (const [i, hash] of hashes.entries()) {
        if (i % 5 === 4) choice.nextFetch();
        const lane = choice.key(hash ?? undefined);
        if (hash !== null) assert.equal(lane, laneOfKey.get(hash) ?? lane);
        if (hash !== null) laneOfKey.set(hash, lane);
      }
    }),
  );
});

test("a lane writes all it was given, in order, one batch after the other; lanes write side by side", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat({ max: 4 }), { maxLength: 300, size: "max" }),
      fc.integer({ min: 1, max: 20 }),
      fc.infiniteStream(fc.nat({ max: 3 })),
      async (pushes, batchRecords, turns) => {
        const written: number[][] = [[], [], [], [], []];
        const busy = new Set<number>();
        const lanes = new Lanes<{ lane: number; n: number }>({
          ...PLAIN,
          lanes: 5,
          batchRecords,
          batchTimeoutMs: 1,
          async write(batch) {
            const lane = batch[0]?.lane as number;
            assert.ok(batch.length <= batchRecords);
            assert.ok(!busy.has(lane), "two writes of one lane at a time");
            busy.add(lane);
            for (let i = turns.next().value as number; i > 0; i--) await new Promise(setImmediate);
            for (const item of batch) written[lane]?.push(item.n);
            busy.delete(lane);
          },
        });
        for (const [n, lane] of pushes.entries()) lanes.push(lane, { lane, n });
        lanes.complete();
        await lanes.finished;
        for (const [lane, got] of written.entries()) {
          assert.deepEqual(
            got,
            [...pushes.keys()].filter((n) => pushes[n] === lane),
          );
        }
      },
    ),
    { numRuns: 60 },
  );
});

test("what comes in during a slow write is joined to full batches", async () => {
  const sizes: number[] = [];
  const first = Promise.withResolvers<void>();
  const lanes = new Lanes<number>({
    ...PLAIN,
    lanes: 1,
    batchRecords: 100,
    batchTimeoutMs: 1,
    async write(batch) {
      sizes.push(batch.length);
      if (sizes.length === 1) await first.promise;
    },
  });
  for (let round = 0; round < 40; round++) {
    for (let i = 0; i < 10; i++) lanes.push(0, i);
    await new Promise((resolve) => setTimeout(resolve, 3)); // longer than a cut: each ten are cut on their own
  }
  first.resolve();
  lanes.complete();
  await lanes.finished;
  assert.equal(
    sizes.reduce((sum, size) => sum + size, 0),
    400,
  );
  assert.ok(sizes.length <= 10, `batches of ${sizes.join()}`);
});

test("what a cut by bytes holds beyond one batch is written too", async () => {
  const written: number[][] = [];
  const lanes = new Lanes<number>({
    ...{ lanes: 1, batching: "auto", batchRecords: 100, batchBytes: 4, batchTimeoutMs: 5 },
    bytesOf: (bytes) => bytes,
    write: async (batch) => void written.push([...batch]),
  });
  for (const bytes of [3, 15, 3, 3, 1, 1, 2]) lanes.push(0, bytes);
  lanes.complete();
  await lanes.finished;
  assert.deepEqual(written, [[3], [15], [3], [3, 1], [1, 2]]);
});

test("to complete flushes what is buffered, however long its time-out", async () => {
  const written: number[] = [];
  const lanes = new Lanes<number>({
    ...PLAIN,
    lanes: 4,
    batchRecords: 1_000,
    batchTimeoutMs: 3_600_000,
    write: async (batch) => void written.push(...batch),
  });
  for (let i = 0; i < 100; i++) lanes.push(i % 4, i);
  assert.deepEqual(written, []);
  lanes.complete();
  await lanes.finished;
  assert.equal(written.length, 100);
});

test("a write that fails ends all lanes and leaves no timer", async () => {
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
  const before = timers();
  const failure = new Error("no");
  const lanes = new Lanes<number>({
    ...PLAIN,
    lanes: 8,
    batchRecords: 1,
    batchTimeoutMs: 60_000,
    write: async () => Promise.reject(failure),
  });
  lanes.push(3, 1);
  await assert.rejects(lanes.finished, (error) => error === failure);
  assert.equal(timers(), before);
});

test("a lane goes on behind a write during which tens of thousands of batches were cut", async () => {
  const first = Promise.withResolvers<void>();
  const written: number[] = [];
  const write = async (batch: readonly number[]) => {
    if (written.length === 0) await first.promise;
    written.push(...batch);
  };
  const lanes = new Lanes<number>({ ...PLAIN, lanes: 1, batchRecords: 1, batchTimeoutMs: 10_000, write });
  for (let i = 0; i < 20_000; i++) lanes.push(0, i);
  first.resolve();
  lanes.complete();
  await withDeadline(lanes.finished, 10_000, "The lane");
  assert.deepEqual(
    written,
    Array.from({ length: 20_000 }, (_, i) => i),
  );
});
