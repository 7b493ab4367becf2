import assert from "node:assert/strict";
import { test } from "node:test";
import { type KeyState, keyText } from "../../../src/dead-letter/parked-key.ts";
import type { KafkaRecord } from "../../../src/record-batch/records.ts";
import { ParkedSet, Poisoned, parkBehind, type Standing } from "../../../src/sink/parking.ts";
import type { Task } from "../../../src/sink/plan.ts";
import { detached, type InFlightRecord } from "../../../src/sink/progress.ts";

const TOPIC_ID = "AAAAAAAAAAAAAAAAAAAAAQ";

function item(key: string | null, offset: number, topicId = TOPIC_ID): InFlightRecord {
  const record: KafkaRecord = {
    ...{ topic: "t", partition: 0, offset: BigInt(offset), timestamp: 0n, value: null, headers: [], origin: undefined },
    key: key === null ? null : Buffer.from(key),
  };
  return detached(record, topicId);
}

function parked(from: bigint): KeyState {
  return {
    ...{ state: "parked", topicId: TOPIC_ID, from, letters: { topic: "t.dead-letter", partition: 0, offset: 0n } },
    ...{ origin: "", code: "", redrives: 0, since: "", failedAt: "" },
  };
}

test("a parked key's records stand by their offsets: before it, behind it, redriven, new", () => {
  const set = new ParkedSet();
  const id = keyText("t", 0, Buffer.from("k"));
  const standings = (...offsets: number[]): Standing[] => offsets.map((offset) => set.standingOf(item("k", offset)));
  assert.deepEqual(standings(0, 9), ["flows", "flows"]);
  set.set(id, parked(5n));
  assert.equal(set.parked, 1);
  assert.deepEqual(standings(4, 5, 6), ["flows", "parked", "parked"]);
  assert.deepEqual([set.standingOf(item("other", 6)), set.standingOf(item(null, 6))], ["flows", "flows"]);
  assert.equal(set.standingOf(item("k", 6, "AAAAAAAAAAAAAAAAAAAAAg")), "flows", "of a topic made anew");
  set.set(id, { state: "open", topicId: TOPIC_ID, from: 5n, through: 7n });
  assert.equal(set.parked, 0);
  assert.deepEqual(standings(4, 5, 7, 8), ["flows", "settled", "settled", "flows"]);
  assert.deepEqual(set.behind("t", 0, 7n), []);
  assert.deepEqual([set.behind("t", 0, 8n), set.behind("t", 1, 8n)], [[id], []]);
  set.set(id, undefined);
  assert.deepEqual(standings(6), ["flows"]);
});

function task(offset: number, replaced: readonly Task[] = []): Task {
  const work = { record: item("k", offset), open: 1, dead: false, attempts: 0 };
  return { operation: { kind: "delete", filter: {}, bytes: 0 }, work, replaced };
}

test("what lies behind a data error of its key is parked; a task hands over to an older state that may be written", () => {
  const poisoned = new Poisoned();
  poisoned.add(item("k", 9));
  poisoned.add(item("k", 5));
  poisoned.add(item(null, 0));
  const [first, third] = [task(3), task(4)];
  const behind = task(8, [task(7), third, first]);
  const { pending, dead } = parkBehind({ tasks: [behind, task(6)], ordered: true }, poisoned);
  assert.deepEqual(
    dead.map(({ record }) => Number(record.record.offset)),
    [8, 7, 6],
  );
  assert.ok(dead.every(({ reason, attempts }) => reason.code === "parked" && attempts === 0));
  assert.equal(pending.tasks.length, 1);
  assert.deepEqual([pending.tasks[0]?.work, pending.tasks[0]?.replaced], [third.work, [first]]);
  assert.equal(poisoned.isBefore(item(null, 9).record), false);
});
