import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  readVarint,
  readVarlong,
  readVarlongExactly,
  varintSize,
  varlongSize,
  writeVarint,
  writeVarlong,
} from "../../../src/record-batch/varint.ts";

const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

test("a varint is read back, and takes as many bytes as was said", () => {
  fc.assert(
    fc.property(fc.oneof(int32, fc.integer({ min: -70, max: 70 })), (value) => {
      const bytes = Buffer.alloc(8, 0xff);
      const end = writeVarint(bytes, 1, value);
      const out = { end: 0 };
      assert.equal(end - 1, varintSize(value));
      assert.equal(readVarint(bytes, 1, end, out), value);
      assert.equal(out.end, end);
    }),
  );
});

test("a varlong is read back, by number and exactly", () => {
  fc.assert(
    fc.property(fc.oneof(fc.maxSafeInteger(), int32), (value) => {
      const bytes = Buffer.alloc(12, 0xff);
      const end = writeVarlong(bytes, 1, value);
      const out = { end: 0 };
      assert.equal(end - 1, varlongSize(value));
      assert.equal(readVarlong(bytes, 1, end, out), value);
      assert.equal(out.end, end);
      assert.equal(readVarlongExactly(bytes, 1), BigInt(value));
    }),
  );
});

test("any int64 is read exactly, and is never taken for another safe integer", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      const bytes: number[] = [];
      for (let raw = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n)); ; raw >>= 7n) {
        if (raw < 0x80n) {
          bytes.push(Number(raw));
          break;
        }
        bytes.push(Number(raw & 0x7fn) | 0x80);
      }
      const out = { end: 0 };
      const read = readVarlong(Buffer.from(bytes), 0, bytes.length, out);
      assert.equal(out.end, bytes.length);
      assert.equal(readVarlongExactly(Buffer.from(bytes), 0), value);
      if (Number.isSafeInteger(read)) assert.equal(BigInt(read), value);
      else assert.ok(value > 2n ** 53n - 2n || value < -(2n ** 53n) + 2n);
    }),
  );
});

test("a varint that is cut or endless is refused", () => {
  const out = { end: 0 };
  for (const bytes of [Buffer.from([0x80]), Buffer.alloc(0), Buffer.alloc(6, 0x80)]) {
    readVarint(bytes, 0, bytes.length, out);
    assert.equal(out.end, -1);
  }
  for (const bytes of [Buffer.from([0x80]), Buffer.alloc(0), Buffer.alloc(11, 0x80), Buffer.alloc(5, 0xff)]) {
    readVarlong(bytes, 0, bytes.length, out);
    assert.equal(out.end, -1);
  }
});

test("reading stops at the limit though bytes follow", () => {
  const out = { end: 0 };
  readVarint(Buffer.from([0x80, 0x01]), 0, 1, out);
  assert.equal(out.end, -1);
  readVarlong(Buffer.from([0x80, 0x01]), 0, 1, out);
  assert.equal(out.end, -1);
});
