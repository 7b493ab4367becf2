import assert from "node:assert/strict";
import { test } from "node:test";
import { runBombs, runCases } from "../../fuzz/run.ts";
import { seeds } from "../../helpers/seeds.ts";

/** A slice of `node test/fuzz/record-batch.ts`, which runs a million cases. */
const CASES = 2_000;

for (const seed of seeds(1)) {
  test(`hostile batches end in BATCH_CORRUPT, and soon (seed ${seed})`, async (t) => {
    const { refused, records } = await runCases({ seed, from: 0, cases: CASES });
    t.diagnostic(`${refused} of ${CASES} refused, ${records} records read; SPILLWAY_SEED=${seed}`);
    // Inputs that are all refused at their first byte, or never, would test nothing.
    assert.ok(refused > CASES / 4 && refused < CASES);
    assert.ok(records > CASES / 4);
  });
}

test("bombs take no more time than they may, and are read or refused", async () => {
  await runBombs(256 * 1024);
});
