import assert from "node:assert/strict";
import { test } from "node:test";
import { Undecodable } from "../../../src/decode/decoded.ts";
import { parseSchema } from "../../../src/decode/registry/parse-schema.ts";

function readerOf(schema: unknown, referenced: Readonly<Record<string, unknown>> = {}) {
  const others = Object.entries(referenced).map(([name, one]) => {
    return { name, type: "JSON", schema: JSON.stringify(one), references: [] };
  });
  const read = parseSchema({ type: "JSON", schema: JSON.stringify(schema), references: [], referenced: others });
  return (text: string) => read(Buffer.from(text));
}

const ORDER = {
  $schema: "http://json-schema.org/draft-07/schema#",
  type: "object",
  properties: { n: { type: "integer", minimum: 1 }, at: { type: "string", format: "date-time" } },
  required: ["n"],
  javaType: "an.Order",
};

test("what fits is as exact as without a schema", () => {
  const read = readerOf(ORDER);
  const decoded = read('{"n":9007199254740993,"__proto__":{"deep":[18014398509481985]}}') as Record<string, unknown>;
  assert.equal(decoded["n"], 9007199254740993n);
  assert.deepEqual(Object.getOwnPropertyDescriptor(decoded, "__proto__")?.value, { deep: [18014398509481985n] });
});

test("what doesn't fit is poison, and so is what isn't JSON", () => {
  const read = readerOf(ORDER);
  const isPoison = (reason: string, message: RegExp) => (error: unknown) =>
    error instanceof Undecodable && error.reason === reason && message.test(error.message);
  assert.throws(() => read("{}"), isPoison("schema-mismatch", /required property 'n'/));
  assert.throws(() => read('{"n":0}'), isPoison("schema-mismatch", /\/n must be >= 1/));
  assert.throws(() => read('{"n":1.5}'), isPoison("schema-mismatch", /\/n must be integer/));
  assert.throws(() => read("{"), isPoison("invalid-json", /./));
  assert.throws(() => read(""), isPoison("empty", /./));
  assert.throws(() => read("[".repeat(1_000)), isPoison("too-deep", /./));
});

test("an integer beyond 2^53 is checked as the integer it is", () => {
  const read = readerOf({ not: { properties: { n: { type: "integer" } }, required: ["n"] } });
  assert.throws(() => read('{"n":9007199254740993}'), Undecodable);
});

test("schemas refer to others by the reference's name, or by their own $id", () => {
  const named = readerOf({ properties: { a: { $ref: "address.json" } } }, { "address.json": { type: "string" } });
  assert.deepEqual(named('{"a":"x"}'), { a: "x" });
  assert.throws(() => named('{"a":1}'), Undecodable);
  const other = { $id: "http://example.com/address", type: "string" };
  const byId = readerOf({ properties: { a: { $ref: "http://example.com/address" } } }, { address: other });
  assert.throws(() => byId('{"a":1}'), Undecodable);
});

test("a later draft is checked by what it shares with draft 7", () => {
  const read = readerOf({ $schema: "https://json-schema.org/draft/2020-12/schema", type: "array", prefixItems: [{}] });
  assert.deepEqual(read("[1]"), [1]);
  assert.throws(() => read("1"), Undecodable);
});

test("what is no schema can't be read by", () => {
  for (const wrong of [{ type: "nothing" }, { $ref: "nowhere.json" }, { properties: 1 }]) {
    assert.throws(() => readerOf(wrong), Error, JSON.stringify(wrong));
  }
});
