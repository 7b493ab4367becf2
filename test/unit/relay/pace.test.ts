import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { FetchedPartition } from "../../../src/kafka/source.ts";
import type { AbortedTransaction } from "../../../src/record-batch/aborted.ts";
import * as layout from "../../../src/record-batch/layout.ts";
import { readRecords } from "../../../src/record-batch/records.ts";
import { Pace } from "../../../src/relay/pace.ts";
import { atFirst, inPieces, onceFor } from "../../../src/relay/pieces.ts";
import { limitsBy, parseSetting } from "../../../src/relay/settings.ts";
import { batchOf, marker } from "../../helpers/batches.ts";

function fetchedOf(batches: readonly Buffer[], from: bigint, to: bigint): FetchedPartition {
  return {
    ...{ topic: "hot", topicId: "zHaV0daIQvO8jLlQ5f0x4A", partition: 0, highWatermark: to },
    ...{ fetchOffset: from, nextOffset: to, batches: Buffer.concat(batches), abortedTransactions: [] },
  };
}

function recordsFrom(first: number, count: number) {
  return Array.from({ length: count }, (_, i) => ({ key: null, value: Buffer.from(`${first + i}`), timestamp: 0 }));
}

/** A batch of which only the header is looked at. */
function headerOf(records: number, bytes: number): Buffer {
  const batch = Buffer.alloc(bytes);
  batch.writeInt32BE(bytes - layout.LENGTH_OVERHEAD, layout.BATCH_LENGTH);
  batch.writeInt8(2, layout.MAGIC);
  batch.writeInt32BE(records - 1, layout.LAST_OFFSET_DELTA);
  batch.writeInt32BE(records, layout.RECORD_COUNT);
  return batch;
}

const rate = fc.integer({ min: 1, max: 5_000 });

test("no more is relayed than the limits allow, but for one piece, and no less while there is something to relay", () => {
  fc.assert(
    fc.property(
      rate,
      fc.option(rate, { nil: undefined }),
      fc.double({ min: 0.1, max: 1, noNaN: true }),
      (recordsPerSecond, bytesPerSecond, fraction) => {
        let now = 0;
        const pace = new Pace({ recordsPerSecond, bytesPerSecond }, () => now);
        pace.share(fraction);
        // Ten bytes a record.
        const part = fetchedOf([headerOf(1_000_000, 10 * 1_000_000)], 0n, 1_000_000n);
        const perSecond = Math.min(recordsPerSecond, (bytesPerSecond ?? Infinity) / 10) * fraction;
        let [relayed, largest] = [0, 0];
        for (let rest: FetchedPartition | undefined = part; rest !== undefined && now < 60_000; ) {
          const { piece, rest: behind } = pace.split(rest);
          const records = Number(piece.nextOffset - piece.fetchOffset);
          largest = Math.max(largest, records);
          relayed += records;
          pace.spend(records, records * 10);
          assert.ok(relayed <= (perSecond * now) / 1_000 + largest + 1e-6, `${relayed} after ${now} ms`);
          now += pace.waitMs();
          rest = behind;
        }
        assert.ok(relayed >= (perSecond * now) / 1_000 - 1e-6, `${relayed} of ${perSecond}/s after ${now} ms`);
        assert.ok(largest <= Math.max(1, perSecond / 4));
      },
    ),
  );
});

test("time in which nothing was there is not saved up; a new limit holds from its moment on", () => {
  let now = 0;
  const pace = new Pace({ recordsPerSecond: 100 }, () => now);
  now = 3_600_000;
  pace.spend(100, 0);
  assert.equal(pace.waitMs(), 1_000);
  now += 500;
  pace.set({ recordsPerSecond: 10 });
  assert.equal(pace.waitMs(), 5_000);
  pace.set({ recordsPerSecond: 10, paused: true });
  now += 60_000;
  assert.equal(pace.waitMs(), Infinity);
  pace.set({ recordsPerSecond: 10 });
  assert.equal(pace.waitMs(), 5_000, "a pause works nothing off");
  pace.giveWay(1);
  assert.equal(pace.waitMs(), 50_000);
  pace.giveWay(undefined);
  pace.set({});
  assert.equal(pace.waitMs(), 0);
});

test("whoever waits hears of a new limit at once, and of the end", async () => {
  const pace = new Pace({ paused: true });
  const never = new AbortController();
  const waiting = pace.open(never.signal);
  pace.set({});
  await waiting;
  pace.set({ paused: true });
  const stop = new AbortController();
  const stopped = assert.rejects(pace.open(stop.signal), /that is all/);
  stop.abort(new Error("that is all"));
  await stopped;
});

test("the pieces of a part hold its records, each once and in order, whatever the pace", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 0, max: 20 }),
      fc.integer({ min: 1, max: 100 }),
      async (sizes, skipped, recordsPerSecond) => {
        let end = 0;
        const batches = sizes.map((size) => {
          end += size;
          return batchOf(recordsFrom(end - size, size), { baseOffset: BigInt(end - size) });
        });
        const from = Math.min(skipped, end - 1);
        let now = 0;
        const pace = new Pace({ recordsPerSecond }, () => now);
        const read: string[] = [];
        let position = BigInt(from);
        const part = fetchedOf(batches, position, BigInt(end));
        const never = new AbortController().signal;
        for await (const piece of inPieces(only(part), { job: undefined, pace, signal: never })) {
          assert.equal(piece.fetchOffset, position);
          position = piece.nextOffset;
          // As the transcoder does: what lies behind the piece's end is left to the next.
          const records = [...readRecords(piece)].filter(({ offset }) => offset < piece.nextOffset);
          read.push(...records.map(({ value }) => `${value}`));
          pace.spend(records.length, piece.bytes);
          // Rounding may leave a trace of the debt.
          now += pace.waitMs() + 1;
        }
        const expected = Array.from({ length: end - from }, (_, i) => `${from + i}`);
        assert.deepEqual(read, expected);
      },
    ),
  );
});

async function* only(part: FetchedPartition): AsyncGenerator<FetchedPartition> {
  yield part;
}

test("a batch that can't be read is told once, whichever pieces it lies in and wherever a crash comes between", async () => {
  const broken = batchOf(recordsFrom(10, 10), { baseOffset: 10n });
  broken[broken.length - 1] = (broken[broken.length - 1] ?? 0) ^ 1;
  const batches = [batchOf(recordsFrom(0, 10)), broken, batchOf(recordsFrom(20, 10), { baseOffset: 20n })];
  const pieces = fc.record({ from: fc.nat(19), recordsPerSecond: fc.constantFrom(4, 12, 36, 1_000) });
  await fc.assert(
    fc.asyncProperty(pieces, fc.array(fc.nat(10), { maxLength: 5 }), async ({ from, recordsPerSecond }, crashes) => {
      let now = 0;
      const pace = new Pace({ recordsPerSecond }, () => now);
      const told: bigint[] = [];
      const read: bigint[] = [];
      // What a piece tells and where it ends are one transaction.
      let committed = BigInt(from);
      for (const piecesToCrash of [...crashes, Infinity]) {
        if (committed === 30n) break;
        const part = fetchedOf(batches.slice(committed < 10n ? 0 : committed < 20n ? 1 : 2), committed, 30n);
        let left = piecesToCrash;
        for await (const piece of inPieces(only(part), {
          job: undefined,
          pace,
          signal: new AbortController().signal,
        })) {
          if (left-- === 0) break;
          const onPoison = onceFor(piece, ({ baseOffset }) => told.push(baseOffset));
          const records = [...readRecords(piece, onPoison)].filter(({ offset }) => offset < piece.nextOffset);
          read.push(...records.map(({ offset }) => offset));
          committed = piece.nextOffset;
          pace.spend(Number(piece.nextOffset - piece.fetchOffset), piece.bytes);
          now += pace.waitMs() + 1;
        }
      }
      assert.deepEqual(told, [10n]);
      assert.equal(read.length, (from < 10 ? 10 - from : 0) + 10);
    }),
  );
});

test("a batch that can't be read is told at once to who ends there, and by the end of a job inside it", () => {
  const broken = batchOf(recordsFrom(10, 10), { baseOffset: 10n });
  broken[broken.length - 1] = (broken[broken.length - 1] ?? 0) ^ 1;
  const part = fetchedOf([batchOf(recordsFrom(0, 10)), broken], 0n, 20n);
  for (const [endOffset, isLast, tellsAtFirst, tellsOnce] of [
    [10n, false, false, false],
    [15n, false, true, false],
    [15n, true, true, true],
    [20n, false, true, true],
  ] as const) {
    const piece = { ...part, endOffset, nextOffset: endOffset, isLast, bytes: 0 };
    for (const [telling, tells] of [
      [atFirst, tellsAtFirst],
      [onceFor, tellsOnce],
    ] as const) {
      let told = 0;
      for (const _ of readRecords(
        piece,
        telling(piece, () => told++),
      ));
      assert.equal(told, tells ? 1 : 0, `${telling.name} up to ${endOffset}`);
    }
  }
});

test("records of aborted transactions are in no piece, and those behind their markers are, wherever a piece ends", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ size: fc.integer({ min: 1, max: 8 }), producer: fc.nat(2), isAborted: fc.boolean() }), {
        minLength: 1,
        maxLength: 8,
      }),
      fc.integer({ min: 1, max: 40 }),
      async (transactions, recordsPerSecond) => {
        let end = 0;
        const [batches, abortedTransactions, expected]: [Buffer[], AbortedTransaction[], string[]] = [[], [], []];
        for (const { size, producer, isAborted } of transactions) {
          const [records, producerId, baseOffset] = [recordsFrom(end, size), BigInt(producer), BigInt(end)];
          const stamp = { producerId, epoch: 0, sequence: 0 };
          batches.push(batchOf(records, { baseOffset, stamp, transactional: true }));
          batches.push(marker(isAborted ? "abort" : "commit", producerId, baseOffset + BigInt(size)));
          if (isAborted) abortedTransactions.push({ producerId, firstOffset: baseOffset });
          else expected.push(...records.map(({ value }) => `${value}`));
          end += size + 1;
        }
        let now = 0;
        const pace = new Pace({ recordsPerSecond }, () => now);
        const part = { ...fetchedOf(batches, 0n, BigInt(end)), abortedTransactions };
        const read: string[] = [];
        for await (const piece of inPieces(only(part), {
          job: undefined,
          pace,
          signal: new AbortController().signal,
        })) {
          const records = [...readRecords(piece)].filter(({ offset }) => offset < piece.nextOffset);
          read.push(...records.map(({ value }) => `${value}`));
          pace.spend(records.length, piece.bytes);
          now += pace.waitMs() + 1;
        }
        assert.deepEqual(read, expected);
      },
    ),
  );
});

test("pieces are as many as the limit asks for, however few offsets hold a record and whatever limit it is", async () => {
  // 20 batches of 50 records, each followed by 100,000 offsets that hold none.
  const batches = Array.from({ length: 20 }, (_, i) => {
    const first = i * 100_000;
    return batchOf(recordsFrom(first, 50), { baseOffset: BigInt(first) });
  });
  const part = fetchedOf(batches, 0n, 2_000_000n);
  for (const limits of [{ recordsPerSecond: 100 }, { bytesPerSecond: part.batches.length / 10 }]) {
    let [now, pieces, read] = [0, 0, 0];
    const pace = new Pace(limits, () => now);
    for await (const piece of inPieces(only(part), { job: undefined, pace, signal: new AbortController().signal })) {
      const records = [...readRecords(piece)].filter(({ offset }) => offset < piece.nextOffset).length;
      pieces++;
      read += records;
      pace.spend(records, piece.bytes);
      now += pace.waitMs() + 1;
    }
    assert.equal(read, 1_000);
    assert.ok(pieces >= 40 && pieces <= 61, `${pieces} pieces of a quarter of a second each in 10 s`);
  }
});

test("what a relay is told goes before its options; what nobody has said stays as they have it", () => {
  const options = { recordsPerSecond: 100, bytesPerSecond: 1_000 };
  assert.deepEqual(limitsBy(options, {}), { ...options, paused: undefined });
  assert.deepEqual(limitsBy(options, { recordsPerSecond: null, paused: true }), {
    recordsPerSecond: undefined,
    bytesPerSecond: 1_000,
    paused: true,
  });
  assert.deepEqual(parseSetting("recordsPerSecond", "5"), { recordsPerSecond: 5 });
  assert.deepEqual(parseSetting("bytesPerSecond", "null"), { bytesPerSecond: null });
  assert.deepEqual(parseSetting("paused", "false"), { paused: false });
  for (const text of ["", "[]", '"5"', "0", "1e999", "{"])
    assert.deepEqual(parseSetting("bytesPerSecond", text), {}, text);
  for (const text of ["", "null", "1"]) assert.deepEqual(parseSetting("paused", text), {}, text);
});
