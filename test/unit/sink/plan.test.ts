import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { jsonDecoder } from "../../../src/decode/decoder.ts";
import { insertModel } from "../../../src/sink/models/insert.ts";
import { latestModel } from "../../../src/sink/models/latest.ts";
import { mapModel } from "../../../src/sink/models/map.ts";
import type { Latest } from "../../../src/sink/operations.ts";
import { operationsOf, type Pending, planBatch, settle, type Task } from "../../../src/sink/plan.ts";
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

test("an ordered batch says what depends on what: operations of one key, and of one record", () => {
  const model = mapModel(
    () => "c",
    () => ["x", "y"].map((part) => ({ kind: "insert", document: {}, part }) as const),
  );
  const keys = ["a", "b", null, "a", null];
  const pending = planBatch(inFlight(keys), { decoder: jsonDecoder, model }).pending.get("c") as Pending;
  const orderedBy = operationsOf(pending).map((operation) => operation.orderedBy);
  const [a, , b, , none, , , , other] = orderedBy;
  assert.deepEqual(orderedBy, [a, a, b, b, none, none, a, a, other, other]);
  assert.equal(new Set([a, b, none, other]).size, 4);
  const free = operationsOf(pendingOf(inFlight(["a", "b"])));
  assert.ok(free.every((operation) => operation.orderedBy === undefined));
});

test("every operation goes exactly one way; what is tried again keeps its key's order, and failed keys come last", () => {
  const step = fc.record({ outcome: OUTCOME, key: fc.nat({ max: 40 }) });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 50, size: "max" }), (steps) => {
      const outcomes = steps.map(({ outcome }) => outcome);
      const records = inFlight(steps.map(({ key }) => `k${key}`));
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
      const stuck = new Set(steps.flatMap(({ outcome, key }) => (outcome.kind === "transient" ? [key] : [])));
      const rank = (i: number) => (stuck.has(steps[i]?.key as number) ? 1 : 0);
      assert.deepEqual(
        again,
        again.toSorted((a, b) => rank(a) - rank(b) || a - b),
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

/** Records of one partition as `latest` plans them: key, and whether the database will take it. */
const STATES = fc.array(fc.record({ key: fc.constantFrom("a", "b", "c"), good: fc.boolean() }), {
  minLength: 1,
  maxLength: 20,
  size: "max",
});

test("of several states of a key the newest is written, and if that is a data error the next older one", () => {
  const planning = { decoder: jsonDecoder, model: latestModel(() => "c", "value") };
  fc.assert(
    fc.property(STATES, (states) => {
      const records = inFlight(states.map(({ key }) => key));
      const isGood = (record: InFlightRecord) => states[records.indexOf(record)]?.good === true;
      let pending = planBatch(records, planning).pending.get("c") as Pending;
      assert.equal(pending.ordered, false);
      const [written, replaced, dead]: InFlightRecord[][] = [[], [], []];
      for (let attempts = 0; pending.tasks.length > 0; attempts++) {
        assert.ok(attempts <= states.length);
        const ids = pending.tasks.map(({ operation }) => (operation as Latest).id);
        assert.equal(new Set(ids).size, ids.length, "two states of a key side by side");
        const outcomes = pending.tasks.map(({ work }): Outcome => {
          return isGood(work.record) ? WRITTEN : { kind: "data-error", code: "c", message: "m" };
        });
        const settled = settle(pending, outcomes);
        written?.push(...settled.written);
        replaced?.push(...settled.replaced);
        dead?.push(...settled.dead.map(({ record }) => record));
        pending = settled.pending;
      }
      for (const key of new Set(states.map((state) => state.key))) {
        const ofKey = records.filter((_, i) => states[i]?.key === key);
        const newest = ofKey.findLast(isGood);
        assert.deepEqual(
          written?.filter((record) => ofKey.includes(record)),
          newest === undefined ? [] : [newest],
        );
        const [behind, before] =
          newest === undefined
            ? [ofKey, []]
            : [ofKey.slice(ofKey.indexOf(newest) + 1), ofKey.slice(0, ofKey.indexOf(newest))];
        assert.deepEqual(new Set(dead?.filter((record) => ofKey.includes(record))), new Set(behind));
        assert.deepEqual(new Set(replaced?.filter((record) => ofKey.includes(record))), new Set(before));
      }
    }),
  );
});

test("a version field decides, not the order in the topic; of equals the first", () => {
  const versions = [3, 7, 7, 5];
  const topic = new MemoryTopic([versions.map((version, i) => numbered("k", i, { version }))]);
  const progress = new Progress(topic.positions(), { inFlightRecords: 1e6, inFlightBytes: 1e9 }, newSinkStats());
  const records = [...progress.read(topic.fetched(0, 0, topic.partitions[0] ?? []))].flat();
  const model = latestModel(() => "c", "value", ["version"]);
  const { tasks } = planBatch(records, { decoder: jsonDecoder, model }).pending.get("c") as Pending;
  assert.equal(tasks.length, 1);
  const offsets = [tasks[0] as Task, ...(tasks[0] as Task).replaced].map(({ work }) => work.record.record.offset);
  assert.deepEqual([offsets[0], offsets[3]], [1n, 0n]);
  assert.deepEqual(offsets.slice(1, 3).toSorted(), [2n, 3n]);
});

test("a record of several operations is done when all are, and none of it is tried once it is a dead letter", () => {
  const model = mapModel(
    () => "c",
    () => ["x", "y"].map((part) => ({ kind: "insert", document: {}, part }) as const),
  );
  const [record] = inFlight(["k"]);
  const pending = planBatch([record as InFlightRecord], { decoder: jsonDecoder, model }).pending.get("c") as Pending;
  assert.equal(pending.ordered, true);
  const first = settle(pending, [WRITTEN, { kind: "transient", message: "away" }]);
  assert.deepEqual(first.written, []);
  assert.deepEqual(settle(first.pending, [WRITTEN]).written, [record]);

  const again = planBatch([record as InFlightRecord], { decoder: jsonDecoder, model }).pending.get("c") as Pending;
  const dead = settle(again, [{ kind: "data-error", code: "c", message: "m" }, NOT_ATTEMPTED]);
  assert.deepEqual([dead.dead.length, dead.pending.tasks.length, dead.written.length], [1, 0, 0]);
});

test("a record for which there is nothing to do is done", () => {
  const records = inFlight(["a", "b"]);
  const plan = planBatch(records, { decoder: jsonDecoder, model: () => [] });
  assert.deepEqual([plan.nothing, plan.pending.size, plan.dead.length], [records, 0, 0]);
});
