import assert from "node:assert/strict";
import { test } from "node:test";
import { Findings, isProven, newGapCounts, type VerifyReport } from "../../../src/verify/report.ts";
import { reportTable } from "../../../src/verify/report-table.ts";

const PROVEN: VerifyReport = {
  sources: ["hot"],
  targets: ["wide", "aside"],
  method: "provenance",
  methods: { wide: "provenance", aside: "none" },
  sourceRecords: 1_234,
  dropped: 0,
  targetRecords: 1_300,
  missing: 0,
  duplicated: 0,
  outOfOrder: 0,
  wrongPartition: 0,
  foreign: 0,
  outlived: 60,
  later: 6,
  orderUnchecked: 0,
  gaps: { ...newGapCounts(), markers: 7, retention: 60 },
  examples: { missing: [], duplicated: [], outOfOrder: [], wrongPartition: [], foreign: [] },
  seconds: 1.25,
};

test("proven is what has no fault and no gap without a reason", () => {
  assert.ok(isProven(PROVEN));
  for (const kind of ["missing", "duplicated", "outOfOrder", "wrongPartition", "foreign", "orderUnchecked"] as const) {
    assert.ok(!isProven({ ...PROVEN, [kind]: 1 }), kind);
  }
  assert.ok(!isProven({ ...PROVEN, gaps: { ...newGapCounts(), unexplained: 1 } }));
});

test("the table has every figure that says something, and the examples", () => {
  const table = reportTable(PROVEN);
  assert.match(table, /source records +1,234 {2}hot\n/);
  assert.match(table, /target records +1,300 {2}wide, aside, matched by provenance\n/);
  assert.match(table, /missing +0 /);
  assert.match(table, /gap: markers +7 /);
  assert.doesNotMatch(table, /aborted/);
  assert.match(table, /All records are accounted for: 1\.3 s\.$/);
  const missing = [{ topic: "hot", partition: 2, offset: 17 }];
  const bad = reportTable({ ...PROVEN, missing: 1, examples: { ...PROVEN.examples, missing } });
  assert.match(bad, /\nmissing: hot\/2 at 17\nRECORDS ARE UNACCOUNTED FOR/);
});

test("only the first few of a kind are kept, and all are counted", () => {
  const findings = new Findings();
  for (let offset = 0; offset < 100; offset++) {
    findings.add("foreign", () => ({ topic: "wide", partition: 0, offset }));
  }
  assert.equal(findings.counts.foreign, 100);
  assert.deepEqual(
    findings.examples.foreign.map(({ offset }) => offset),
    [0, 1, 2, 3, 4],
  );
});
