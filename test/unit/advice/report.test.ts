import assert from "node:assert/strict";
import { test } from "node:test";
import { adviceText } from "../../../src/advice/advice-text.ts";
import { adviceReport } from "../../../src/advice/report.ts";
import { DEFAULTS, factsOf, type Truth } from "./group-double.ts";

const FLOOD: Truth = {
  ...{ fixedMs: 100, perRecordMs: 0.1, arrivalPerSecond: 500, waiting: 1_000_000, bytesPerRecord: 200, hotShare: 0.5 },
};
const naming = (setting: string) => ({ flag: `--${setting}`, environment: `SPILLWAY_${setting}` });

test("the settings stand once each, in both forms, ready to be pasted", () => {
  const report = adviceReport(factsOf({ ...DEFAULTS, batchRecords: 10, commitIntervalMs: 10 }, FLOOD), naming);
  assert.deepEqual(
    report.changes.map(({ setting, from, to }) => [setting, from, to]),
    [
      ["batchRecords", 10, 4_000],
      ["commitIntervalMs", 10, 1_000],
    ],
  );
  const text = adviceText(report);
  assert.match(text, /^As flags: +--batchRecords 4000 --commitIntervalMs 1000$/m);
  assert.match(text, /^As environment: +SPILLWAY_batchRecords=4000 SPILLWAY_commitIntervalMs=1000$/m);
  assert.match(text, /^BATCH_SMALL {2}--batchRecords 10 → 4000$/m);
  assert.match(text, /^ {2}Expected: records\/s at most: [\d,.]+ → [\d,.]+ to [\d,.]+$/m);
});

test("where nothing is to be changed there is nothing to paste, and keys can't write to a terminal", () => {
  const facts = factsOf(DEFAULTS, FLOOD);
  const hotKeys = [{ key: "a\u001b[2Jb\nc", share: 0.5 }];
  const text = adviceText(adviceReport({ ...facts, sample: { records: 1_000, bytesPerRecord: 200, hotKeys } }, naming));
  assert.match(text, /HOT_KEY/);
  assert.ok(!text.includes("As flags") && !text.includes("\u001b"), text);
});
