import assert from "node:assert/strict";
import { test } from "node:test";
import { parseUntil } from "../../../src/config/until.ts";

test("an end is now, a time, or offsets", () => {
  assert.deepEqual(parseUntil("now"), { kind: "now" });
  assert.deepEqual(parseUntil("2026-11-22T01:00:00Z"), { kind: "time", at: Date.UTC(2026, 10, 22, 1) });
  const ends = new Map([
    [0, 1200n],
    [12, 9_007_199_254_740_993n],
  ]);
  assert.deepEqual(parseUntil("0:1200,12:9007199254740993"), { kind: "offsets", ends });
  for (const wrong of ["", "later", "0:", "0:1,", "12", "2026-13-40"])
    assert.equal(parseUntil(wrong), undefined, wrong);
});
