import assert from "node:assert/strict";
import { test } from "node:test";
import { SpillwayError } from "../../../src/errors.ts";
import type { NewRecord } from "../../../src/record-batch/batch-builder.ts";
import { SLICE_RECORDS } from "../../../src/sink/progress.ts";
import { runSink } from "../../../src/sink/sink.ts";
import type { Outcome } from "../../../src/sink/target.ts";
import { randomOf, seeds } from "../../helpers/seeds.ts";
import {
  MemoryDeadLetters,
  type MemoryGeneration,
  type MemoryParts,
  MemoryTarget,
  MemoryTopic,
  memberOf,
  memoryGeneration,
  memoryParts,
  numbered,
  sinkOptions,
  TOPIC,
  TOPIC_ID,
} from "./memory.ts";

const AWAY: Outcome = { kind: "transient", message: "away" };
const BAD: Outcome = { kind: "data-error", code: "test-bad", message: "bad" };

/** Waits for a condition, turn by turn of the event loop. */
async function until(condition: () => boolean, what: string): Promise<void> {
  const giveUpAt = performance.now() + 20_000;
  while (!condition()) {
    assert.ok(performance.now() < giveUpAt, `waited too long until ${what}`);
    await new Promise(setImmediate);
  }
}

/** `count` records over `keys` keys (and, each eighth, none), in `partitions` partitions by key. */
function records(count: number, keys: number, partitions: number): NewRecord[][] {
  const all: NewRecord[][] = Array.from({ length: partitions }, () => []);
  for (let i = 0; i < count; i++) {
    const key = i % 8 === 7 ? null : `key-${i % keys}`;
    all[key === null ? i % partitions : (i % keys) % partitions]?.push(numbered(key, i));
  }
  return all;
}

interface Numbered {
  readonly key: string | null;
  readonly sequence: number;
}

/** Per key, how often a record came to be in the database before an earlier one of its key. */
function orderViolations({ documents, order }: MemoryTarget): number {
  const last = new Map<string, number>();
  let violations = 0;
  for (const { id } of order) {
    const { key, sequence } = documents.get(id) as unknown as Numbered;
    if (key === null) continue;
    if (sequence < (last.get(key) ?? -1)) violations++;
    else last.set(key, sequence);
  }
  return violations;
}

/** Ids of all records of a topic. */
function idsOf(topic: MemoryTopic): Set<string> {
  return new Set(
    topic.partitions.flatMap((of, partition) => of.map((_, offset) => `${TOPIC_ID}-${partition}-${offset}`)),
  );
}

function buriedIds({ deadLetters }: MemoryParts): Set<string> {
  return new Set(
    deadLetters.buried.map(({ origin }) => `${origin.topicId}-${origin.partition}-${String(origin.offset)}`),
  );
}

/** Fails if a commit covers a record that is neither written nor a dead letter. */
function checkedGeneration(topic: MemoryTopic, parts: () => MemoryParts): MemoryGeneration {
  return memoryGeneration(topic.positions(), async (positions) => {
    const buried = buriedIds(parts());
    for (const { partition, offset } of positions) {
      for (let i = 0; i < Number(offset); i++) {
        const id = `${TOPIC_ID}-${partition}-${i}`;
        assert.ok(parts().target.documents.has(id) || buried.has(id), `${id} is committed and not written`);
      }
    }
  });
}

function ends(topic: MemoryTopic): Map<string, bigint> {
  return new Map(topic.partitions.map((of, i) => [`${TOPIC}/${i}`, BigInt(of.length)]));
}

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
    await runSink(parts, sinkOptions({ lanes: 1 + Math.floor(random() * 16), batchRecords, inFlightRecords: 2_000 }));

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
    await new Promise(setImmediate);
  };
  await runSink(parts, sinkOptions({ inFlightBytes: 500_000, batchRecords: 5 }));
  assert.equal(parts.target.documents.size, 300);
  assert.ok(most > 300_000 && most < 500_000 + 10 * 11_000, `${most} bytes in flight`);
});

test("what isn't written by the drain deadline is abandoned, not committed, and written by whoever reads it again", async () => {
  const topic = new MemoryTopic([Array.from({ length: 1_000 }, (_, i) => numbered(`key-${i}`, i))]);
  const first = checkedGeneration(topic, () => parts);
  const parts = memoryParts(topic, memberOf(first), {
    openSource: (positions, signal) => topic.open(positions, signal, true),
  });
  const { target } = parts;
  const released = Promise.withResolvers<void>();
  const stuck = `${TOPIC_ID}-0-600`;
  target.gate = async (operations) => {
    if (operations.some(({ id }) => id === stuck)) await released.promise;
  };
  // Batches of one: then only what stands behind the stuck record in its lane waits for it.
  const running = runSink(parts, sinkOptions({ drainDeadlineMs: 50, batchRecords: 1 }));
  await until(() => parts.stats.recordsRead === 1_000 && target.writing === 1, "all but the stuck batch is written");
  first.end();
  await running;
  const reached = first.committed.get(`${TOPIC}/0`);
  assert.equal(reached, 500n, "the end of the last slice before the stuck one");
  assert.ok(parts.lines.some(({ level, message }) => level === "warn" && message.includes("read again")));

  const { recordsWritten } = parts.stats;
  released.resolve();
  await until(() => target.writing === 0, "the late write has ended");
  await new Promise(setImmediate);
  assert.ok(target.documents.has(stuck));
  assert.equal(parts.stats.recordsWritten, recordsWritten, "a late write is not counted");
  assert.equal(first.committed.get(`${TOPIC}/0`), reached, "a late write is not committed");

  const second = checkedGeneration(topic, () => again);
  const rest = memoryGeneration(topic.positions(first.committed), async (positions) => second.commit(positions));
  const again = memoryParts(topic, memberOf(rest), { target });
  target.gate = async () => {};
  await runSink(again, sinkOptions());
  assert.deepEqual(new Set(target.documents.keys()), idsOf(topic));
  assert.equal(again.stats.recordsWritten + again.stats.recordsAlreadyWritten, 1_000 - Number(reached));
  assert.ok(again.stats.recordsAlreadyWritten > 0);
  assert.deepEqual(rest.committed, ends(topic));
});

test("an outage: visible once, no dead letters, no pulling, nothing committed, nothing lost", async () => {
  const topic = new MemoryTopic(records(20_000, 500, 3));
  const generation = checkedGeneration(topic, () => parts);
  const parts: MemoryParts = memoryParts(topic, memberOf(generation));
  const { target, stats } = parts;
  let away = true;
  target.fault = () => (away ? AWAY : undefined);
  const running = runSink(parts, sinkOptions({ inFlightRecords: 2_000 }));
  await until(() => stats.retries > 100, "it has tried again and again");
  const { recordsRead } = stats;
  assert.ok(recordsRead < 2_000 + SLICE_RECORDS);
  assert.ok(stats.awaySince !== undefined);
  await until(() => stats.retries > 200, "it has tried more");
  assert.equal(stats.recordsRead, recordsRead);
  assert.equal(generation.committed.size, 0);
  away = false;
  await running;
  assert.deepEqual(new Set(target.documents.keys()), idsOf(topic));
  assert.equal(parts.deadLetters.buried.length, 0);
  assert.equal(orderViolations(target), 0);
  assert.deepEqual(
    parts.lines.filter(({ message }) => message.includes("the database")).map(({ level }) => level),
    ["warn", "info"],
  );
});

test("an outage doesn't outlast the drain deadline, and is no failure of the sink", async () => {
  const topic = new MemoryTopic(records(100, 10, 1));
  const generation = memoryGeneration(topic.positions());
  const parts = memoryParts(topic, memberOf(generation), {
    openSource: (positions, signal) => topic.open(positions, signal, true),
  });
  parts.target.fault = () => AWAY;
  const running = runSink(parts, sinkOptions({ drainDeadlineMs: 30 }));
  await until(() => parts.stats.retries > 0, "it is away");
  generation.end();
  await running;
  assert.equal(generation.committed.size, 0);
  const { retries } = parts.stats;
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.equal(parts.stats.retries, retries, "nothing goes on behind the end");
});

test("what was written before the drain deadline is committed, however long that takes", async () => {
  const topic = new MemoryTopic(records(2_000, 10, 1));
  const generation = memoryGeneration(topic.positions(), async () => {
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  });
  const parts = memoryParts(topic, memberOf(generation), {
    openSource: (positions, signal) => topic.open(positions, signal, true),
  });
  parts.target.fault = ({ document }) => ((document as unknown as Numbered).sequence >= 1_500 ? AWAY : undefined);
  const running = runSink(parts, sinkOptions({ drainDeadlineMs: 30, commitIntervalMs: 3_600_000 }));
  await until(() => parts.stats.retries > 0 && parts.stats.recordsWritten === 1_500, "the last part is away");
  generation.end();
  await running;
  assert.equal(generation.committed.get(`${TOPIC}/0`), 1_500n);
});

test("before the first generation the database is waited for, unless told to stop", async () => {
  const topic = new MemoryTopic(records(10, 3, 1));
  const target = new MemoryTarget();
  let asked = 0;
  target.availability = () => (++asked < 5 ? { kind: "away", message: "ECONNREFUSED" } : { kind: "available" });
  const parts = memoryParts(topic, memberOf(memoryGeneration(topic.positions())), { target });
  await runSink(parts, sinkOptions());
  assert.equal(target.documents.size, 10);
  assert.equal(parts.lines.filter(({ level }) => level === "warn").length, 1);

  const stop = new AbortController();
  const never = new MemoryTarget();
  never.availability = () => {
    stop.abort();
    return { kind: "away", message: "ECONNREFUSED" };
  };
  const unused = memoryParts(topic, memberOf(memoryGeneration(topic.positions())), {
    target: never,
    signal: stop.signal,
  });
  await runSink(unused, sinkOptions());
  assert.equal(unused.stats.recordsRead, 0);
});

test("a fenced commit ends the generation and not the sink; the next one finds what was written", async () => {
  const topic = new MemoryTopic(records(3_000, 50, 2));
  const fenced = memoryGeneration(topic.positions(), async () => {
    throw new SpillwayError("FENCED", "the group has gone on");
  });
  const next = memoryGeneration(topic.positions());
  const parts = memoryParts(topic, memberOf(fenced, next), {
    openSource: (positions, signal) => topic.open(positions, signal, !next.signal.aborted),
  });
  const running = runSink(parts, sinkOptions());
  await until(
    () => next.committed.get(`${TOPIC}/1`) === ends(topic).get(`${TOPIC}/1`),
    "the next generation has committed",
  );
  next.end();
  await running;
  assert.deepEqual(new Set(parts.target.documents.keys()), idsOf(topic));
  assert.equal(parts.target.order.length, 3_000);
  assert.ok(parts.stats.recordsAlreadyWritten > 0);
  assert.equal(orderViolations(parts.target), 0);
});

test("a commit that fails for now is made up for later", async () => {
  const topic = new MemoryTopic(records(2_000, 50, 1), { partRecords: 50 });
  let failures = 3;
  const generation = memoryGeneration(topic.positions(), async () => {
    if (failures-- > 0) throw new SpillwayError("PROTOCOL", "coordinator loading", { retryable: true });
  });
  const parts = memoryParts(topic, memberOf(generation), {
    openSource: (positions, signal) => topic.open(positions, signal, true),
  });
  const running = runSink(parts, sinkOptions());
  await until(() => generation.committed.get(`${TOPIC}/0`) === 2_000n, "it is committed");
  generation.end();
  await running;
  assert.ok(failures < 0);
});

test("a database that refuses ends the sink with that error, and nothing unwritten is committed", async () => {
  const topic = new MemoryTopic(records(5_000, 50, 2), { partRecords: 100 });
  const generation = checkedGeneration(topic, () => parts);
  const parts: MemoryParts = memoryParts(topic, memberOf(generation, memoryGeneration(topic.positions())), {
    openSource: (positions, signal) => topic.open(positions, signal, true),
  });
  const refusal = new SpillwayError("DATABASE_REFUSED", "not authorized");
  parts.target.gate = async () => {
    if (parts.target.documents.size > 1_000) throw refusal;
  };
  await assert.rejects(runSink(parts, sinkOptions({ batchRecords: 50 })), (error) => error === refusal);
  assert.ok(parts.target.documents.size > 1_000);
});

test("a source that fails ends the sink with its error, after what was read is written and committed", async () => {
  const topic = new MemoryTopic(records(500, 50, 1), { partRecords: 100 });
  const generation = memoryGeneration(topic.positions());
  const failure = new SpillwayError("TOPIC_RECREATED", "another topic by now");
  const parts = memoryParts(topic, memberOf(generation), {
    async *openSource(positions, signal) {
      yield* topic.open(positions, signal);
      throw failure;
    },
  });
  await assert.rejects(runSink(parts, sinkOptions()), (error) => error === failure);
  assert.equal(parts.target.documents.size, 500);
  assert.deepEqual(generation.committed, ends(topic));
});

test("poison goes to the dead-letter topic with origin and reason, and the sink goes on", async () => {
  const good = Array.from({ length: 100 }, (_, i) => numbered("k", i));
  const poison = { key: Buffer.from("k"), value: Buffer.from("{oops"), timestamp: 1 };
  const topic = new MemoryTopic([good.toSpliced(50, 1, poison)]);
  const generation = memoryGeneration(topic.positions());
  const parts = memoryParts(topic, memberOf(generation));
  await runSink(parts, sinkOptions());
  assert.equal(parts.target.documents.size, 99);
  const [letter] = parts.deadLetters.buried;
  assert.equal(parts.deadLetters.buried.length, 1);
  assert.deepEqual(letter?.origin, { topicId: TOPIC_ID, partition: 0, offset: 50n });
  assert.equal(letter?.reason.code, "invalid-json");
  assert.deepEqual(letter?.record.value, Buffer.from("{oops"));
  assert.deepEqual(generation.committed, ends(topic));
  const line = parts.lines.find(({ message }) => message.includes("dead-letter"));
  assert.deepEqual(line?.fields, { topic: TOPIC, partition: 0, offset: "50", reason: "invalid-json", records: 1 });
  assert.doesNotMatch(JSON.stringify(parts.lines), /oops/, "a record's value is in the log");
});

test("a dead letter that isn't acknowledged keeps its record from being committed", async () => {
  const topic = new MemoryTopic([[{ key: null, value: Buffer.from("{oops"), timestamp: 1 }]]);
  const generation = memoryGeneration(topic.positions());
  const deadLetters = new MemoryDeadLetters();
  let attempts = 0;
  deadLetters.fault = async () => {
    attempts++;
    throw new SpillwayError("BROKER_UNREACHABLE", "no broker", { retryable: true });
  };
  const parts = memoryParts(topic, memberOf(generation), {
    deadLetters,
    openSource: (positions, signal) => topic.open(positions, signal, true),
  });
  const running = runSink(parts, sinkOptions({ drainDeadlineMs: 30 }));
  await until(() => attempts > 10, "it has tried again and again");
  assert.equal(parts.lines.filter(({ message }) => message.includes("dead-letter topic is away")).length, 1);
  generation.end();
  await running;
  assert.equal(generation.committed.size, 0);
});

test("a dead-letter topic that refuses for good ends the sink", async () => {
  const topic = new MemoryTopic([[{ key: null, value: Buffer.from("{oops"), timestamp: 1 }]]);
  const generation = memoryGeneration(topic.positions());
  const refusal = new SpillwayError("NOT_AUTHORIZED", "not allowed to write there");
  const deadLetters = new MemoryDeadLetters();
  deadLetters.fault = async () => {
    throw refusal;
  };
  const parts = memoryParts(topic, memberOf(generation), { deadLetters });
  await assert.rejects(runSink(parts, sinkOptions()), (error) => error === refusal);
  assert.equal(generation.committed.size, 0);
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
  const routes = [
    { topic: "btc", collection: "bitcoin" },
    { topic: "eth", collection: "ether" },
  ];
  await runSink(parts, sinkOptions({ routes, lanes: 2 }));
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
  await runSink(parts, sinkOptions({ lanes: 8 }));
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
