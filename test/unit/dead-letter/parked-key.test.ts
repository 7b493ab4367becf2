import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  formatRequest,
  formatState,
  isOfGroup,
  isParkedKey,
  type KeyState,
  parkedAmong,
  parseControlKey,
  parseRequest,
  parseState,
  requestKey,
  stateKey,
} from "../../../src/dead-letter/parked-key.ts";

const OFFSET = fc.bigInt({ min: 0n, max: 2n ** 62n });
const PLAIN = { noNullPrototype: true } as const;
const NAME = fc.record(
  {
    group: fc.string({ minLength: 1 }),
    topic: fc.string({ minLength: 1 }),
    partition: fc.nat(),
    key: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  },
  PLAIN,
);
const STATE: fc.Arbitrary<KeyState> = fc.oneof(
  fc.record({ state: fc.constant("open" as const), topicId: fc.string(), from: OFFSET, through: OFFSET }, PLAIN),
  fc.record(
    {
      ...{ state: fc.constant("parked" as const), topicId: fc.string(), from: OFFSET, redrives: fc.nat() },
      letters: fc.record({ topic: fc.string(), partition: fc.nat(), offset: OFFSET }, PLAIN),
      ...{ origin: fc.string(), code: fc.string(), since: fc.string(), failedAt: fc.string() },
    },
    PLAIN,
  ),
);

test("names and states come back from the control topic as they went there, whatever bytes a key holds", () => {
  fc.assert(
    fc.property(NAME, STATE, (name, state) => {
      assert.deepEqual(parseControlKey(stateKey(name)), { kind: "state", name });
      assert.deepEqual(parseControlKey(requestKey(name)), { kind: "request", name });
      assert.ok(isOfGroup(name.group)(stateKey(name)) && isOfGroup(name.group)(requestKey(name)));
      assert.ok(!isOfGroup(`${name.group}-`)(stateKey(name)));
      assert.deepEqual([isParkedKey(stateKey(name)), isParkedKey(requestKey(name))], [true, false]);
      assert.deepEqual(parseState(formatState(state)), state);
    }),
  );
  const request = { id: "a", without: ["orders-0-1"] };
  assert.deepEqual(parseRequest(formatRequest(request)), request);
});

test("what is none is none: of other parts of Spillway, of newer ones, and tombstones", () => {
  for (const key of [
    "relay-job:g:t",
    "parked-key:",
    "parked-key:[1]",
    'parked-key:["g","t","0","a"]',
    "parked-key:{}",
  ]) {
    assert.equal(parseControlKey(key), undefined, key);
  }
  for (const value of [
    undefined,
    "",
    "null",
    "{",
    "1",
    '{"state":"parked"}',
    '{"state":"new","topicId":"a","from":"1"}',
  ]) {
    assert.equal(parseState(value), undefined, value);
    assert.equal(parseRequest(value), undefined, value);
  }
});

test("of the entries of a key the latest counts", () => {
  const name = { group: "g", topic: "t", partition: 0, key: Buffer.from("k") };
  const parked: KeyState = {
    ...{ state: "parked", topicId: "id", from: 1n, letters: { topic: "t.dead-letter", partition: 0, offset: 5n } },
    ...{ origin: "o", code: "c", redrives: 0, since: "", failedAt: "" },
  };
  const open: KeyState = { state: "open", topicId: "id", from: 1n, through: 2n };
  const [key, other] = [stateKey(name), stateKey({ ...name, partition: 1 })];
  const entries = [
    { key, value: formatState(open) },
    { key: other, value: formatState(parked) },
    { key, value: formatState(parked) },
    { key: requestKey(name), value: formatRequest({ id: "r", without: [] }) },
  ];
  assert.deepEqual(
    parkedAmong(entries)
      .map((one) => one.name.partition)
      .toSorted(),
    [0, 1],
  );
  assert.deepEqual(parkedAmong([...entries, { key, value: undefined }, { key: other, value: formatState(open) }]), []);
});
