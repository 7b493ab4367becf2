import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { runBackfill } from "../../../src/producer/backfill.ts";
import { BACKFILL_PROFILES, type BackfillOptions, BackfillPlan } from "../../../src/producer/backfill-plan.ts";
import { OutletDouble } from "./outlet-double.ts";

const never = new AbortController().signal;

function options(overrides: Partial<BackfillOptions> = {}): BackfillOptions {
  return { ...BACKFILL_PROFILES.burst, records: 500, keys: 40, ...overrides };
}

function contents(plan: BackfillPlan): string[] {
  return [...plan.records()].map((record) => `${record.key} ${plan.encode(record, 1_700_000_000_000).toString()}`);
}

test("the same seed gives the same records, another seed others", () => {
  fc.assert(
    fc.property(
      fc.record({
        records: fc.integer({ min: 1, max: 300 }),
        keys: fc.integer({ min: 1, max: 1_000 }),
        seed: fc.integer(),
        valueBytes: fc.integer({ min: 100, max: 600 }),
        compressibility: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
      (given) => {
        const first = contents(new BackfillPlan(options(given)));
        assert.deepEqual(contents(new BackfillPlan(options(given))), first);
        if (given.records > 20 && given.compressibility < 0.9 && given.valueBytes > 150) {
          assert.notDeepEqual(contents(new BackfillPlan(options({ ...given, seed: given.seed ^ 1 }))), first);
        }
      },
    ),
    { numRuns: 50 },
  );
});

test("every value is JSON of exactly the wanted size that says what the record is", () => {
  fc.assert(
    fc.property(fc.integer({ min: 90, max: 2_000 }), fc.double({ min: 0, max: 1, noNaN: true }), (valueBytes, c) => {
      const plan = new BackfillPlan(options({ records: 20, valueBytes, compressibility: c }));
      for (const record of plan.records()) {
        const value = plan.encode(record, 1_700_000_000_000);
        assert.equal(value.length, valueBytes);
        const { pad, ...facts } = JSON.parse(value.toString());
        assert.equal(typeof pad, "string");
        assert.deepEqual(facts, {
          kind: "backfill",
          key: record.key,
          seq: record.sequence,
          created: 1_700_000_000_000,
        });
      }
    }),
  );
});

test("the sequence numbers of a key count from 0 without gaps, and all keys of an even spread occur", () => {
  const next = new Map<string, number>();
  const plan = new BackfillPlan(options({ records: 5_000, keys: 50, skew: { kind: "zipf", exponent: 0 } }));
  for (const { key, sequence } of plan.records()) {
    assert.equal(sequence, next.get(key) ?? 0);
    next.set(key, sequence + 1);
  }
  assert.equal(next.size, 50);
});

test("compressibility is what it says", () => {
  const size = (compressibility: number): number => {
    const plan = new BackfillPlan(options({ records: 500, valueBytes: 1_000, compressibility }));
    const all = Buffer.concat([...plan.records()].map((record) => plan.encode(record, 1_700_000_000_000)));
    return gzipSync(all).length / all.length;
  };
  const [none, half, full] = [size(0), size(0.5), size(1)];
  assert.ok(none > 0.69 && none < 0.8, `${none} of incompressible padding`);
  assert.ok(half > 0.34 && half < 0.42, `${half} of half compressible padding`);
  assert.ok(full < 0.04, `${full} of compressible padding`);
});

test("plans that can't be are refused", () => {
  for (const wrong of [
    { records: -1 },
    { records: 1.5 },
    { valueBytes: 50 },
    { compressibility: 1.1 },
    { compressibility: Number.NaN },
    { timeCompression: 0 },
    { keys: 0 },
  ]) {
    assert.throws(() => new BackfillPlan(options(wrong)), { code: "CONFIG_INVALID" }, JSON.stringify(wrong));
  }
});

test("every record is sent once, in order, and reported with its place", async () => {
  const outlet = new OutletDouble();
  const reported: string[] = [];
  const plan = new BackfillPlan(options({ records: 1_000 }));
  const acknowledged = await runBackfill(plan, {
    topic: "hot",
    outlet,
    signal: never,
    onAcknowledged: ({ key, sequence }, { offset }) => reported.push(`${key} ${sequence} ${offset}`),
  });
  assert.equal(acknowledged, 1_000);
  const expected = [...plan.records()].map(({ key, sequence, index }) => `${key} ${sequence} ${index}`);
  assert.deepEqual(reported, expected);
  assert.deepEqual(new Set(outlet.sent.map(({ topic }) => topic)), new Set(["hot"]));
});

test("records are sent no earlier than they are due", async () => {
  const outlet = new OutletDouble();
  const plan = new BackfillPlan(options({ records: 300, rate: { kind: "burst", burst: 100, tailMs: 300 } }));
  const startedAt = performance.now();
  await runBackfill(plan, { topic: "hot", outlet, signal: never });
  for (const [index, { at }] of outlet.sent.entries()) {
    assert.ok(plan.timetable.due(at - startedAt) > index, `record ${index} after ${at - startedAt} ms`);
  }
  assert.ok(performance.now() - startedAt >= 298);
});

test("a record that can't be delivered fails the backfill, early", async () => {
  const outlet = new OutletDouble();
  outlet.failAt = 700;
  const plan = new BackfillPlan(options({ records: 100_000 }));
  await assert.rejects(runBackfill(plan, { topic: "hot", outlet, signal: never }), /the broker is away/);
  assert.ok(outlet.sent.length < 2_000, `${outlet.sent.length} were sent`);
});

test("acknowledgements that never come are given up after a time", async () => {
  const plan = new BackfillPlan(options({ records: 10 }));
  const outlet = { ready: async () => {}, send: () => new Promise<never>(() => {}) };
  const run = runBackfill(plan, { topic: "hot", outlet, signal: never, settleTimeoutMs: 30 });
  await assert.rejects(run, { code: "TIMEOUT" });
});

test("an abort ends a backfill that waits for its time", async () => {
  const abort = new AbortController();
  const plan = new BackfillPlan(options({ records: 10, rate: { kind: "burst", burst: 0, tailMs: 1e9 } }));
  const run = runBackfill(plan, { topic: "hot", outlet: new OutletDouble(), signal: abort.signal });
  setTimeout(() => abort.abort(new Error("enough")), 20);
  await assert.rejects(run, /enough/);
});
