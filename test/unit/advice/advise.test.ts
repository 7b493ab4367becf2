import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type AdviceCode, followed } from "../../../src/advice/advice.ts";
import { advise } from "../../../src/advice/advise.ts";
import type { Facts, SinkSettings } from "../../../src/advice/facts.ts";
import { optionOf } from "../../../src/config/option-table.ts";
import { WriteMeter } from "../../../src/sink/write-sums.ts";
import { DEFAULTS, factsOf, mostPerSecond, type Truth, waitMs } from "./group-double.ts";

const QUIET: Truth = {
  ...{ fixedMs: 50, perRecordMs: 0.1, arrivalPerSecond: 5, waiting: 0, bytesPerRecord: 200, hotShare: 0 },
};
const FLOOD: Truth = { ...QUIET, arrivalPerSecond: 500, waiting: 1_000_000 };

function codes(facts: Facts): readonly AdviceCode[] {
  return advise(facts).map(({ code }) => code);
}

function settingsAfter(facts: Facts): SinkSettings {
  return followed(facts.instances[0]?.settings ?? DEFAULTS, advise(facts));
}

/** With more of the instance's facts. */
function having(facts: Facts, more: Partial<Facts["instances"][number]>): Facts {
  return { ...facts, instances: facts.instances.map((one) => ({ ...one, ...more })) };
}

describe("rules", () => {
  test("the defaults are left alone, quiet or not", () => {
    assert.deepEqual(codes(factsOf(DEFAULTS, QUIET)), ["AS_IT_SHOULD_BE"]);
    assert.deepEqual(codes(factsOf(DEFAULTS, { ...QUIET, arrivalPerSecond: 5_000 })), ["AS_IT_SHOULD_BE"]);
  });

  test("small batches by one writer, under a flood: larger ones, more writers, and room for them", () => {
    const facts = factsOf({ ...DEFAULTS, batchRecords: 1, writers: 1, inFlightRecords: 100 }, FLOOD);
    assert.deepEqual(codes(facts), ["BATCH_SMALL", "WRITERS_FEW", "IN_FLIGHT_SMALL"]);
    const { batchRecords, writers, inFlightRecords } = settingsAfter(facts);
    assert.ok(batchRecords >= 1_000 && writers >= 2 && inFlightRecords >= 2 * writers * batchRecords);
    const effect = advise(facts).at(-1)?.effect;
    assert.ok(effect !== undefined && effect.to.least > 10 * effect.from && effect.to.most > effect.to.least);
  });

  test("the same without a flood, as long as it keeps up, is nobody's business", () => {
    assert.deepEqual(codes(factsOf({ ...DEFAULTS, batchRecords: 1, writers: 1 }, QUIET)), ["AS_IT_SHOULD_BE"]);
  });

  test("large records make small batches: those in flight fit into the memory that is allowed", () => {
    const facts = factsOf({ ...DEFAULTS, batchRecords: 10, writers: 2 }, { ...FLOOD, bytesPerRecord: 500_000 });
    const { batchRecords, writers, inFlightRecords } = settingsAfter(facts);
    assert.ok(batchRecords * writers * 500_000 <= DEFAULTS.inFlightBytes, `${writers} × ${batchRecords}`);
    assert.equal(inFlightRecords, DEFAULTS.inFlightRecords);
  });

  test("fixed batches that can't be filled from what may be in flight are made smaller, even if nothing was written", () => {
    const settings = { ...DEFAULTS, writers: 4, batching: "fixed" as const, batchRecords: 20_000 };
    const stuck = having(factsOf(settings, FLOOD), { writes: new WriteMeter().sums, records: 0 });
    assert.deepEqual(codes(stuck), ["BATCH_UNFILLED", "IN_FLIGHT_SMALL"]);
    const { batchRecords, writers, inFlightRecords } = settingsAfter(stuck);
    assert.ok(inFlightRecords >= 2 * writers * batchRecords, `${inFlightRecords} for ${writers} × ${batchRecords}`);
  });

  test("many writers in a database that is busy with each of them are given no more to do, and fewer are worth a try", () => {
    const settings = { ...DEFAULTS, writers: 48, batchRecords: 2_000, inFlightRecords: 4_000 };
    const facts = having(factsOf(settings, FLOOD), { writes: { ...varied(5, 0.1), slices: 10, sliceMs: 1_000 } });
    assert.deepEqual(codes(facts), ["DATABASE_LIMIT"]);
    assert.match(advise(facts)[0]?.action ?? "", /Try 24 writers/);
  });

  test("a long wait for company that doesn't come becomes a short one", () => {
    const fixed = factsOf({ ...DEFAULTS, batching: "fixed", batchTimeoutMs: 5_000 }, QUIET);
    assert.deepEqual(codes(fixed), ["BATCH_WAITS"]);
    const { batching, batchTimeoutMs } = settingsAfter(fixed);
    assert.deepEqual({ batching, batchTimeoutMs }, { batching: "auto", batchTimeoutMs: 100 });
    // In auto only where some company is to be expected.
    assert.deepEqual(codes(factsOf({ ...DEFAULTS, batchTimeoutMs: 5_000 }, QUIET)), ["BATCH_WAITS"]);
    assert.deepEqual(codes(factsOf({ ...DEFAULTS, batchTimeoutMs: 5_000 }, { ...QUIET, arrivalPerSecond: 0.1 })), [
      "AS_IT_SHOULD_BE",
    ]);
  });

  test("the broker isn't to hold back what a quiet topic has", () => {
    const facts = factsOf({ ...DEFAULTS, fetchMinBytes: 10_240 }, QUIET);
    assert.deepEqual(codes(facts), ["FETCH_WAITS"]);
    assert.equal(settingsAfter(facts).fetchMinBytes, 1);
    assert.deepEqual(codes(factsOf({ ...DEFAULTS, fetchMinBytes: 10_240 }, { ...QUIET, arrivalPerSecond: 2_000 })), [
      "AS_IT_SHOULD_BE",
    ]);
  });

  test("commits come once a second, and writers have connections", () => {
    assert.deepEqual(codes(factsOf({ ...DEFAULTS, commitIntervalMs: 10 }, QUIET)), ["COMMITS_OFTEN"]);
    assert.deepEqual(codes(factsOf({ ...DEFAULTS, commitIntervalMs: 60_000 }, QUIET)), ["COMMITS_SELDOM"]);
    const facts = factsOf({ ...DEFAULTS, writers: 8, connections: 2 }, QUIET);
    assert.deepEqual(codes(facts), ["CONNECTIONS_FEW"]);
    assert.equal(settingsAfter(facts).connections, 8);
  });

  test("a hot key bounds writers, so there are no more of them than it lets work", () => {
    const facts = factsOf({ ...DEFAULTS, batchRecords: 10 }, { ...FLOOD, hotShare: 0.6 });
    assert.deepEqual(codes(facts), ["BATCH_SMALL", "HOT_KEY"]);
    assert.equal(settingsAfter(facts).writers, DEFAULTS.writers);
    assert.match(advise(facts).at(-1)?.why ?? "", /"hot" has 60 %/);
  });

  test("where writing takes the database's time, neither writers nor partitions nor instances help", () => {
    const facts = factsOf(DEFAULTS, { ...FLOOD, fixedMs: 5, perRecordMs: 0.4, pingMs: 1 });
    assert.deepEqual(codes(facts), ["DATABASE_LIMIT"]);
    // Where it is the way that takes so long, they do.
    const far = factsOf({ ...DEFAULTS, writers: 1 }, { ...FLOOD, fixedMs: 400, perRecordMs: 0.001, pingMs: 395 });
    assert.deepEqual(codes(far), ["WRITERS_FEW", "IN_FLIGHT_SMALL"]);
  });

  test("an instance that has all of a core wants another, or a topic with more partitions", () => {
    const busy = having(factsOf(DEFAULTS, FLOOD), { cpuSeconds: 9.8 });
    const advice = advise(busy).find(({ code }) => code === "PROCESS_LIMIT");
    assert.match(advice?.action ?? "", /have a relay/);
    const [partition] = busy.partitions;
    assert.ok(partition !== undefined);
    const more = { ...busy, partitions: [0, 1, 2].map((number) => ({ ...partition, partition: number })) };
    assert.match(advise(more).find(({ code }) => code === "PROCESS_LIMIT")?.action ?? "", /more instances/);
  });

  test("members without a partition, and a partition with most of the records, are said", () => {
    const facts = factsOf(DEFAULTS, QUIET);
    assert.deepEqual(codes({ ...facts, members: 3 }), ["IDLE_INSTANCES"]);
    const rates = [40, 2, 2, 2];
    const partitions = rates.map((arrivalPerSecond, partition) => ({
      ...{ topic: "topic", partition, waiting: 0, arrivalPerSecond },
    }));
    assert.deepEqual(codes({ ...facts, members: 2, partitions }), ["UNEVEN_PARTITIONS"]);
  });

  test("what isn't known is said to be so", () => {
    const nothing = factsOf(DEFAULTS, { ...QUIET, arrivalPerSecond: 0 });
    assert.deepEqual(codes(nothing), ["NOTHING_SEEN"]);
    const slow = having(factsOf(DEFAULTS, { ...FLOOD, waiting: 0 }), { inFlightRecords: 0 });
    const [partition] = slow.partitions;
    assert.ok(partition !== undefined);
    assert.deepEqual(codes({ ...slow, partitions: [{ ...partition, waiting: 1_000_000 }] }), ["UNEXPLAINED"]);
    assert.deepEqual(codes(having(factsOf(DEFAULTS, QUIET), { retries: 3 })), ["OUTAGE"]);
    const [one] = slow.instances;
    assert.ok(one !== undefined);
    const other = { ...one, settings: { ...one.settings, writers: 9 } };
    assert.deepEqual(codes({ ...factsOf(DEFAULTS, QUIET), instances: [one, other] }), ["MIXED_SETTINGS"]);
  });
});

describe("whatever is seen", () => {
  const settings: fc.Arbitrary<SinkSettings> = fc
    .record({
      batching: fc.constantFrom("auto" as const, "fixed" as const),
      writers: fc.integer({ min: 1, max: 200 }),
      batchRecords: fc.integer({ min: 1, max: 20_000 }),
      batchBytes: fc.integer({ min: 1_024, max: 32 * 1024 ** 2 }),
      batchTimeoutMs: fc.integer({ min: 1, max: 60_000 }),
      inFlightRecords: fc.integer({ min: 1, max: 200_000 }),
      inFlightBytes: fc.integer({ min: 1_024, max: 256 * 1024 ** 2 }),
      commitIntervalMs: fc.integer({ min: 10, max: 60_000 }),
      connections: fc.integer({ min: 1, max: 200 }),
      writeTimeoutMs: fc.integer({ min: 100, max: 60_000 }),
      fetchMinBytes: fc.integer({ min: 1, max: 100_000 }),
      fetchMaxWaitMs: fc.integer({ min: 1, max: 5_000 }),
    })
    // As the configuration is checked.
    .map((one) => ({
      ...one,
      inFlightRecords: Math.max(one.inFlightRecords, one.batchRecords),
      inFlightBytes: Math.max(one.inFlightBytes, one.batchBytes),
    }));
  const truth: fc.Arbitrary<Truth> = fc.record({
    fixedMs: fc.double({ min: 0.5, max: 500, noNaN: true }),
    perRecordMs: fc.double({ min: 0.001, max: 1, noNaN: true }),
    arrivalPerSecond: fc.double({ min: 0, max: 5_000, noNaN: true }),
    waiting: fc.constantFrom(0, 100_000_000),
    bytesPerRecord: fc.double({ min: 20, max: 100_000, noNaN: true }),
    hotShare: fc.constantFrom(0, 0, 0.05, 0.5, 1),
  });

  test("the advice is allowed, as a whole", () => {
    const KEYS = {
      writers: "sink.writers",
      batchRecords: "sink.batchRecords",
      inFlightRecords: "sink.inFlightRecords",
      batchTimeoutMs: "sink.batchTimeoutMs",
      commitIntervalMs: "sink.commitIntervalMs",
      connections: "mongo.maxPoolSize",
      fetchMinBytes: "consumer.fetchMinBytes",
    } as const;
    fc.assert(
      fc.property(settings, truth, (before, of) => {
        const then = settingsAfter(factsOf(before, of));
        for (const name of Object.keys(KEYS) as (keyof typeof KEYS)[]) {
          assert.ok(optionOf(KEYS[name]).kind.schema.safeParse(then[name]).success, `${name}: ${then[name]}`);
        }
        assert.ok(then.batchRecords <= then.inFlightRecords, "a batch must fit into what may be in flight");
        assert.ok(then.writers === before.writers || then.writers <= then.connections, "writers have connections");
      }),
    );
  });

  // Once it took one look more: how many writers are wanted went by records that bytes don't let into a batch.
  const BYTES_BIND: SinkSettings = {
    ...DEFAULTS,
    ...{ writers: 1, connections: 1, batchRecords: 443, inFlightRecords: 443, batchBytes: 14_354 },
    ...{ inFlightBytes: 51_159_462, batchTimeoutMs: 1, commitIntervalMs: 10, writeTimeoutMs: 100, fetchMaxWaitMs: 1 },
  };
  const SLOW: Truth = {
    fixedMs: 499.9949035117311,
    perRecordMs: 0.8260217584876188,
    arrivalPerSecond: 0,
    waiting: 100_000_000,
    bytesPerRecord: 3_858.179622446061,
    hotShare: 0,
  };

  test("no setting is changed twice, and who has followed the advice is given no other", () => {
    fc.assert(
      fc.property(settings, truth, (before, of) => {
        const changes = advise(factsOf(before, of)).flatMap((one) => one.changes);
        assert.equal(new Set(changes.map(({ setting }) => setting)).size, changes.length);
        let now = before;
        // A flood shows what a quiet topic doesn't, and the other way round: a look for each, and one more.
        for (let looks = 0; looks < 3; looks++) now = settingsAfter(factsOf(now, of));
        assert.deepEqual(settingsAfter(factsOf(now, of)), now);
      }),
      { examples: [[BYTES_BIND, SLOW]] },
    );
  });

  test("a group that follows it writes no less under a flood, and records of a quiet topic wait no longer", () => {
    fc.assert(
      fc.property(settings, truth, (before, of) => {
        const facts = factsOf(before, of);
        const then = settingsAfter(facts);
        const [was, is] = [mostPerSecond(before, of), mostPerSecond(then, of)];
        if (of.waiting > 0 && !advise(facts).some(({ code }) => code === "BATCH_UNFILLED")) {
          assert.ok(is >= was * 0.999, `${was} → ${is} records/s`);
        }
        if (of.waiting === 0) assert.ok(waitMs(then, of) <= Math.max(waitMs(before, of), 200));
      }),
    );
  });

  test("what it expects is a range, and a database without a limit of its own lies within", () => {
    // A write of one record is mostly its fixed part: where nothing tells, that is assumed.
    const usual = truth.filter(({ fixedMs, perRecordMs }) => fixedMs >= 10 * perRecordMs);
    fc.assert(
      fc.property(settings, usual, (before, of) => {
        const facts = factsOf(before, of);
        const advice = advise(facts);
        for (const { effect } of advice) {
          if (effect === undefined) continue;
          assert.ok(
            effect.to.least <= effect.to.most * (1 + 1e-9) && Number.isFinite(effect.to.most),
            JSON.stringify(effect),
          );
          assert.ok(Number.isFinite(effect.from), JSON.stringify(effect));
        }
        const last = advice.findLast(({ code, effect }) => {
          return code !== "CONNECTIONS_FEW" && effect?.of === "records/s at most";
        })?.effect;
        // Of a write that waits for a connection nobody knows what it takes without that.
        if (last === undefined || before.connections < before.writers) return;
        const is = mostPerSecond(followed(before, advice), of);
        assert.ok(last.to.least <= is * 1.001, `${is} of ${JSON.stringify(last)}`);
        // More than a process can do isn't promised.
        assert.ok(
          last.to.most >= Math.min(is, 30_000, 100e6 / of.bytesPerRecord) * 0.999,
          `${is} of ${JSON.stringify(last)}`,
        );
      }),
    );
  });
});

/** Sums of writes of 10 to 400 records that cost exactly so much. */
function varied(fixedMs: number, perRecordMs: number) {
  const sizes = Array.from({ length: 40 }, (_, i) => 10 * (i + 1));
  const sum = (of: (size: number, ms: number) => number) =>
    sizes.reduce((before, size) => before + of(size, fixedMs + perRecordMs * size), 0);
  return {
    writes: sizes.length,
    operations: sum((size) => size),
    operationsSquared: sum((size) => size ** 2),
    ms: sum((_, ms) => ms),
    msSquared: sum((_, ms) => ms ** 2),
    operationsMs: sum((size, ms) => size * ms),
  };
}
