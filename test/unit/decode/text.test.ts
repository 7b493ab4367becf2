import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesDecoder, stringDecoder } from "../../../src/decode/decoder.ts";

test("a string is its text, and poison where it isn't UTF-8", () => {
  for (const text of ["", "é😀\0", "\uFFFD", "\uFEFFbom"]) {
    assert.deepEqual(stringDecoder.decode(Buffer.from(text)), { kind: "value", value: text });
  }
  for (const bytes of [[0xff], [0xed, 0xa0, 0x80], [0x61, 0xc3]]) {
    const decoded = stringDecoder.decode(Buffer.from(bytes));
    assert.equal(decoded.kind === "poison" && decoded.reason, "invalid-utf8");
  }
});

test("bytes are what they are", () => {
  const bytes = Buffer.from([0, 0xff, 0x80]);
  assert.deepEqual(bytesDecoder.decode(bytes), { kind: "value", value: bytes });
});
