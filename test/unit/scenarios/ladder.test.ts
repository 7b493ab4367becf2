import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { blockingBatches, queuedBatches } from "../../../scenarios/ladder/batches.ts";
import { ladderOf, ladderPace } from "../../../scenarios/ladder/catalog.ts";
import {
  BACKFILL_CLAIMS,
  CRYPTO_CLAIMS,
  judge,
  sideClaims,
  writtenPerSecond,
} from "../../../scenarios/ladder/claims.ts";
import {
  assumptions,
  type LadderFigures,
  ladderCells,
  ladderFaults,
  ladderResult,
} from "../../../scenarios/ladder/figures.ts";
import { originId } from "../../../scenarios/ledger.ts";
import { parseOptions } from "../../../scenarios/options.ts";
import { type PerTopicFigures, perTopicFaults, perTopicResult } from "../../../scenarios/per-topic/figures.ts";
import { reportOf, reportPage } from "../../../scenarios/report/html.ts";
import { insertModel } from "../../../src/sink/models/insert.ts";

test("what the accounts say they reached holds under these assumptions, and no others", () => {
  const of = (claims: typeof CRYPTO_CLAIMS | typeof BACKFILL_CLAIMS) =>
    Object.entries(claims).map(([name, claim]) => {
      const { follows, impliedWriteMs } = judge(claim);
      return [name, follows, Math.round(impliedWriteMs)];
    });
  assert.deepEqual(of(CRYPTO_CLAIMS), [
    ["one", false, 333],
    ["batches", false, 333],
    ["queue", true, 100],
    ["per-topic", true, 100],
    ["all", false, 30],
  ]);
  assert.deepEqual(of(BACKFILL_CLAIMS), [
    ["one", true, 182],
    ["batches", true, 183],
    ["batches-seen", false, 227],
  ]);
  assert.match(judge(CRYPTO_CLAIMS.all).text, /750–3000 a second; it holds if a write takes 30 ms, or if 20 run side/);
  assert.match(sideClaims("backfill").join(), /112 a second.*10\.2 days.*989 a second/);
  assert.match(sideClaims("crypto").join(), /make 1 message a second/);
});

test("a figure follows if and only if some write time that the account names gives it", () => {
  const claims = fc.record({
    writers: fc.integer({ min: 1, max: 50 }),
    batch: fc.integer({ min: 1, max: 1_000 }),
    shortest: fc.integer({ min: 1, max: 500 }),
    more: fc.integer({ min: 0, max: 500 }),
    at: fc.double({ min: 0.2, max: 3, noNaN: true }),
  });
  fc.assert(
    fc.property(claims, ({ writers, batch, shortest, more, at }) => {
      const writeMs = [shortest, shortest + more] as const;
      const perSecond = writtenPerSecond(writers, batch, shortest) * at;
      const what = { what: "", perSecond, setUp: { writers, batch, writeMs } };
      const { impliedWriteMs, follows } = judge({ ...what, isAtLeast: false });
      assert.ok(Math.abs(writtenPerSecond(writers, batch, impliedWriteMs) - perSecond) < perSecond * 1e-9);
      // Within roundings.
      if (impliedWriteMs >= shortest && impliedWriteMs <= writeMs[1]) assert.ok(follows);
      if (impliedWriteMs < shortest * 0.97 || impliedWriteMs > writeMs[1] * 1.03) assert.ok(!follows);
      assert.equal(judge({ ...what, isAtLeast: true }).follows, at <= 1.02);
    }),
  );
});

test("a blocking consumer writes full batches in their order, and the rest at its end", async () => {
  const written: number[][] = [];
  const intake = blockingBatches<number>(async (batch) => void written.push([...batch]), {
    batch: 50,
    batchMs: 60_000,
  });
  for (let i = 0; i < 120; i++) await intake.put(i);
  assert.deepEqual(
    written.map(({ length }) => length),
    [50, 50],
  );
  await intake.end();
  assert.deepEqual(
    written.flat(),
    Array.from({ length: 120 }, (_, i) => i),
  );
});

test("a queue holds no more than its bound, its writers write side by side, and nothing is left", async () => {
  const release = Promise.withResolvers<void>();
  const written: number[] = [];
  let [underWay, most] = [0, 0];
  const write = async (batch: readonly number[]): Promise<void> => {
    underWay++;
    most = Math.max(most, underWay);
    await release.promise;
    underWay--;
    written.push(...batch);
  };
  const intake = queuedBatches<number>(write, { batch: 10, batchMs: 60_000, queue: 40, writers: 3 });
  let put = 0;
  const producing = (async () => {
    for (; put < 200; put++) await intake.put(put);
  })();
  while (most < 3 || put < 70) await new Promise((resolve) => setTimeout(resolve, 2));
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(put, 70, "40 in the queue and 10 with each of three writers");
  release.resolve();
  await producing;
  await intake.end();
  assert.equal(most, 3);
  assert.deepEqual(
    written.toSorted((a, b) => a - b),
    Array.from({ length: 200 }, (_, i) => i),
  );
});

test("what a write throws reaches the consumer, and the end", async () => {
  const write = async (): Promise<void> => {
    throw new Error("refused");
  };
  const queued = queuedBatches<number>(write, { batch: 1, batchMs: 1, queue: 10, writers: 2 });
  await queued.put(1);
  await assert.rejects(queued.end(), /refused/);
  const blocking = blockingBatches<number>(write, { batch: 2, batchMs: 60_000 });
  await blocking.put(1);
  await assert.rejects(blocking.put(2), /refused/);
  await assert.rejects(blocking.end(), /refused/);
});

const CLEAN = { documents: 10, missing: 0, waiting: 5, duplicates: 0, orderViolations: 0, strangers: 0 };

function ladder(change: Partial<typeof CLEAN> = {}, more: { ranDry?: boolean } = {}): LadderFigures {
  const { rungs } = ladderOf("crypto-ladder");
  return {
    ladder: "crypto-ladder",
    database: "FerretDB",
    isInOrder: true,
    rungs: rungs.map((rung) => ({ rung, perSecond: 12.34, verdict: { ...CLEAN, ...change }, ranDry: false, ...more })),
  };
}

test("a ladder fails on any record that isn't accounted for; only Spillway must keep the order of a key", () => {
  const full = ladderPace(true);
  assert.deepEqual(ladderFaults(ladder(), full), []);
  for (const fault of ["missing", "duplicates", "strangers"] as const) {
    assert.equal(ladderFaults(ladder({ [fault]: 1 }), full).length, 6, fault);
  }
  assert.deepEqual(ladderFaults(ladder({ orderViolations: 3 }), full), [
    "Spillway, defaults: 3 messages were written behind a later one of their key",
  ]);
  assert.equal(ladderFaults({ ...ladder({ orderViolations: 3 }), isInOrder: false }, full).length, 0);
  assert.equal(ladderFaults(ladder({}, { ranDry: true }), full).length, 6);
  assert.equal(ladderFaults(ladder({}, { ranDry: true }), ladderPace(false)).length, 0);
});

test("a ladder's result and page hold their figures, ours, and what theirs assume", () => {
  const result = ladderResult(ladder(), ladderPace(true));
  assert.equal(result.ok, true);
  assert.deepEqual(result.rows[1]?.theirs[0]?.perSecond, 150);
  assert.match(result.rows[1]?.theirs[0]?.assumption ?? "", /^doesn't follow/);
  assert.deepEqual(result.rows.at(-1)?.theirs, []);
  const [first = assert.fail("no rows")] = ladder().rungs;
  assert.deepEqual(ladderCells(first, true), ["one insert each", "3/s", "12.3/s", "0", "0", "0"]);
  const page = reportPage({
    ...{ takenAt: "2025-01-02T03:04:05.000Z", versions: {}, seed: 1, figures: [], ladders: [ladder()] },
    machine: { cpu: "", cores: 2, memoryMiB: 1, system: "" },
    pace: { warmupMs: 1, quietMs: 1, floodMs: 1, isFull: true },
    perTopic: perTopic(),
    operations: [],
  });
  for (const words of ["1500+/s", "12.3/s", "FerretDB", "was killed", "20 run side by side"]) {
    assert.ok(page.includes(words), words);
  }
  assert.equal(reportOf(page).ladders[0]?.rungs.length, 6);
  assert.equal(assumptions(ladder()).length, 6);
});

function perTopic(waiting = { btc: 20, eth: 1 }): PerTopicFigures {
  const summary = (undelivered: number) => ({ messages: 20, undelivered, p50Ms: 1, p99Ms: 2.4, maxMs: 3 });
  return {
    ...{ database: "FerretDB", deadSeconds: 2, caughtUpSeconds: 1 },
    topics: (["btc", "eth"] as const).map((topic) => ({
      ...{ topic, dies: topic === "btc", before: summary(0), meanwhile: summary(waiting[topic]), verdict: CLEAN },
    })),
  };
}

test("the topic whose sink is dead stands still, and the others don't", () => {
  assert.deepEqual(perTopicFaults(perTopic()), []);
  assert.equal(perTopicFaults(perTopic({ btc: 19, eth: 1 })).length, 1);
  assert.equal(perTopicFaults(perTopic({ btc: 20, eth: 20 })).length, 1);
  const [, eth] = perTopicResult(perTopic()).topics;
  assert.equal(eth?.p99BeforeMs, 2);
  assert.equal(eth?.waiting, 1);
});

test("the ledger's name for a sink's document is the sink's", () => {
  const origin = { topicId: "an-id", partition: 2, offset: 7n };
  const planned = insertModel(
    () => "c",
    "value",
  )({
    ...{ origin, value: {} },
    record: { topic: "t", partition: 2, offset: 7n, key: null, value: Buffer.from("{}"), headers: [], timestamp: 0n },
  } as never);
  const [{ operation } = assert.fail("nothing is planned")] = "reason" in planned ? [] : planned;
  assert.equal(operation.kind === "insert" ? operation.id : "", originId("", 0, origin));
});

test("ladders are named like other scenarios, and don't run on composed services", () => {
  const { names, ladders, perTopic: isWanted } = parseOptions(["crypto-ladder", "backfill-diverted"]);
  assert.deepEqual([names, ladders, isWanted], [["backfill-diverted"], ["crypto-ladder"], false]);
  assert.equal(parseOptions([]).ladders.length, 2);
  assert.throws(() => parseOptions(["--compose"]), TypeError);
  assert.deepEqual(parseOptions(["--compose", "backfill-diverted"]).ladders, []);
});
