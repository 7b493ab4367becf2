import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type InFlightPoison, type InFlightRecord, Progress, SLICE_RECORDS } from "../../../src/sink/progress.ts";
import { newSinkStats } from "../../../src/sink/stats.ts";
import { MemoryTopic, numbered, TOPIC, TOPIC_ID } from "./memory.ts";

const BOUNDS = { inFlightRecords: 1_000, inFlightBytes: 1e9 };

function topicOf(...counts: number[]): MemoryTopic {
  return new MemoryTopic(counts.map((count) => Array.from({ length: count }, (_, i) => numbered(`k${i}`, i))));
}

function offsets(progress: Progress): Map<number, bigint> {
  return new Map(progress.uncommitted().map(({ partition, offset }) => [partition, offset]));
}

test("a position passes no record that isn't done, in whatever order they are, and reaches the end when all are", () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 700 }), { minLength: 1, maxLength: 3 }), fc.nat(), (counts, seed) => {
      const topic = topicOf(...counts);
      const stats = newSinkStats();
      const progress = new Progress(topic.positions(), BOUNDS, stats);
      const open: InFlightRecord[] = [];
      for (const [partition, records] of topic.partitions.entries()) {
        for (const slice of progress.read(topic.fetched(partition, 0, records))) open.push(...slice);
      }
      assert.equal(stats.recordsRead, open.length);
      for (let step = 0; open.length > 0; step++) {
        const [record] = open.splice((seed + step * 7919) % open.length, 1);
        progress.done(record as InFlightRecord);
        if (step % 50 !== 0) continue;
        for (const [partition, offset] of offsets(progress)) {
          const first = open.filter(({ record: r }) => r.partition === partition).map(({ record: r }) => r.offset);
          assert.ok(first.every((unfinished) => offset <= unfinished));
        }
      }
      const reached = offsets(progress);
      for (const [partition, count] of counts.entries()) {
        assert.equal(reached.get(partition) ?? 0n, BigInt(count));
      }
      assert.deepEqual([stats.recordsInFlight, stats.bytesInFlight, progress.recordsInFlight], [0, 0, 0]);
    }),
    { numRuns: 50 },
  );
});

test("where there are no records, positions still go on: behind a transaction's marker there may be none", () => {
  const topic = topicOf(0);
  const progress = new Progress(topic.positions(), BOUNDS, newSinkStats());
  const empty = { ...topic.fetched(0, 0, []), nextOffset: 17n };
  assert.deepEqual([...progress.read(empty)].flat(), []);
  assert.equal(offsets(progress).get(0), 17n);
});

test("what is committed isn't given again until there is more", () => {
  const topic = topicOf(2);
  const progress = new Progress(topic.positions(), BOUNDS, newSinkStats());
  assert.deepEqual(progress.uncommitted(), []);
  const records = [...progress.read(topic.fetched(0, 0, topic.partitions[0] ?? []))].flat();
  for (const record of records) progress.done(record);
  const reached = progress.uncommitted();
  assert.deepEqual(reached, [{ topic: TOPIC, topicId: TOPIC_ID, partition: 0, offset: 2n }]);
  progress.committed(reached);
  assert.deepEqual(progress.uncommitted(), []);
});

test("what is left of a partition shrinks with what is done, up to the end that was seen; without any it isn't known", () => {
  const topic = topicOf(2, 5);
  const progress = new Progress(topic.positions(), BOUNDS, newSinkStats());
  assert.deepEqual(progress.left(), []);
  const left = () => progress.left().map(({ partition, offsets: count }) => [partition, count]);
  const records = [...progress.read({ ...topic.fetched(0, 0, topic.partitions[0] ?? []), highWatermark: 9n })].flat();
  assert.deepEqual(left(), [[0, 9n]]);
  for (const record of records) progress.done(record);
  assert.deepEqual(left(), [[0, 7n]]);
  // The log has lost its end.
  assert.deepEqual([...progress.read({ ...topic.fetched(0, 2, []), highWatermark: 1n })].flat(), []);
  assert.deepEqual(left(), [[0, 0n]]);
});

test("there is room until a bound is reached, and again when enough has left", async () => {
  const topic = topicOf(2_000);
  const progress = new Progress(topic.positions(), BOUNDS, newSinkStats());
  const slices: (readonly InFlightRecord[])[] = [];
  const reading = progress.read(topic.fetched(0, 0, topic.partitions[0] ?? []));
  const never = AbortSignal.abort(new Error("full"));
  for (;;) {
    const { value } = reading.next();
    slices.push(value as readonly InFlightRecord[]);
    if (progress.recordsInFlight >= BOUNDS.inFlightRecords) break;
    await progress.room(new AbortController().signal);
  }
  assert.ok(progress.recordsInFlight < BOUNDS.inFlightRecords + SLICE_RECORDS);
  await assert.rejects(progress.room(never), /full/);
  let open = false;
  const opened = progress.room(new AbortController().signal).then(() => {
    open = true;
  });
  for (const record of slices[3] ?? []) progress.done(record);
  assert.equal(open, false);
  await opened;
});

test("a batch that can't be read holds its position until it is buried, and the records around it are read", () => {
  const topic = topicOf(30);
  const part = (from: number) => {
    const fetched = topic.fetched(0, from, topic.partitions[0]?.slice(from, from + 10) ?? []);
    return fetched.batches;
  };
  const rotten = Buffer.from(part(10));
  rotten[rotten.length - 1] = (rotten[rotten.length - 1] as number) ^ 1;
  const fetched = {
    ...topic.fetched(0, 0, topic.partitions[0] ?? []),
    batches: Buffer.concat([part(0), rotten, part(20)]),
  };
  const stats = newSinkStats();
  const progress = new Progress(topic.positions(), BOUNDS, stats);
  const poisons: InFlightPoison[] = [];
  const records = [...progress.read(fetched, (poison) => poisons.push(poison))].flat();
  assert.deepEqual(
    records.map(({ record }) => Number(record.offset)),
    [...Array.from({ length: 10 }, (_, i) => i), ...Array.from({ length: 10 }, (_, i) => 20 + i)],
  );
  assert.deepEqual(
    poisons.map(({ poison }) => [poison.unreadFrom, poison.lastOffset]),
    [[10n, 19n]],
  );
  for (const record of records) progress.done(record);
  assert.equal(offsets(progress).get(0), undefined, "the batch isn't buried yet");
  for (const poison of poisons) progress.done(poison);
  assert.equal(offsets(progress).get(0), 30n);
  assert.equal(stats.bytesInFlight, 0);
  assert.throws(() => [...progress.read(fetched)], { code: "BATCH_CORRUPT" });
});
