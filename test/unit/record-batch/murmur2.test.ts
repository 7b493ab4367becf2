import assert from "node:assert/strict";
import { test } from "node:test";
import { murmur2, partitionForKey } from "../../../src/record-batch/murmur2.ts";

// From Kafka's own UtilsTest.testMurmur2 (Apache Kafka, clients/src/test/.../UtilsTest.java).
const CASES: readonly (readonly [string, number])[] = [
  ["21", -973932308],
  ["foobar", -790332482],
  ["a-little-bit-long-string", -985981536],
  ["a-little-bit-longer-string", -1486304829],
  ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
  ["abc", 479470107],
];

test("murmur2 is that of Kafka's Java client", () => {
  for (const [text, hash] of CASES) {
    const bytes = Buffer.from(text);
    assert.equal(murmur2(bytes, 0, bytes.length), hash, text);
  }
});

test("the hash is of the bytes where they lie", () => {
  const bytes = Buffer.from("xxfoobarxx");
  assert.equal(murmur2(bytes, 2, 8), -790332482);
});

test("a negative hash still gives a partition", () => {
  const bytes = Buffer.from("21");
  assert.equal(partitionForKey(bytes, 0, 2, 24), (-973932308 & 0x7fffffff) % 24);
});
