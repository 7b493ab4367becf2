import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BSON } from "mongodb";
import { MAX_DEPTH } from "../../../src/decode/decoded.ts";
import { decodeJson } from "../../../src/decode/json.ts";

function decodedValue(text: string): unknown {
  const decoded = decodeJson(Buffer.from(text));
  assert.equal(decoded.kind, "value", `${text.slice(0, 80)} is poison`);
  return decoded.kind === "value" ? decoded.value : undefined;
}

function poisonOf(bytes: Buffer | string): string {
  const decoded = decodeJson(Buffer.from(bytes as string));
  assert.equal(decoded.kind, "poison", `${String(bytes).slice(0, 80)} is a value`);
  return decoded.kind === "poison" ? decoded.reason : "";
}

test("any JSON value is decoded as JSON.parse does", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 8 }), fc.nat({ max: 4 }), (value, indent) => {
      const text = JSON.stringify(value, null, indent);
      assert.deepEqual(withoutBigints(decodedValue(text)), JSON.parse(text));
    }),
  );
});

/** JSON.parse knows no other integers than numbers. */
function withoutBigints(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(withoutBigints);
  const entries = Object.entries(value).map(([name, of]) => [name, withoutBigints(of)]);
  return Object.fromEntries(entries);
}

test("integers of 64 bits are exact, wherever they stand", () => {
  const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  fc.assert(
    fc.property(int64, fc.string(), (n, pad) => {
      const expected = Number.isSafeInteger(Number(n)) ? Number(n) : n;
      const text = `{"pad":${JSON.stringify(pad.toWellFormed())},"list":[${n}],"n":${n}}`;
      assert.deepEqual(decodedValue(text), { pad: pad.toWellFormed(), list: [expected], n: expected });
    }),
  );
});

test("no integer of sixteen digits or more is overlooked, wherever it stands", () => {
  for (let pad = 0; pad < 40; pad++) {
    assert.deepEqual(decodedValue(`${" ".repeat(pad)}9007199254740993`), 9007199254740993n);
  }
});

test("a 64-bit integer goes into BSON as one", () => {
  const bytes = BSON.serialize({ n: decodedValue("9007199254740993") });
  assert.equal(BSON.deserialize(bytes, { useBigInt64: true })["n"], 9007199254740993n);
});

test("numbers that nothing in BSON can hold are poison, those that a double holds exactly are not", () => {
  assert.equal(poisonOf('{"a":9223372036854775809}'), "number-out-of-range");
  assert.equal(poisonOf('{"a":[1e400]}'), "number-out-of-range");
  assert.equal(poisonOf('{"a":-1E+9999}'), "number-out-of-range");
  assert.equal(poisonOf(`{"a":${"9".repeat(400)}}`), "number-out-of-range");
  assert.deepEqual(
    decodedValue("[100000000000000000000, 1e300, 0.12345678901234567890, 1e-400]"),
    [1e20, 1e300, 0.12345678901234568, 0],
  );
});

test("a number that needs care is found wherever a number can begin, and digits in strings are left alone", () => {
  const before = fc.constantFrom('{"a":', '{"a": ', '{"a":\n\t', '{"a":\r\n', '{"b":1,"a":', '{"b":"]","a":');
  const wrap = fc.constantFrom(["", ""], ["[", "]"], ["[0,", "]"], ["[0, ", "]"], ["[[", "]]"]);
  const pad = fc.stringMatching(/^[0-9a-f]{0,40}$/);
  fc.assert(
    fc.property(before, wrap, pad, fc.boolean(), (start, [open, close], digits, isNegative) => {
      const sign = isNegative ? "-" : "";
      const text = (number: string) => `${start}${open}${sign}${number}${close},"pad":"${digits}"}`;
      for (const number of [
        "1e400",
        "1E+4000",
        "1.5e999",
        "12.25E0400",
        `1${"0".repeat(400)}`,
        "123456789012345678901",
      ]) {
        assert.equal(poisonOf(text(number)), "number-out-of-range", text(number));
      }
      const exact = 9_007_199_254_740_993n;
      const value = decodedValue(text(String(exact))) as { a: unknown; pad: string };
      assert.deepEqual([value.a].flat(3).at(-1), isNegative ? -exact : exact);
      assert.equal(value.pad, digits);
    }),
  );
});

test("a long number inside a string stays a string", () => {
  assert.deepEqual(decodedValue('{"card":"4111111111111111222","n":1}'), { card: "4111111111111111222", n: 1 });
});

test("__proto__ is a name like any other, and pollutes nothing", () => {
  for (const text of ['{"__proto__":{"admin":true},"n":1}', '{"__proto__":{"admin":true},"n":9007199254740993}']) {
    const value = decodedValue(text) as Record<string, unknown>;
    assert.deepEqual(Object.keys(value), ["__proto__", "n"]);
    assert.equal(value["admin"], undefined);
    assert.equal(Object.getPrototypeOf(value), Object.prototype);
    const back = BSON.deserialize(BSON.serialize(value));
    assert.deepEqual(Object.getOwnPropertyDescriptor(back, "__proto__")?.value, { admin: true });
  }
  assert.equal(({} as Record<string, unknown>)["admin"], undefined);
});

test("bytes that aren't UTF-8 are poison, not replaced", () => {
  assert.equal(poisonOf(Buffer.from([0x22, 0xff, 0x22])), "invalid-utf8");
  assert.equal(poisonOf(Buffer.from([0x22, 0xc0, 0xaf, 0x22])), "invalid-utf8");
  assert.equal(poisonOf(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])), "invalid-utf8");
});

test("an escape of half a surrogate pair is poison, a whole pair is not", () => {
  assert.equal(poisonOf('{"a":"\\ud800"}'), "unpaired-surrogate");
  assert.equal(poisonOf('{"\\uDC00":1}'), "unpaired-surrogate");
  assert.deepEqual(decodedValue('{"a":"\\ud83d\\ude00 \\u00e9"}'), { a: "😀 é" });
});

test("what isn't JSON is poison, with a reason", () => {
  for (const text of ["{", "{'a':1}", "NaN", '{"a":NaN}', "undefined", "[1,]", "\u{feff}{}", '"\n"']) {
    assert.equal(poisonOf(text), "invalid-json", text);
  }
  assert.equal(poisonOf(""), "empty");
});

test("nesting is allowed up to the limit and poison beyond it, however deep", () => {
  const nested = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;
  decodedValue(nested(MAX_DEPTH));
  assert.equal(poisonOf(nested(MAX_DEPTH + 1)), "too-deep");
  assert.equal(poisonOf(nested(2_000_000)), "too-deep");
  assert.equal(poisonOf('{"a":'.repeat(1_000_000)), "too-deep");
  const brackets = JSON.stringify('[{"\\'.repeat(500));
  assert.deepEqual(decodedValue(`{"a":${brackets}}`), { a: JSON.parse(brackets) });
});

test("a large value is decoded", () => {
  const text = JSON.stringify({ big: "x".repeat(15_000_000), list: Array.from({ length: 100_000 }, (_, i) => i) });
  assert.deepEqual(decodedValue(text), JSON.parse(text));
});

test("whatever the bytes are, it doesn't throw, and takes nothing that JSON.parse doesn't", () => {
  const likeJson = fc.stringMatching(/^[[\]{}",:0-9eE+\-\\u.adfntr ]{0,60}$/).map((text) => Buffer.from(text));
  const anything = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(fc.oneof(anything, likeJson), (bytes) => {
      const decoded = decodeJson(bytes);
      if (decoded.kind === "value") JSON.parse(bytes.toString("utf8"));
      else if (decoded.reason === "invalid-json") assert.throws(() => JSON.parse(bytes.toString("utf8")));
    }),
    { numRuns: 2_000 },
  );
});
