import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import * as codec from "../../../src/kafka/protocol/codec.ts";
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from "../../../src/kafka/protocol/consumer-protocol.ts";

const message = codec.struct({
  small: codec.int8,
  flag: codec.bool,
  id: codec.uuid,
  big: codec.int64,
  text: codec.nullableString,
  list: codec.array(codec.struct({ number: codec.int32, data: codec.nullableBytes })),
  none: codec.nullableArray(codec.int16),
});

function write(value: codec.ValueOf<typeof message>): Buffer {
  const to = new codec.ProtocolWriter();
  message.write(to, value);
  return Buffer.concat(to.finish());
}

test("what is written is read back, however large", () => {
  const arbitrary = fc.record(
    {
      small: fc.integer({ min: -128, max: 127 }),
      flag: fc.boolean(),
      id: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString("base64url")),
      big: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      text: fc.option(fc.string({ maxLength: 300, unit: "grapheme" })),
      list: fc.array(
        fc.record(
          { number: fc.integer(), data: fc.option(fc.nat(20_000).map((length) => Buffer.alloc(length, length))) },
          { noNullPrototype: true },
        ),
        { maxLength: 5 },
      ),
      none: fc.option(fc.array(fc.integer({ min: -32768, max: 32767 }), { maxLength: 200, size: "max" })),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(arbitrary, (value) => {
      const written = write(value);
      const from = new codec.ProtocolReader(written);
      assert.deepEqual(message.read(from), value);
      assert.equal(from.at, written.length);
    }),
  );
});

test("a response that ends too early is an error wherever it ends", () => {
  const value = {
    small: 1,
    flag: true,
    id: codec.ZERO_UUID,
    big: 5n,
    text: "text",
    list: [{ number: 1, data: Buffer.from("x") }],
    none: [7],
  };
  const written = write(value);
  for (let length = 0; length < written.length; length++) {
    assert.throws(() => message.read(new codec.ProtocolReader(written.subarray(0, length))), RangeError);
  }
});

test("tagged fields are skipped, but for those that are named", () => {
  const named = codec.struct({ a: codec.int8 }, { b: { tag: 3, codec: codec.int16 } });
  const bytes = Buffer.from([7, 2, 1, 2, 0xff, 0xff, 3, 2, 0x01, 0x02]);
  assert.deepEqual(named.read(new codec.ProtocolReader(bytes)), { a: 7, b: 0x0102 });
  assert.deepEqual(codec.struct({ a: codec.int8 }).read(new codec.ProtocolReader(bytes)), { a: 7 });
});

test("null where there must be something is an error", () => {
  assert.throws(() => codec.string.read(new codec.ProtocolReader(Buffer.from([0]))), RangeError);
});

test("subscriptions and assignments are read back, and those of older clients are understood", () => {
  const owned = [{ topic: "hot", partitions: [0, 2] }];
  const subscription = { topics: ["hot", "тема"], owned, ownedIn: 12 };
  assert.deepEqual(decodeSubscription(encodeSubscription(subscription)), subscription);
  assert.deepEqual(decodeAssignment(encodeAssignment(owned)), owned);
  assert.deepEqual(decodeAssignment(Buffer.alloc(0)), []);
  const version0 = Buffer.from([0, 0, 0, 0, 0, 1, 0, 1, 0x61, 0xff, 0xff, 0xff, 0xff]);
  assert.deepEqual(decodeSubscription(version0), { topics: ["a"], owned: [], ownedIn: -1 });
});
