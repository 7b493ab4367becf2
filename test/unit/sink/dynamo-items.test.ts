import assert from "node:assert/strict";
import { test } from "node:test";
import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import fc from "fast-check";
import { decodeJson } from "../../../src/decode/json.ts";
import { foundIn, type Item, MAX_ITEM_BYTES, toItem } from "../../../src/sink/targets/dynamo-items.ts";

function itemOf(document: Record<string, unknown>, key = "id"): Item {
  const made = toItem(document, "x", key);
  assert.ok(made.kind === "item", JSON.stringify(made));
  return made.item;
}

function codeOf(document: Record<string, unknown>, id = "x"): string | undefined {
  const made = toItem(document, id, "id");
  return made.kind === "unfit" ? made.code : undefined;
}

/** What an application would read: written apart from what is tested. */
function read(value: AttributeValue): unknown {
  if (value.S !== undefined) return value.S;
  if (value.N !== undefined) return /^-?\d+$/.test(value.N) ? BigInt(value.N) : Number(value.N);
  if (value.BOOL !== undefined) return value.BOOL;
  if (value.NULL !== undefined) return null;
  if (value.B !== undefined) return Buffer.from(value.B);
  if (value.L !== undefined) return value.L.map(read);
  assert.ok(value.M !== undefined);
  return Object.fromEntries(Object.entries(value.M).map(([name, one]) => [name, read(one)]));
}

/** Whole numbers as bigints of the digits that JavaScript prints, whatever they were; -0 is 0. */
function exact(value: unknown): unknown {
  if (typeof value === "number" && /^-?\d+$/.test(String(value))) return BigInt(String(value));
  if (Array.isArray(value)) return value.map(exact);
  if (typeof value !== "object" || value === null || Buffer.isBuffer(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, exact(one)]));
}

const text = fc.string({ unit: "grapheme" });
const name = fc.oneof(text, fc.constantFrom("", "a.b", "$c", "constructor", "L")).filter((one) => one !== "__proto__");
const fitting = fc
  .double({ noNaN: true, noDefaultInfinity: true })
  .filter((value) => value === 0 || (Math.abs(value) >= 1e-130 && Math.abs(value) < 1e126));
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: "small" },
    text,
    fitting,
    fc.integer(),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n }),
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    fc.array(tie("any"), { maxLength: 4 }),
    fc.dictionary(name, tie("any"), { maxKeys: 4, noNullPrototype: true }),
  ),
})).any;

test("what is written is what was sent, exactly", () => {
  fc.assert(
    fc.property(
      fc.dictionary(
        name.filter((one) => one !== "id" && one !== "_id"),
        value,
        { maxKeys: 5, noNullPrototype: true },
      ),
      (document) => {
        const item = itemOf({ ...document, _id: "x" });
        assert.deepEqual(read({ M: item }), exact({ id: "x", ...document }));
      },
    ),
  );
});

test("64-bit integers of JSON keep all their digits, and doubles theirs", () => {
  const json = '{"a":9007199254740993,"b":-9223372036854775808,"c":1e22,"d":0.1,"e":1.7e-100,"f":-0,"g":123456789012}';
  const decoded = decodeJson(Buffer.from(json));
  assert.ok(decoded.kind === "value");
  const { id: _, ...item } = itemOf(decoded.value as Record<string, unknown>);
  assert.deepEqual(
    Object.values(item).map(({ N }) => N),
    ["9007199254740993", "-9223372036854775808", "1e+22", "0.1", "1.7e-100", "0", "123456789012"],
  );
});

test("dates become text that sorts by time", () => {
  assert.deepEqual(itemOf({ at: new Date(0) })["at"], { S: "1970-01-01T00:00:00.000Z" });
  assert.equal(codeOf({ at: new Date(Number.NaN) }), "invalid-date");
});

test("what DynamoDB has nothing for is the record's fault, wherever it stands", () => {
  const wrong: [unknown, string][] = [
    [Number.NaN, "number-out-of-range"],
    [Number.POSITIVE_INFINITY, "number-out-of-range"],
    [1e126, "number-out-of-range"],
    [1e-131, "number-out-of-range"],
    [10n ** 38n + 1n, "number-out-of-range"],
    [undefined, "unsupported-type"],
    [() => 1, "unsupported-type"],
    [new Map(), "unsupported-type"],
    [new Set([1]), "unsupported-type"],
    ["\ud800", "unpaired-surrogate"],
    [JSON.parse('{"__proto__":1}'), "reserved-name"],
  ];
  for (const [one, code] of wrong) {
    assert.equal(codeOf({ one }), code);
    assert.equal(codeOf({ deep: [{ one }] }), code);
  }
  assert.equal(codeOf(JSON.parse('{"__proto__":1}')), "reserved-name");
  assert.equal(codeOf({ n: 10n ** 37n * 123n }), undefined); // 40 digits, of which three count
});

test("32 levels are as deep as an item goes", () => {
  const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);
  assert.equal(codeOf({ nested: nested(32) }), undefined);
  assert.equal(codeOf({ nested: nested(33) }), "too-deep");
});

test("the key is the id; a field of that name may only say the same", () => {
  assert.deepEqual(itemOf({ _id: "x", id: "x", n: 1 }), { id: { S: "x" }, n: { N: "1" } });
  assert.deepEqual(itemOf({ _id: "x", id: "y" }, "_id"), { _id: { S: "x" }, id: { S: "y" } });
  assert.equal(codeOf({ id: "other" }), "has-own-key");
  assert.equal(codeOf({}, ""), "key-empty");
  assert.equal(codeOf({}, "é".repeat(1024)), undefined);
  assert.equal(codeOf({}, "é".repeat(1025)), "key-too-large");
});

test("an item is as large as DynamoDB's rule says", () => {
  const bytes = (document: Record<string, unknown>) => {
    const made = toItem(document, "x", "id");
    assert.ok(made.kind === "item");
    return made.bytes - 3; // the key
  };
  // https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
  assert.equal(bytes({ é: "é" }), 4);
  assert.equal(bytes({ n: 12345 }), 1 + 4);
  assert.equal(bytes({ n: -1200n }), 1 + 2);
  assert.equal(bytes({ n: 1.5e-7 }), 1 + 2);
  assert.equal(bytes({ b: true, n: null }), 4);
  assert.equal(bytes({ b: Buffer.alloc(9) }), 10);
  assert.equal(bytes({ l: ["ab", "c"] }), 1 + 3 + 2 + 3);
  assert.equal(bytes({ m: { ab: "c" } }), 1 + 3 + 1 + 3);
  const room = MAX_ITEM_BYTES - 3 - 1;
  assert.equal(codeOf({ t: "x".repeat(room) }), undefined);
  assert.equal(codeOf({ t: "x".repeat(room + 1) }), "item-too-large");
});

test("the version is read back exactly, and only where there is one", () => {
  const version = { source: "s", order: 2n ** 60n + 1n };
  assert.deepEqual(foundIn(itemOf({ _spillway: version })), { version });
  assert.deepEqual(foundIn(itemOf({ _spillway: { source: "s", order: 1.5 } }))?.version?.order, 1.5);
  assert.deepEqual(foundIn(itemOf({ _spillway: { source: "s", order: "a" } }))?.version?.order, "a");
  assert.deepEqual(foundIn(itemOf({ n: 1 })), { version: undefined });
  assert.equal(foundIn(undefined), undefined);
});
