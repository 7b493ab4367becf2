import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { murmur2, partitionForKey } from "../../../src/record-batch/murmur2.ts";
import { withDeadline } from "../../../src/runtime/deadline.ts";
import { LaneChoice, laneOf } from "../../../src/sink/lane-choice.ts";
import { Lanes } from "../../../src/sink/lanes.ts";

const PLAIN = { batching: "fixed", writers: 2, batchBytes: 1e9, bytesOf: () => 1, orderOf: (n: number) => n } as const;

function range(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

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

test("random pushes: each lane in order, one write of it at a time; as many batches side by side as there are writers, none too large", async () => {
  const LANES = 5;
  const push = fc.record({
    lane: fc.nat({ max: LANES - 1 }),
    bytes: fc.integer({ min: 1, max: 9 }),
    lacks: fc.boolean(),
  });
  const run = fc.record({ run: fc.nat({ max: LANES - 1 }) });
  const rest = fc.constant("rest" as const);
  const setting = fc.record({
    batching: fc.constantFrom("auto", "fixed"),
    writers: fc.integer({ min: 1, max: 4 }),
    batchRecords: fc.integer({ min: 1, max: 20 }),
    batchBytes: fc.integer({ min: 1, max: 60 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof({ weight: 20, arbitrary: push }, run, rest), { maxLength: 300, size: "max" }),
      setting,
      fc.infiniteStream(fc.nat({ max: 3 })),
      async (steps, options, turns) => {
        const given: number[][] = Array.from({ length: LANES }, () => []);
        const written: number[][] = Array.from({ length: LANES }, () => []);
        const busy = new Set<number>();
        let sideBySide = 0;
        const pauseABit = async () => {
          for (let i = turns.next().value as number; i > 0; i--) await new Promise(setImmediate);
        };
        const prepared = new Set<number>();
        const lanes = new Lanes<{ lane: number; n: number; bytes: number; lacks: boolean }>({
          ...options,
          isReady: ({ lacks, n }) => !lacks || prepared.has(n),
          async prepare(items) {
            await pauseABit();
            for (const { n } of items) prepared.add(n);
          },
          lanes: LANES,
          batchTimeoutMs: 1,
          bytesOf: ({ bytes }) => bytes,
          orderOf: ({ n }) => n,
          async write(batch) {
            assert.ok(batch.length >= 1 && batch.length <= options.batchRecords, "records");
            assert.ok(
              batch.length === 1 || batch.reduce((sum, one) => sum + one.bytes, 0) <= options.batchBytes,
              "bytes",
            );
            for (const [i, { n }] of batch.entries()) assert.ok(i === 0 || n > (batch[i - 1]?.n ?? 0), "as they came");
            const own = new Set(batch.map(({ lane }) => lane));
            assert.ok(busy.isDisjointFrom(own), "two writes of one lane at a time");
            assert.ok(
              batch.every(({ lacks, n }) => !lacks || prepared.has(n)),
              "written unprepared",
            );
            assert.ok(++sideBySide <= options.writers);
            for (const lane of own) busy.add(lane);
            await pauseABit();
            for (const { lane, n } of batch) written[lane]?.push(n);
            for (const lane of own) busy.delete(lane);
            sideBySide--;
          },
        });
        for (const [n, step] of steps.entries()) {
          if (step === "rest") {
            lanes.pause();
            await pauseABit();
          } else if ("run" in step) {
            given[step.run]?.push(-n);
            lanes.run(step.run, async () => {
              assert.ok(!busy.has(step.run), "work beside a write of its lane");
              busy.add(step.run);
              await pauseABit();
              written[step.run]?.push(-n);
              busy.delete(step.run);
            });
          } else {
            given[step.lane]?.push(n);
            lanes.push(step.lane, { ...step, n });
          }
        }
        lanes.complete();
        await withDeadline(lanes.finished, 10_000, "The lanes");
        assert.deepEqual(written, given);
      },
    ),
    { numRuns: 200 },
  );
});

test("a batch is filled from all lanes, once all of them together have enough", async () => {
  const batches: number[][] = [];
  const write = async (batch: readonly number[]) => void batches.push([...batch]);
  const lanes = new Lanes<number>({ ...PLAIN, lanes: 100, batchRecords: 50, batchTimeoutMs: 3_600_000, write });
  for (let i = 0; i < 120; i++) lanes.push(i % 100, i);
  await new Promise(setImmediate);
  lanes.complete();
  await lanes.finished;
  assert.deepEqual(batches, [range(0, 50), range(50, 100), range(100, 120)], "what came first goes first");
});

test("a fixed batch is full, however many writers are idle, and whether number or bytes fill it", async () => {
  for (const bounds of [
    { batchRecords: 100, batchBytes: 1e9 },
    { batchRecords: 1e6, batchBytes: 100 },
  ]) {
    const sizes: number[] = [];
    const write = async (batch: readonly number[]) => {
      sizes.push(batch.length);
      await new Promise(setImmediate);
    };
    const lanes = new Lanes<number>({ ...PLAIN, ...bounds, writers: 8, lanes: 256, batchTimeoutMs: 3_600_000, write });
    for (let n = 0; n < 1_000; ) {
      for (const end = n + 64; n < Math.min(1_000, end); n++) lanes.push((n * 7) % 256, n);
      lanes.pause();
      await new Promise(setImmediate);
    }
    lanes.complete();
    await lanes.finished;
    assert.equal(
      sizes.reduce((sum, size) => sum + size, 0),
      1_000,
    );
    assert.ok(sizes.length <= 20, `batches of ${sizes.join()}`);
  }
});

test("where bytes fill a batch, idle writers share the lanes as well", async () => {
  const sizes: number[] = [];
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const write = async (batch: readonly number[]) => {
    sizes.push(batch.length);
    await gates[sizes.length === 1 ? 0 : 1]?.promise;
  };
  const options = { ...PLAIN, writers: 4, lanes: 100, batchRecords: 1e6, batchBytes: 100, batchTimeoutMs: 3_600_000 };
  const lanes = new Lanes<number>({ ...options, write });
  for (let n = 0; n < 500; n++) lanes.push(n % 100, n);
  gates[0]?.resolve();
  await new Promise(setImmediate);
  assert.deepEqual(sizes, [100, 100, 100, 100, 100]);
  gates[1]?.resolve();
  lanes.complete();
  await lanes.finished;
});

test("when the first lane's time is up, the others' records go along", async () => {
  const batches: number[][] = [];
  const first = Promise.withResolvers<void>();
  const write = async (batch: readonly number[]) => {
    batches.push([...batch]);
    first.resolve();
  };
  const lanes = new Lanes<number>({ ...PLAIN, lanes: 8, batchRecords: 1_000, batchTimeoutMs: 20, write });
  for (const n of [0, 1, 2]) lanes.push(n, n);
  await withDeadline(first.promise, 5_000, "The write");
  lanes.complete();
  await lanes.finished;
  assert.deepEqual(batches, [[0, 1, 2]]);
});

test("lanes whose batch is written go on together: the next one is as full", async () => {
  const batches: number[] = [];
  const gate = Promise.withResolvers<void>();
  const write = async (batch: readonly number[]) => {
    batches.push(batch.length);
    if (batches.length === 1) await gate.promise;
  };
  const lanes = new Lanes<number>({ ...PLAIN, writers: 1, lanes: 40, batchRecords: 40, batchTimeoutMs: 1, write });
  for (let i = 0; i < 80; i++) lanes.push(i % 40, i);
  await new Promise((resolve) => setTimeout(resolve, 5));
  gate.resolve();
  lanes.complete();
  await lanes.finished;
  assert.deepEqual(batches, [40, 40]);
});

test("a lane that lacks something waits for it, and no other does", async () => {
  const LACKS = 2;
  const written: number[] = [];
  const there = Promise.withResolvers<void>();
  let isThere = false;
  const asked: number[] = [];
  const lanes = new Lanes<number>({
    ...PLAIN,
    ...{ batching: "auto", writers: 1, lanes: 4, batchRecords: 100, batchTimeoutMs: 1 },
    isReady: (n) => n !== LACKS || isThere,
    prepare: async (items) => {
      asked.push(...items);
      await there.promise;
      isThere = true;
    },
    write: async (batch) => void written.push(...batch),
  });
  for (const [lane, n] of [
    [0, 1],
    [1, LACKS],
    [2, 3],
    [1, 4],
  ] as const) {
    lanes.push(lane, n);
    lanes.pause();
    await new Promise(setImmediate);
  }
  assert.deepEqual(written, [1, 3], "4 stands behind it in its lane");
  there.resolve();
  lanes.complete();
  await lanes.finished;
  assert.deepEqual([written, asked], [[1, 3, LACKS, 4], [LACKS]]);
});

test("what is done in a lane holds no writer, and no other lane", async () => {
  const written: number[] = [];
  const over = Promise.withResolvers<void>();
  const write = async (batch: readonly number[]) => void written.push(...batch);
  const lanes = new Lanes<number>({
    ...PLAIN,
    ...{ batching: "auto", writers: 1, lanes: 3, batchRecords: 10, batchTimeoutMs: 1, write },
  });
  lanes.push(0, 1);
  lanes.run(0, () => over.promise);
  lanes.push(0, 2);
  lanes.push(1, 3);
  lanes.pause();
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(written, [1, 3]);
  over.resolve();
  lanes.complete();
  await lanes.finished;
  assert.deepEqual(written, [1, 3, 2]);
});

test("once a write has failed nothing more is written, whatever is pushed", async () => {
  let writes = 0;
  const write = async () => {
    writes++;
    throw new Error("no");
  };
  const lanes = new Lanes<number>({ ...PLAIN, batching: "auto", lanes: 4, batchRecords: 2, batchTimeoutMs: 1, write });
  lanes.push(0, 0);
  lanes.pause();
  await assert.rejects(lanes.finished, { message: "no" });
  for (let i = 1; i < 100; i++) {
    lanes.push(i % 4, i);
    lanes.pause();
  }
  lanes.complete();
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(writes, 1);
});

test("where more than a batch waits, idle writers share the lanes", async () => {
  const batches: number[][] = [];
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const write = async (batch: readonly number[]) => {
    batches.push([...batch]);
    await gates[batches.length === 1 ? 0 : 1]?.promise;
  };
  const lanes = new Lanes<number>({ ...PLAIN, lanes: 2, batchRecords: 10, batchTimeoutMs: 3_600_000, write });
  for (const n of range(0, 10)) lanes.push(n % 2, n);
  await new Promise(setImmediate);
  assert.deepEqual(batches, [range(0, 10)], "no more was there: nothing to share");
  for (const n of range(10, 30)) lanes.push(n % 2, n);
  await new Promise(setImmediate);
  gates[0]?.resolve();
  await new Promise(setImmediate);
  const even = (n: number) => n % 2 === 0;
  assert.deepEqual(batches.slice(1), [range(10, 30).filter(even), range(10, 30).filter((n) => !even(n))]);
  gates[1]?.resolve();
  lanes.complete();
  await lanes.finished;
  assert.equal(batches.flat().length, 30);
});

test("what came while its lane was busy, and is due when that ends, waits no longer", async () => {
  const batches: number[][] = [];
  const [first, begun] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const write = async (batch: readonly number[]) => {
    batches.push([...batch]);
    begun.resolve();
    if (batches.length === 1) await first.promise;
  };
  const lanes = new Lanes<number>({ ...PLAIN, lanes: 1, batchRecords: 100, batchTimeoutMs: 20, write });
  lanes.push(0, 0);
  await begun.promise;
  lanes.push(0, 1);
  await new Promise((resolve) => setTimeout(resolve, 30));
  lanes.push(0, 2);
  first.resolve();
  await new Promise(setImmediate);
  assert.deepEqual(batches, [[0], [1, 2]]);
  lanes.push(0, 3);
  lanes.complete();
  await lanes.finished;
  assert.deepEqual(batches, [[0], [1, 2], [3]]);
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
    for (let i = 0; i < 10; i++) lanes.push(0, 10 * round + i);
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
  const lanes = new Lanes<{ n: number; bytes: number }>({
    ...{ lanes: 1, writers: 1, batching: "auto", batchRecords: 100, batchBytes: 4, batchTimeoutMs: 5 },
    bytesOf: ({ bytes }) => bytes,
    orderOf: ({ n }) => n,
    write: async (batch) => void written.push(batch.map(({ bytes }) => bytes)),
  });
  for (const [n, bytes] of [3, 15, 3, 3, 1, 1, 2].entries()) lanes.push(0, { n, bytes });
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
    batchRecords: 3,
    batchTimeoutMs: 60_000,
    write: async () => Promise.reject(failure),
  });
  for (const n of [1, 2, 3]) lanes.push(3, n);
  for (const n of [4, 5]) lanes.push(n, n); // gathering when that fails
  assert.ok(timers() > before);
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
