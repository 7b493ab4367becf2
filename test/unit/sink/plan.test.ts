import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { jsonDecoder } from "../../../src/decode/decoder.ts";
import { insertModel } from "../../../src/sink/models/insert.ts";
import { type Pending, planBatch, settle } from "../../../src/sink/plan.ts";
import { type InFlightRecord, Progress } from "../../../src/sink/progress.ts";
import { newSinkStats } from "../../../src/sink/stats.ts";
import { ALREADY_WRITTEN, NOT_ATTEMPTED, type Outcome, WRITTEN } from "../../../src/sink/target.ts";
import { MemoryTopic, numbered } from "./memory.ts";

/** Records as they come from a partition. */
function inFlight(keys: readonly (string | null)[]): readonly InFlightRecord[] {
  const topic = new MemoryTopic([keys.map((key, i) => numbered(key, i))]);
  const bounds = { inFlightRecords: 1e6, inFlightBytes: 1e9 };
  const progress = new Progress(topic.positions(), bounds, newSinkStats());
  return [...progress.read(topic.fetched(0, 0, topic.partitions[0] ?? []))].flat();
}

const PLANNING = { decoder: jsonDecoder, model: insertModel(() => "c", "value") };

function pendingOf(records: readonly InFlightRecord[]): Pending {
  return planBatch(records, PLANNING).pending.get("c") as Pending;
}

const OUTCOME = fc.constantFrom<Outcome>(
  WRITTEN,
  ALREADY_WRITTEN,
  NOT_ATTEMPTED,
  { kind: "data-error", code: "c", message: "m" },
  { kind: "transient", message: "away" },
);

test("a batch is ordered exactly where a key repeats; null keys depend on nothing", () => {
  const keys = fc.array(fc.option(fc.constantFrom("a", "b", "c", "d", "e", "f", "g")), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(keys, (given) => {
      const pending = pendingOf(inFlight(given));
      const named = given.filter((key) => key !== null);
      assert.equal(pending.ordered, new Set(named).size < named.length);
    }),
  );
});

test("every operation goes exactly one way, and what is tried again keeps its order", () => {
  fc.assert(
    fc.property(fc.array(OUTCOME, { minLength: 1, maxLength: 50 }), (outcomes) => {
      const records = inFlight(outcomes.map((_, i) => `k${i}`));
      const pending = pendingOf(records);
      if (outcomes.every(({ kind }) => kind === "not-attempted")) {
        assert.throws(() => settle(pending, outcomes), RangeError);
        return;
      }
      const settled = settle(pending, outcomes);
      const dead = settled.dead.map(({ record }) => record);
      const left = settled.pending.tasks.map(({ work }) => work.record);
      const ways = [settled.written, settled.alreadyWritten, dead, left];
      assert.deepEqual(new Set(ways.flat()), new Set(records));
      assert.equal(ways.flat().length, records.length);
      const again = left.map((record) => records.indexOf(record));
      assert.deepEqual(
        again,
        again.toSorted((a, b) => a - b),
      );
      for (const [i, record] of left.entries()) {
        assert.equal(settled.pending.tasks[i], pending.tasks[records.indexOf(record)]);
      }
      assert.equal(
        settled.outage !== undefined,
        outcomes.some(({ kind }) => kind === "transient"),
      );
    }),
  );
});

test("a target must answer for each operation", () => {
  const pending = pendingOf(inFlight(["a", "b"]));
  assert.throws(() => settle(pending, [WRITTEN]), RangeError);
});
