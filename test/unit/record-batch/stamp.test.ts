import assert from "node:assert/strict";
import { test } from "node:test";
import { readBatches } from "../../../src/record-batch/batch.ts";
import { stampBatch } from "../../../src/record-batch/batch-builder.ts";
import { batchOf } from "../../helpers/batches.ts";

test("a batch of a transaction says so, under its CRC, however often it is stamped", () => {
  const bytes = batchOf([{ key: null, value: Buffer.from("a"), timestamp: 1 }]);
  for (const sequence of [7, 8]) {
    stampBatch({ bytes }, { producerId: 5n, epoch: 3, sequence, transactional: true });
    const fetched = { topic: "t", partition: 0, fetchOffset: 0n, batches: bytes, abortedTransactions: [] };
    const [batch] = [...readBatches(fetched)];
    assert.deepEqual([batch?.transactional, batch?.producerId], [true, 5n]);
    const aborted = [{ producerId: 5n, firstOffset: 0n }];
    assert.deepEqual([...readBatches({ ...fetched, abortedTransactions: aborted })], [], "so its abort takes it back");
  }
});

test("a batch of none does not", () => {
  const bytes = batchOf([{ key: null, value: Buffer.from("a"), timestamp: 1 }]);
  stampBatch({ bytes }, { producerId: 5n, epoch: 3, sequence: 0 });
  const [batch] = [
    ...readBatches({ topic: "t", partition: 0, fetchOffset: 0n, batches: bytes, abortedTransactions: [] }),
  ];
  assert.equal(batch?.transactional, false);
});
