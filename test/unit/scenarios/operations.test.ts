import assert from "node:assert/strict";
import { test } from "node:test";
import { OPERATION_NAMES } from "../../../scenarios/operations/catalog.ts";
import {
  type OperationFigures,
  type OwnFigures,
  operationCells,
  operationFaults,
  operationResult,
} from "../../../scenarios/operations/figures.ts";
import { parseOptions } from "../../../scenarios/options.ts";
import { reportOf, reportPage } from "../../../scenarios/report/html.ts";

const outage = { scenario: "database-outage", awaySeconds: 60, waiting: 12_300, writtenWhileAway: 0 } as const;
const scale = {
  scenario: "scale-out",
  waiting: 3_000,
  writtenBefore: 80,
  writtenAfter: 240,
  sharedSeconds: 2,
} as const;
const OWN = {
  steady: { scenario: "steady-state" },
  outage: { ...outage, rebalances: 0, caughtUpSeconds: 6.5 },
  crash: { scenario: "relay-crash", kills: 5, waiting: 2_000, caughtUpSeconds: 3 },
  scale: { ...scale, caughtUpSeconds: 30, fellWhileLoaded: true, partitions: [4, 4, 4] },
} as const satisfies Readonly<Record<string, OwnFigures>>;

function figures(own: OwnFigures, changes: Partial<OperationFigures> = {}): OperationFigures {
  return {
    own,
    database: "FerretDB",
    live: { messages: 900, undelivered: 0, p50Ms: 120.4, p99Ms: 260.6, maxMs: 300 },
    backlog: [
      [0, 0],
      [1, 12_300],
    ],
    relayed: { records: 1_000, missing: 0, duplicated: 0, outOfOrder: 0, wrongPartition: 0, isProven: true },
    deadLetters: 0,
    verdict: { documents: 1_000, missing: 0, waiting: 0, duplicates: 0, orderViolations: 0, strangers: 0 },
    isFull: true,
    ...changes,
  };
}

test("what went well has no fault, and its result holds the scenario's own figures", () => {
  for (const own of Object.values(OWN)) assert.deepEqual(operationFaults(figures(own)), []);
  const { relayed } = figures(OWN.outage);
  assert.deepEqual(operationResult(figures(OWN.outage)), {
    ...OWN.outage,
    ...{ ok: true, messages: 1_000, liveP50Ms: 120, liveP99Ms: 261, relayed },
    ...{ deadLetters: 0, missing: 0, duplicates: 0, orderViolations: 0 },
  });
});

test("each thing that isn't as it should be fails the check, in every scenario", () => {
  const { verdict, live, relayed } = figures(OWN.steady);
  const wrong: readonly Partial<OperationFigures>[] = [
    { verdict: { ...verdict, missing: 1 } },
    { verdict: { ...verdict, duplicates: 1 } },
    { verdict: { ...verdict, orderViolations: 1 } },
    { verdict: { ...verdict, strangers: 1 } },
    { deadLetters: 1 },
    { live: { ...live, undelivered: 1 } },
    { relayed: { ...relayed, isProven: false } },
  ];
  for (const own of Object.values(OWN)) {
    for (const change of wrong) {
      assert.equal(operationFaults(figures(own, change)).length, 1, JSON.stringify(change));
      assert.equal(operationResult(figures(own, change)).ok, false);
    }
  }
});

test("a scenario in which nothing happened fails", () => {
  const idle: readonly OwnFigures[] = [
    { ...OWN.outage, waiting: 0 },
    { ...OWN.outage, writtenWhileAway: 3 },
    { ...OWN.outage, rebalances: 1 },
    { ...OWN.crash, waiting: 0 },
    { ...OWN.scale, partitions: [12, 0, 0] },
    { ...OWN.scale, partitions: [12] },
    { ...OWN.scale, fellWhileLoaded: false },
  ];
  for (const own of idle) assert.equal(operationFaults(figures(own)).length, 1, JSON.stringify(own));
  // How fast it is, a short run doesn't tell.
  assert.deepEqual(operationFaults(figures({ ...OWN.scale, fellWhileLoaded: false }, { isFull: false })), []);
});

test("they run on compose, beside those of the flood", () => {
  assert.deepEqual(parseOptions(["--compose", ...OPERATION_NAMES]).operations, [...OPERATION_NAMES]);
  assert.deepEqual(parseOptions(["backfill-diverted"]).operations, []);
  assert.throws(() => parseOptions(["--compose", "scale-out", "crypto-ladder"]), /--compose is for .*scale-out/);
});

test("the page tells what happened, draws what waited, and names what is wrong", () => {
  const operations = [figures(OWN.outage, { deadLetters: 7 }), figures(OWN.scale)];
  const page = reportPage({
    ...{ takenAt: "2025-01-02T03:04:05.000Z", versions: {}, seed: 1, figures: [], ladders: [], operations },
    machine: { cpu: "", cores: 2, memoryMiB: 1, system: "" },
    pace: { warmupMs: 1, quietMs: 1, floodMs: 1, isFull: true },
  });
  const told = [
    "away for 60 s, 12300 waiting then; caught up in 6.5 s",
    "database-outage: 7 messages are dead letters",
  ];
  for (const words of [...told, "3 sinks 240/s", '<path class="backlog" d="M60.0 156.0L586.0 28.0"']) {
    assert.ok(page.includes(words), words);
  }
  assert.deepEqual(reportOf(page).operations, operations);
  assert.deepEqual(operationCells(figures(OWN.crash)).slice(0, 4), ["relay-crash", "1000", "120 ms", "261 ms"]);
});
