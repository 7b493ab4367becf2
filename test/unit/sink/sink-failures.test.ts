import assert from "node:assert/strict";
import { test } from "node:test";
import { SpillwayError } from "../../../src/errors.ts";
import { SLICE_RECORDS } from "../../../src/sink/progress.ts";
import { runSink } from "../../../src/sink/sink.ts";
import { AWAY, checkedGeneration, ends, idsOf, type Numbered, orderViolations, records, until } from "./checks.ts";
import {
  MemoryDeadLetters,
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
    if (operations.some((operation) => "id" in operation && operation.id === stuck)) await released.promise;
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
  assert.equal(stats.retriesWhileAway, stats.retries);
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

test("however long an outage lasts, no more bytes are held than may be, and nothing more is read", async () => {
  const topic = new MemoryTopic(records(20_000, 500, 3));
  const parts: MemoryParts = memoryParts(topic, memberOf(memoryGeneration(topic.positions())));
  const { target, stats } = parts;
  let away = true;
  target.fault = () => (away ? AWAY : undefined);
  const bound = 100_000;
  const running = runSink(parts, sinkOptions({ inFlightBytes: bound }));
  await until(() => stats.retries > 20, "it has tried");
  const [held, pulled] = [stats.bytesInFlight, topic.pulled];
  // A slice of small records may go beyond it.
  assert.ok(held >= bound && held < bound + 100 * SLICE_RECORDS, `${held} bytes`);
  await until(() => stats.retries > 500, "it has tried for long");
  assert.deepEqual([stats.bytesInFlight, topic.pulled], [held, pulled]);
  away = false;
  await running;
  assert.equal(stats.bytesInFlight, 0);
  assert.deepEqual(new Set(target.documents.keys()), idsOf(topic));
});

test("what takes a slow database longer than its deadline is written in pieces that don't, in order", async () => {
  const topic = new MemoryTopic(records(6_000, 50, 1));
  const parts: MemoryParts = memoryParts(topic, memberOf(memoryGeneration(topic.positions())));
  const { target } = parts;
  let isTooMuch = false;
  target.gate = async ({ length }) => {
    isTooMuch = length > 300;
  };
  target.fault = () => (isTooMuch ? { ...AWAY, isLate: true } : undefined);
  await runSink(parts, sinkOptions({ writers: 1, batchRecords: 2_000 }));
  assert.deepEqual(new Set(target.documents.keys()), idsOf(topic));
  assert.equal(orderViolations(target), 0);
  assert.equal(parts.deadLetters.buried.length, 0);
  const sizes = target.batches.map(({ size }) => size);
  assert.ok(sizes.length < 6_000 / 125, `${sizes.length} attempts`);
});

test("what fails at once is tried whole again: it is no matter of its size", async () => {
  const topic = new MemoryTopic(records(2_000, 50, 1));
  const parts: MemoryParts = memoryParts(topic, memberOf(memoryGeneration(topic.positions())));
  const { target } = parts;
  let failures = 2;
  target.gate = async () => {
    failures--;
  };
  target.fault = () => (failures >= 0 ? AWAY : undefined);
  await runSink(parts, sinkOptions({ writers: 1, batchRecords: 2_000 }));
  const [first, ...others] = target.batches.map(({ size }) => size);
  assert.deepEqual(others.slice(0, 2), [first, first]);
});

test("a target that takes so many at once gets no larger batch, in order", async () => {
  const topic = new MemoryTopic(records(3_000, 20, 2));
  const parts: MemoryParts = memoryParts(topic, memberOf(memoryGeneration(topic.positions())));
  const { target } = parts;
  target.mostAtOnce = 70;
  await runSink(parts, sinkOptions({ batchRecords: 500 }));
  assert.deepEqual(new Set(target.documents.keys()), idsOf(topic));
  assert.equal(orderViolations(target), 0);
  assert.equal(Math.max(...target.batches.map(({ size }) => size)), 70);
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
