import assert from "node:assert/strict";
import { test } from "node:test";
import { SpillwayError } from "../../../src/errors.ts";
import { collectionByTopic } from "../../../src/sink/collection-name.ts";
import { insertModel } from "../../../src/sink/models/insert.ts";
import { SLICE_RECORDS } from "../../../src/sink/progress.ts";
import { runSink } from "../../../src/sink/sink.ts";
import { randomOf, seeds } from "../../helpers/seeds.ts";
import {
  AWAY,
  BAD,
  buriedIds,
  checkedGeneration,
  ends,
  idsOf,
  type Numbered,
  orderViolations,
  records,
  until,
} from "./checks.ts";
import {
  type MemoryParts,
  MemoryTopic,
  memberOf,
  memoryGeneration,
  memoryParts,
  numbered,
  sinkOptions,
} from "./memory.ts";

for (const seed of seeds(8)) {
  test(`random failures: nothing lost, nothing twice, each key in order, no commit too far (seed ${seed})`, async () => {
    const random = randomOf(seed);
    const keys = [3, 40, 2_000][seed % 3] as number;
    const topic = new MemoryTopic(records(6_000, keys, 3), { partRecords: 100 + Math.floor(random() * 900) });
    const generation = checkedGeneration(topic, () => parts);
    const parts: MemoryParts = memoryParts(topic, memberOf(generation));
    const bad = new Set([...idsOf(topic)].filter(() => random() < 0.01));
    parts.target.fault = ({ id }) => (bad.has(id) ? BAD : random() < 0.02 ? AWAY : undefined);
    parts.target.gate = async () => {
      for (let turns = Math.floor(random() * 4); turns > 0; turns--) await new Promise(setImmediate);
    };
    parts.deadLetters.fault = async () => {
      if (random() < 0.1) throw new SpillwayError("TIMEOUT", "no answer", { retryable: true });
    };
    const batchRecords = 1 + Math.floor(random() * 200);
    const [lanes, writers] = [1 + Math.floor(random() * 300), 1 + Math.floor(random() * 16)];
    await runSink(parts, sinkOptions({ lanes, writers, batchRecords, inFlightRecords: 2_000 }));

    assert.equal(orderViolations(parts.target), 0);
    assert.deepEqual(buriedIds(parts), bad);
    assert.equal(parts.deadLetters.buried.length, bad.size);
    assert.deepEqual(new Set(parts.target.documents.keys()), idsOf(topic).difference(bad));
    assert.deepEqual(generation.committed, ends(topic));
    assert.equal(parts.stats.recordsWritten, 6_000 - bad.size);
    assert.equal(parts.stats.recordsDeadLettered, bad.size);
    assert.ok(parts.stats.retries > 0);
  });
}

test("two writers for one key would be noticed: without keys to go by, lanes break the order", async () => {
  const topic = new MemoryTopic(records(6_000, 3, 1), { partRecords: 50 });
  // The deliberate mistake: records reach the sink without their keys, so it spreads each key over lanes.
  const keyless = new MemoryTopic(
    topic.partitions.map((of) => of.map((record) => ({ ...record, key: null }))),
    { partRecords: 50 },
  );
  const parts = memoryParts(keyless, memberOf(memoryGeneration(topic.positions())));
  const random = randomOf(1);
  parts.target.gate = async () => {
    for (let turns = Math.floor(random() * 20); turns > 0; turns--) await new Promise(setImmediate);
  };
  await runSink(parts, sinkOptions({ batchRecords: 5 }));
  assert.equal(parts.target.documents.size, 6_000);
  assert.ok(orderViolations(parts.target) > 0);
});

test("an ordered batch goes on behind an operation that failed", async () => {
  const topic = new MemoryTopic([Array.from({ length: 20 }, (_, i) => numbered("k", i))]);
  const parts = memoryParts(topic, memberOf(memoryGeneration(topic.positions())));
  let away = 3;
  parts.target.fault = ({ document }) => {
    const { sequence } = document as unknown as Numbered;
    if (sequence === 5) return BAD;
    return sequence === 9 && away-- > 0 ? AWAY : undefined;
  };
  await runSink(parts, sinkOptions());
  const written = parts.target.order.map(({ id }) => (parts.target.documents.get(id) as unknown as Numbered).sequence);
  assert.deepEqual(
    written,
    Array.from({ length: 20 }, (_, i) => i).filter((i) => i !== 5),
  );
  assert.deepEqual(
    parts.target.batches.map(({ size, ordered }) => [size, ordered]),
    [
      [20, true],
      [14, true],
      [11, true],
      [11, true],
      [11, true],
    ].slice(0, parts.target.batches.length),
  );
  assert.equal(parts.deadLetters.buried[0]?.reason.code, "test-bad");
});

test("the end of a generation flushes what is buffered, writes and commits it", async () => {
  const topic = new MemoryTopic(records(1_000, 100, 2));
  const generation = memoryGeneration(topic.positions());
  const parts = memoryParts(topic, memberOf(generation), {
    openSource: (positions, signal) => topic.open(positions, signal, true),
  });
  // No batch would ever be cut by itself: bufferTime drops such a buffer when it is unsubscribed.
  const running = runSink(parts, sinkOptions({ batchRecords: 100_000, batchTimeoutMs: 3_600_000 }));
  await until(() => parts.stats.recordsRead === 1_000, "all is read");
  assert.equal(parts.target.documents.size, 0);
  generation.end();
  await running;
  assert.deepEqual(new Set(parts.target.documents.keys()), idsOf(topic));
  assert.deepEqual(generation.committed, ends(topic));
});

test("what is being written when a generation ends is waited for and committed", async () => {
  const topic = new MemoryTopic([Array.from({ length: 100 }, (_, i) => numbered(`key-${i}`, i))]);
  const generation = checkedGeneration(topic, () => parts);
  const parts = memoryParts(topic, memberOf(generation), {
    openSource: (positions, signal) => topic.open(positions, signal, true),
  });
  const released = Promise.withResolvers<void>();
  parts.target.gate = () => released.promise;
  const running = runSink(parts, sinkOptions());
  await until(() => parts.target.writing > 0, "a write is under way");
  generation.end();
  setTimeout(() => released.resolve(), 50);
  await running;
  assert.deepEqual(generation.committed, ends(topic));
});

test("with 200,000 records waiting, no more are read than may be in flight", async () => {
  const topic = new MemoryTopic(records(200_000, 10_000, 3), { partRecords: 4_000 });
  const generation = memoryGeneration(topic.positions());
  const parts = memoryParts(topic, memberOf(generation));
  const { stats, target } = parts;
  const bound = 5_000;
  const opened = Promise.withResolvers<void>();
  let most = 0;
  target.gate = async () => {
    most = Math.max(most, stats.recordsInFlight);
    await opened.promise;
  };
  const running = runSink(parts, sinkOptions({ inFlightRecords: bound, batchRecords: 100 }));
  await until(() => stats.recordsInFlight >= bound, "it is full");
  const { pulled } = topic;
  for (let turn = 0; turn < 200; turn++) await new Promise(setImmediate);
  assert.ok(stats.recordsRead < bound + SLICE_RECORDS, `${stats.recordsRead} read`);
  assert.equal(topic.pulled, pulled);
  assert.ok(pulled <= 2, `${pulled} parts pulled`);
  opened.resolve();
  await running;
  assert.equal(target.documents.size, 200_000);
  assert.ok(most < bound + SLICE_RECORDS, `${most} in flight`);
  assert.deepEqual(generation.committed, ends(topic));
});

test("bytes in flight are bounded too", async () => {
  const large = Array.from({ length: 300 }, (_, i) => numbered(`k${i}`, i, { pad: "x".repeat(10_000) }));
  const topic = new MemoryTopic([large], { partRecords: 10 });
  const parts = memoryParts(topic, memberOf(memoryGeneration(topic.positions())));
  let most = 0;
  parts.target.gate = async () => {
    most = Math.max(most, parts.stats.bytesInFlight);
    for (let turn = 0; turn < 30; turn++) await new Promise(setImmediate);
  };
  await runSink(parts, sinkOptions({ inFlightBytes: 500_000, batchRecords: 5 }));
  assert.equal(parts.target.documents.size, 300);
  assert.ok(most > 300_000 && most < 500_000 + 10 * 11_000, `${most} bytes in flight`);
});

test("several topics go to their collections, also where they share a lane", async () => {
  const topics = ["btc", "eth"].map((name) => new MemoryTopic(records(1_000, 20, 2), { topic: name, partRecords: 70 }));
  const positions = topics.flatMap((topic) => topic.positions());
  const parts = memoryParts(topics[0] as MemoryTopic, memberOf(memoryGeneration(positions)), {
    async *openSource(all, signal) {
      const open = topics.map((topic) =>
        topic.open(
          all.filter((position) => position.topic === topic.topic),
          signal,
        ),
      );
      for (const source of [...open, ...open]) for await (const fetched of source) yield fetched;
    },
    model: insertModel(
      collectionByTopic([
        { topic: "btc", collection: "bitcoin" },
        { topic: "eth", collection: "ether" },
      ]),
      "value",
    ),
  });
  const order = new Map<string, number>();
  let violations = 0;
  parts.target.fault = ({ document }, collection) => {
    const { key, sequence } = document as unknown as Numbered;
    if (key !== null && sequence < (order.get(collection + key) ?? -1)) violations++;
    order.set(collection + key, sequence);
    parts.target.documents.set(`${collection}/${sequence}`, document);
    return { kind: "written" };
  };
  await runSink(parts, sinkOptions({ lanes: 2 }));
  assert.equal(violations, 0);
  assert.deepEqual(new Set(parts.target.batches.map(({ collection }) => collection)), new Set(["bitcoin", "ether"]));
  assert.equal(parts.target.documents.size, 2_000);
});

test("records without keys are written side by side", async () => {
  const keyless = Array.from({ length: 5_000 }, (_, i) => numbered(null, i));
  const topic = new MemoryTopic([keyless], { partRecords: 100 });
  const parts = memoryParts(topic, memberOf(memoryGeneration(topic.positions())));
  parts.target.gate = async () => {
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
  };
  await runSink(parts, sinkOptions({ writers: 8, batchRecords: 100 }));
  assert.equal(parts.target.documents.size, 5_000);
  assert.ok(parts.target.mostWriting >= 4, `${parts.target.mostWriting} at a time`);
  assert.ok(parts.target.batches.every(({ ordered }) => !ordered));
});

test("a run leaves no timer behind", async () => {
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
  const before = timers();
  const topic = new MemoryTopic(records(1_000, 50, 1));
  const fenced = memoryGeneration(topic.positions(), async () => {
    throw new SpillwayError("FENCED", "the group has gone on");
  });
  const parts = memoryParts(topic, memberOf(fenced, memoryGeneration(topic.positions())));
  await runSink(parts, sinkOptions({ batchTimeoutMs: 60_000 }));
  assert.equal(timers(), before);
});
