import assert from "node:assert/strict";
import { test } from "node:test";
import {
  failed,
  type QueuedBatch,
  sequenceAfter,
  TargetPartitions,
  type Written,
} from "../../../src/kafka/target-partition.ts";

function queued(sequence: number): QueuedBatch {
  const batch = { bytes: Buffer.alloc(100), recordCount: 3 };
  return { batch, round: 0, sequence, attempts: 1, deadlineAt: 1e9, written: Promise.withResolvers<Written>() };
}

test("after a wrong answer the leader is looked for anew, and the batch stays first with the sequence it was sent with", () => {
  const target = new TargetPartitions().get("wide", 3);
  target.leader = 2;
  target.queue.push(queued(41), queued(-1));
  failed(target, { trouble: "NOT_LEADER_OR_FOLLOWER (6)", retryAt: 17, keepLeader: false });
  assert.equal(target.leader, -1, "whoever was asked may not lead it any more");
  assert.deepEqual([target.retryAt, target.trouble], [17, "NOT_LEADER_OR_FOLLOWER (6)"]);
  assert.deepEqual(
    target.queue.map(({ sequence }) => sequence),
    [41, -1],
  );
});

test("a leader that asks to wait is asked again", () => {
  const target = new TargetPartitions().get("wide", 3);
  target.leader = 2;
  target.queue.push(queued(0));
  failed(target, { trouble: "CONCURRENT_TRANSACTIONS (51)", retryAt: 17, keepLeader: true });
  assert.equal(target.leader, 2);
});

test("partitions are the same object each time they are asked for, and all are gone through", () => {
  const targets = new TargetPartitions();
  const made = [targets.get("a", 0), targets.get("b", 0), targets.get("a", 1)];
  assert.equal(targets.get("a", 1), made[2]);
  assert.deepEqual(new Set(targets), new Set(made));
});

test("sequences count records, and go on at 0 behind the largest int32", () => {
  assert.equal(sequenceAfter(0, 500), 500);
  assert.equal(sequenceAfter(2 ** 31 - 2, 1), 2 ** 31 - 1);
  assert.equal(sequenceAfter(2 ** 31 - 1, 1), 0);
  // Kafka's DefaultRecordBatch.incrementSequence: increment - (MAX - sequence) - 1
  assert.equal(sequenceAfter(2 ** 31 - 3, 5), 2);
});
