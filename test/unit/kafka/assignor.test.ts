import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type AssignorMember, assignPartitions } from "../../../src/kafka/assignor.ts";

const TOPICS = ["a", "b", "c"];
const counts = fc
  .tuple(fc.nat(12), fc.nat(12), fc.nat(12))
  .map((numbers) => new Map(TOPICS.map((topic, i) => [topic, numbers[i] ?? 0])));
const ids = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,4}$/), { minLength: 1, maxLength: 8 });

function member(id: string, topics = TOPICS, owned: AssignorMember["owned"] = [], ownedIn = -1): AssignorMember {
  return { id, topics, owned, ownedIn };
}

function moved(
  before: ReadonlyMap<string, AssignorMember["owned"]>,
  after: ReadonlyMap<string, AssignorMember["owned"]>,
): number {
  const owner = new Map(
    [...before].flatMap(([id, slots]) => slots.map((slot) => [`${slot.topic}/${slot.partition}`, id])),
  );
  return [...after].flatMap(([id, slots]) =>
    slots.filter((slot) => owner.get(`${slot.topic}/${slot.partition}`) !== id),
  ).length;
}

test("every partition of a subscribed topic gets one member that subscribes to it", () => {
  const subscriptions = fc.array(fc.subarray(TOPICS), { minLength: 8, maxLength: 8 });
  fc.assert(
    fc.property(ids, subscriptions, counts, (members, topics, partitions) => {
      const group = members.map((id, i) => member(id, topics[i]));
      const assigned = assignPartitions(group, partitions);
      const given = [...assigned].flatMap(([id, slots]) => {
        const own = group.find((candidate) => candidate.id === id)?.topics ?? [];
        return slots.map(({ topic, partition }) => {
          assert.ok(own.includes(topic));
          return `${topic}/${partition}`;
        });
      });
      const subscribed = TOPICS.filter((topic) => group.some(({ topics }) => topics.includes(topic)));
      const wanted = subscribed.flatMap((topic) =>
        Array.from({ length: partitions.get(topic) ?? 0 }, (_, i) => `${topic}/${i}`),
      );
      assert.deepEqual(given.toSorted(), wanted.toSorted());
    }),
  );
});

test("members with the same topics get equal shares, give or take one", () => {
  fc.assert(
    fc.property(ids, counts, (members, partitions) => {
      const sizes = [
        ...assignPartitions(
          members.map((id) => member(id)),
          partitions,
        ).values(),
      ].map((slots) => slots.length);
      assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1);
    }),
  );
});

test("when a member comes or goes, no more partitions move than must, and shares stay equal", () => {
  fc.assert(
    fc.property(ids, counts, fc.boolean(), (members, partitions, leaves) => {
      const before = assignPartitions(
        members.map((id) => member(id)),
        partitions,
      );
      const stay = leaves && members.length > 1 ? members.slice(1) : members;
      const come = leaves ? [] : ["newcomer"];
      const after = assignPartitions(
        [...stay.map((id) => member(id, TOPICS, before.get(id), 1)), ...come.map((id) => member(id))],
        partitions,
      );
      const sizes = [...after.values()].map((slots) => slots.length);
      assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1);
      const must =
        leaves && members.length > 1
          ? (before.get(members[0] as string)?.length ?? 0)
          : (after.get("newcomer")?.length ?? 0);
      assert.equal(moved(before, after), must);
    }),
  );
});

test("of two that claim a partition, the one of the later generation keeps it", () => {
  const slot = [{ topic: "a", partition: 0 }];
  const partitions = new Map([["a", 1]]);
  const assigned = assignPartitions([member("old", ["a"], slot, 3), member("new", ["a"], slot, 4)], partitions);
  assert.equal(assigned.get("new")?.length, 1);
});

test("members that subscribe to nothing there is get nothing, and nobody is no error", () => {
  assert.deepEqual(assignPartitions([member("x", ["zzz"])], new Map()).get("x"), []);
  assert.equal(assignPartitions([], new Map([["a", 3]])).size, 0);
});
