import assert from "node:assert/strict";
import { test } from "node:test";
import { FULL_PACE, SHORT_PACE, scenarioOf } from "../../../scenarios/catalog.ts";
import { type Figures, faultsOf, resultOf } from "../../../scenarios/figures.ts";
import { namesFor, relayArguments } from "../../../scenarios/names.ts";
import { parseOptions } from "../../../scenarios/options.ts";
import { hostOf, throughProxy } from "../../../scenarios/places.ts";
import { type Report, reportOf, reportPage } from "../../../scenarios/report/html.ts";
import { consoleTable } from "../../../scenarios/report/table.ts";
import { parseServiceLine } from "../../../scenarios/service/lines.ts";
import { isOneEach, shares } from "../../../scenarios/service/processes.ts";

const latencies = (p99Ms: number, undelivered = 0) => ({ messages: 600, undelivered, p50Ms: 200, p99Ms, maxMs: p99Ms });

function figures(changes: Partial<Figures> = {}): Figures {
  return {
    scenario: "backfill-diverted",
    quiet: latencies(400),
    flood: latencies(500),
    curve: [
      [-1, 300, 1],
      [2, 500, 1],
      [3, 90_000, 0],
    ],
    floodRecords: 54_000,
    producedSeconds: 120,
    workedOffSeconds: 121,
    verdict: { documents: 55_000, missing: 0, waiting: 0, duplicates: 0, orderViolations: 0, strangers: 0 },
    repeated: 0,
    writes: { writeP50Ms: 183, writeP99Ms: 190, loopP99Ms: 12 },
    busyCores: { quiet: 0.5, flood: 1.5 },
    ...changes,
  };
}

test("a sound scenario has the figures of its result, and isolation is their ratio", () => {
  assert.deepEqual(resultOf(figures(), FULL_PACE), {
    scenario: "backfill-diverted",
    ok: true,
    liveP99QuietMs: 400,
    liveP99FloodMs: 500,
    isolation: 1.25,
    missing: 0,
    duplicates: 0,
    orderViolations: 0,
  });
});

test("each thing that isn't as it should be fails the check", () => {
  const { verdict, writes } = figures();
  const wrong: readonly Partial<Figures>[] = [
    { verdict: { ...verdict, missing: 1 } },
    { verdict: { ...verdict, orderViolations: 1 } },
    { verdict: { ...verdict, strangers: 1 } },
    { repeated: 1 },
    { flood: latencies(500, 1) },
    { writes: { ...writes, writeP50Ms: 100 } },
  ];
  for (const change of wrong) {
    assert.equal(faultsOf(figures(change), SHORT_PACE).length, 1, JSON.stringify(change));
    assert.equal(resultOf(figures(change), SHORT_PACE).ok, false);
  }
});

test("speed and samples fail a full run only", () => {
  const slow: readonly Partial<Figures>[] = [
    { flood: latencies(601) },
    { quiet: { ...latencies(400), messages: 499 } },
    { writes: { writeP50Ms: 260, writeP99Ms: 300, loopP99Ms: 12 } },
  ];
  for (const change of slow) {
    assert.equal(faultsOf(figures(change), FULL_PACE).length, 1, JSON.stringify(change));
    assert.deepEqual(faultsOf(figures(change), SHORT_PACE), []);
  }
});

test("what waits when a scenario is cut off is no fault", () => {
  const { verdict } = figures();
  const cutOff = { flood: latencies(119_000, 590), verdict: { ...verdict, waiting: 50_000 } };
  const all = figures({ ...cutOff, scenario: "backfill-without-spillway", workedOffSeconds: undefined });
  assert.deepEqual(faultsOf(all, FULL_PACE), []);
  assert.match(consoleTable([all], FULL_PACE), /≥ 119 s +≥ 298 .* 590 +cut off/);
});

test("the page holds its curves and, word for word, its figures", () => {
  const report: Report = {
    takenAt: "2025-01-02T03:04:05.000Z",
    machine: { cpu: "a </script> & more", cores: 2, memoryMiB: 4096, system: "Linux" },
    versions: { spillway: "1" },
    seed: 7,
    pace: SHORT_PACE,
    figures: [figures()],
    ladders: [],
    operations: [],
  };
  const page = reportPage(report);
  assert.deepEqual(reportOf(page), report);
  assert.match(page, /<path class="delivered" d="M[^"]+h0M[^"]+h0"\/>\n<path class="waiting" d="M[^"]+h0"\/>/);
  assert.doesNotMatch(page, /NaN|undefined|a <\/script>/);
  assert.match(page, /A short run/);
});

test("options name scenarios, all of them unless told", () => {
  assert.equal(parseOptions([]).names.length, 5);
  const { names, pace, seed, json } = parseOptions(["backfill-diverted", "--short", "--seed", "7", "--json", "x"]);
  assert.deepEqual([names, pace, seed, json], [["backfill-diverted"], SHORT_PACE, 7, "x"]);
  assert.throws(() => parseOptions(["backfill"]), /no scenario backfill/);
  assert.throws(() => parseOptions(["--seed", "x"]), /--seed takes an integer/);
});

test("who reads what follows from the scenario", () => {
  const without = namesFor(scenarioOf("backfill-without-spillway"));
  assert.deepEqual([without.live.topic, without.live.partitions], [without.hot, 3]);
  const diverted = namesFor(scenarioOf("backfill-diverted"));
  const args = relayArguments(diverted, ["a:1", "b:2"]);
  assert.deepEqual(args.slice(-2), ["--rule", `header backfill -> ${diverted.backfill?.topic}/200`]);
  assert.deepEqual(args.slice(args.indexOf("--partitions"), args.indexOf("--partitions") + 2), ["--partitions", "3"]);
});

test("the database's URL leads through the proxy, with whatever else it says", () => {
  assert.equal(hostOf("mongodb://127.0.0.1:27017/"), "127.0.0.1:27017");
  assert.equal(hostOf("mongodb://u:p@db/x?y=1"), "db:27017");
  assert.throws(() => hostOf("mongodb+srv://db/"), /with a host/);
  assert.equal(throughProxy("mongodb://127.0.0.1:27017/", "p:1"), "mongodb://p:1/?directConnection=true");
  assert.equal(throughProxy("mongodb://u:p@a,b/x?y=1", "p:1"), "mongodb://u:p@p:1/x?y=1&directConnection=true");
});

test("the service's own lines are told from all others", () => {
  assert.deepEqual(parseServiceLine('{"event":"progress","written":3,"duplicates":0}'), {
    ...{ event: "progress", written: 3, duplicates: 0 },
  });
  assert.equal(parseServiceLine('{"level":"ERROR"}'), undefined);
  assert.throws(() => parseServiceLine('{"event":"else"}'));
});

test("each partition has one consumer to itself, or the service isn't ready", () => {
  assert.ok(isOneEach([[2], [0], [1]], 3));
  for (const held of [
    [[0], [1]],
    [[0], [0], [1]],
    [[0, 1], [2], []],
  ])
    assert.ok(!isOneEach(held, 3));
  assert.deepEqual([shares(200, 50), shares(3, 50), shares(51, 50)], [[50, 50, 50, 50], [3], [25, 26]]);
});
