import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { describeMembers } from "../../../src/handover/checks.ts";
import { OldestUnread } from "../../../src/handover/oldest-unread.ts";
import { furthestBehind } from "../../../src/handover/readers.ts";

const TOPIC_ID = "AAAAAAAAAAAAAAAAAAAAAQ";
const begin = { topic: "wide", topicId: TOPIC_ID, partition: 1, offset: 10n };

test("the reader that is furthest behind counts; one without a commit is at the beginning", () => {
  const committed = (offsets: Readonly<Record<string, bigint | undefined>>) =>
    new Map(
      Object.entries(offsets).map(([group, offset]) => [group, new Map(offset === undefined ? [] : [[1, offset]])]),
    );
  assert.deepEqual(furthestBehind(begin, committed({})), { offset: 10n, group: undefined });
  assert.deepEqual(furthestBehind(begin, committed({ a: 30n, b: 20n })), { offset: 20n, group: "b" });
  assert.deepEqual(furthestBehind(begin, committed({ a: 30n, b: undefined })), { offset: 10n, group: "b" });
  assert.throws(() => furthestBehind(begin, committed({ a: 30n, b: 9n })), {
    code: "NOT_DRAINED",
    message: /Retention has deleted offsets up to 10 that group b has not committed/,
  });
});

test("the oldest unread record is kept of each partition, whatever their order", () => {
  const origins = fc.array(fc.record({ partition: fc.nat(4), offset: fc.bigInt(0n, 10_000n) }));
  fc.assert(
    fc.property(origins, (all) => {
      const oldest = new OldestUnread(TOPIC_ID);
      for (const origin of all) {
        oldest.add({ topic: "wide", partition: 0, offset: 0n, origin: { topicId: TOPIC_ID, ...origin } });
      }
      assert.equal(oldest.records, all.length);
      for (const [partition, ofPartition] of Map.groupBy(all, (origin) => origin.partition)) {
        const smallest = ofPartition.map(({ offset }) => offset).reduce((a, b) => (a < b ? a : b));
        assert.equal(oldest.offsets.get(partition), smallest);
      }
      assert.equal(oldest.offsets.size, new Set(all.map(({ partition }) => partition)).size);
    }),
  );
});

test("a record that can't be traced back is refused with its place", () => {
  const oldest = new OldestUnread(TOPIC_ID);
  const place = { topic: "wide", partition: 2, offset: 5n };
  assert.throws(() => oldest.add({ ...place, origin: undefined }), {
    code: "TOPIC_MISMATCH",
    message: /says nothing of its origin.*\(topic wide, partition 2, offset 5\)/,
  });
  const origin = { topicId: "AAAAAAAAAAAAAAAAAAAAAg", partition: 0, offset: 0n };
  assert.throws(() => oldest.add({ ...place, origin }), { code: "TOPIC_MISMATCH", message: /from another topic/ });
});

test("members are told by client and host, and many of them are counted", () => {
  const one = { clientId: "prices", host: "10.0.0.7" };
  assert.equal(describeMembers([one]), "a member: prices at 10.0.0.7");
  const many = Array.from({ length: 7 }, (_, i) => ({ clientId: `c${i}`, host: "h" }));
  assert.equal(
    describeMembers([one, one, ...many]),
    "9 members: prices at 10.0.0.7 (2), c0 at h, c1 at h, c2 at h, c3 at h, 3 other clients",
  );
});
