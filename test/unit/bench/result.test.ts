import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type BenchSettings, bestVariant, type Round, rowsOf } from "../../../bench/result.ts";
import { median } from "../../../bench/statistics.ts";

const SETTINGS: BenchSettings = {
  sourcePartitions: 3,
  targetPartitions: 24,
  keys: 10_000,
  keyBytes: 10,
  valueBytes: 180,
  windowSeconds: 15,
  rounds: 3,
  broker: {},
};

function round(name: Round["name"], recordsPerSecond: number, more: Partial<Round> = {}): Round {
  return {
    name,
    guarantee: "at-least-once",
    codec: "none",
    variant: "only",
    round: 1,
    seconds: 15,
    records: recordsPerSecond * 15,
    recordsPerSecond,
    cpuMicrosPerRecord: 1,
    peakRssMiB: 100,
    batches: 10,
    storedBytes: 1000,
    brokerCores: 1,
    otherCores: 0,
    ...more,
  };
}

test("the median has as many numbers below it as above", () => {
  const numbers = fc.array(fc.double({ noNaN: true, min: -1e9, max: 1e9 }), { minLength: 1 });
  fc.assert(
    fc.property(numbers, (all) => {
      const middle = median(all);
      const below = all.filter((number) => number < middle).length;
      const above = all.filter((number) => number > middle).length;
      assert.ok(below <= all.length / 2 && above <= all.length / 2);
    }),
  );
  assert.throws(() => median([]), RangeError);
});

test("a row holds the medians of its own rounds", () => {
  const rounds = [
    round("spillway", 300, { cpuMicrosPerRecord: 2, peakRssMiB: 90 }),
    round("spillway", 100, { cpuMicrosPerRecord: 1, peakRssMiB: 80 }),
    round("spillway", 200, { cpuMicrosPerRecord: 9, peakRssMiB: 99 }),
    round("kafkajs", 7),
    round("spillway", 5_000, { codec: "lz4" }),
    round("spillway", 4_000, { guarantee: "exactly-once" }),
  ];
  const rows = rowsOf(rounds, SETTINGS);
  assert.equal(rows.length, 4);
  assert.deepEqual(rows[0], {
    name: "spillway",
    guarantee: "at-least-once",
    codec: "none",
    valueBytes: 180,
    recordsPerSecond: 200,
    bytesPerSecond: 200 * 190,
    cpuMicrosPerRecord: 2,
    peakRssMiB: 90,
  });
});

test("of several settings those with the best median count, and one lucky round is not enough", () => {
  const rounds = [
    round("kafka-streams", 900, { variant: "given up" }),
    ...[100, 110, 120].map((speed) => round("kafka-streams", speed, { variant: "slow" })),
    ...[90, 200, 210].map((speed) => round("kafka-streams", speed, { variant: "fast" })),
  ];
  assert.deepEqual(
    bestVariant(rounds).map(({ recordsPerSecond }) => recordsPerSecond),
    [90, 200, 210],
  );
  assert.equal(rowsOf(rounds, SETTINGS)[0]?.recordsPerSecond, 200);
});
