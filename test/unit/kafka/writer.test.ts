import assert from "node:assert/strict";
import { test } from "node:test";
import { sequenceAfter } from "../../../src/kafka/writer.ts";

test("sequences count records, and go on at 0 behind the largest int32", () => {
  assert.equal(sequenceAfter(0, 500), 500);
  assert.equal(sequenceAfter(2 ** 31 - 2, 1), 2 ** 31 - 1);
  assert.equal(sequenceAfter(2 ** 31 - 1, 1), 0);
  // Kafka's DefaultRecordBatch.incrementSequence: increment - (MAX - sequence) - 1
  assert.equal(sequenceAfter(2 ** 31 - 3, 5), 2);
});
