import assert from "node:assert/strict";
import { test } from "node:test";
import type { Verdict } from "../../../src/demo/ledger.ts";
import { type DemoFigures, isAccountedFor, resultOf, summaryTable } from "../../../src/demo/summary.ts";

const verdict: Verdict = {
  documents: 1_410,
  missing: 0,
  duplicates: 0,
  strangers: 0,
  misnamed: 0,
  orderViolations: 0,
  firstMissing: [],
  firstViolations: [],
  countWritten: () => 1_000,
};
const latency = { messages: 310, undelivered: 0, p50Ms: 120.4, p99Ms: 240.6, maxMs: 260 };
const figures: DemoFigures = {
  database: "FerretDB 1.24.0 (SQLite)",
  produced: 1_000,
  burst: 500,
  burstProducedPerSecond: 90_000,
  relayed: 1_000,
  relayRecordsPerSecond: 80_000.4,
  written: 1_000,
  seconds: 20.004,
  producedForSeconds: 16,
  live: 410,
  quiet: latency,
  flood: { ...latency, messages: 330, p99Ms: 4_000 },
  verdict,
  orderLookups: 1_234,
  sampledKeys: 50,
};

test("the result has exactly the promised fields", () => {
  assert.deepEqual(resultOf(figures), {
    produced: 1_000,
    relayed: 1_000,
    written: 1_000,
    missing: 0,
    duplicates: 0,
    orderViolations: 0,
    seconds: 20,
    relayRecordsPerSecond: 80_000,
    writtenPerSecond: 50,
    liveP99QuietMs: 241,
    liveP99FloodMs: 4_000,
  });
});

test("records are accounted for only if every figure of the verdict is 0", () => {
  assert.equal(isAccountedFor(verdict), true);
  for (const fault of ["missing", "duplicates", "strangers", "misnamed", "orderViolations"] as const) {
    assert.equal(isAccountedFor({ ...verdict, [fault]: 1 }), false, fault);
  }
});

test("the table names the database and every figure", () => {
  const table = summaryTable(figures);
  for (const part of [
    "FerretDB 1.24.0 (SQLite)",
    "1,000",
    "80,000/s",
    "p50 120 ms, p99 241 ms",
    "p99 4000 ms",
    "310 in quiet, 330 in flood",
    "50 keys, 1,234 look-ups",
  ]) {
    assert.ok(table.includes(part), `${part} in\n${table}`);
  }
  assert.doesNotMatch(table, /strangers|misnamed|more than once|kept up/);
});

test("what is out of the ordinary is said", () => {
  assert.match(summaryTable({ ...figures, relayed: 1_007 }), /7 records were relayed more than once/);
  assert.match(summaryTable({ ...figures, seconds: 16.5 }), /Writing kept up with producing/);
  const faulty: Verdict = {
    ...verdict,
    missing: 1,
    strangers: 2,
    misnamed: 3,
    firstMissing: [{ key: "key-7", sequence: 3, id: "topic-0-99" }],
    firstViolations: [{ key: "key-8", present: 5, absent: 4 }],
  };
  const table = summaryTable({ ...figures, verdict: faulty, flood: { ...latency, undelivered: 4 } });
  assert.match(table, /Missing: record 3 of key-7, topic-0-99/);
  assert.match(table, /record 5 of key-8 was there before record 4/);
  assert.match(table, /4 not delivered, counted with their age/);
  assert.match(table, /strangers +2[\s\S]*misnamed +3/);
});
