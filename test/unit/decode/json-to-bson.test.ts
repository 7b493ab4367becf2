import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BSON } from "mongodb";
import { decodeJson } from "../../../src/decode/json.ts";
import { JsonToBson } from "../../../src/decode/json-to-bson.ts";

const ID = "VnJsTa3dRkGd0eKo_AbcdQ-1-42";
const transcoder = new JsonToBson();

/** What the driver makes of the parsed value; undefined where that is none to insert as it is. */
function expected(json: Buffer): Buffer | undefined {
  const decoded = decodeJson(json);
  if (decoded.kind === "poison") return undefined;
  const { value } = decoded;
  if (typeof value !== "object" || value === null || Array.isArray(value) || "_id" in value) return undefined;
  return Buffer.from(BSON.serialize({ _id: ID, ...value }));
}

/** Taken or not: what is taken must be right. */
function check(json: Buffer): boolean {
  const made = transcoder.document(json, ID);
  if (made === undefined) return false;
  assert.deepEqual(made, expected(json), json.toString());
  return true;
}

function taken(text: string): boolean {
  return check(Buffer.from(text));
}

test("what is plain is taken, and becomes what the driver would have made of it", () => {
  for (const text of [
    "{}",
    ' \n\t\r{ "a" : 1 , "b" : [ ] , "c" : { } } ',
    '{"a":0,"b":-0,"c":-1,"d":2147483647,"e":2147483648,"f":-2147483648,"g":-2147483649,"h":999999999999999}',
    '{"a":0.1,"b":-0.0,"c":1.0,"d":123456.789,"e":0.30000000000000004,"f":-12345678901.2345678,"g":100.50}',
    '{"a":true,"b":false,"c":null,"d":[true,false,null,[],{},[[1],{"x":[2]}]]}',
    String.raw`{"a":"\"\\\/\b\f\n\r\t","b":"","c":"ä€😀","ä":"name"}`,
    '{"__proto__":{"a":1},"constructor":2,"$set":3,"a.b":4,"":5,"_id2":6,"__v":7}',
    '{"a":{"_id":1}}',
    `{"a":[${Array.from({ length: 120 }, (_, i) => i).join()}]}`,
    `{"a":"${"x".repeat(16_000)}"}`,
    `{"a":[${"1,".repeat(8_000)}1]}`,
    `${'{"a":'.repeat(31)}{}${"}".repeat(31)}`,
  ]) {
    assert.ok(taken(text), text);
  }
});

test("what is not plain is left to the parser", () => {
  for (const text of [
    ...[
      "",
      " ",
      "1",
      "[]",
      "null",
      '"a"',
      "{",
      '{"a"',
      '{"a":',
      '{"a":1',
      '{"a":1,',
      '{"a":1,}',
      "{,}",
      "{}x",
      "{}{}",
      "}",
    ],
    ...['{"a":01}', '{"a":-}', '{"a":1.}', '{"a":.5}', '{"a":+1}', '{"a":1e3}', '{"a":1E3}', '{"a":0x1}', '{"a":-01}'],
    ...['{"a":1234567890123456}', '{"a":9007199254740993.5}', '{"a":NaN}', '{"a":tru}', '{"a":nul}', '{"a":truex}'],
    ...[
      '{"a":[1,]}',
      '{"a":[,1]}',
      '{"a":[1 2]}',
      '{"a" 1}',
      "{a:1}",
      "{'a':1}",
      '{"a":"\n"}',
      '{"a":"\\x"}',
      '{"a":"',
    ],
    ...['{"a":1,"a":2}', '{"b":{"a":1,"a":2}}', '{"_id":1}', '{"_bsontype":"ObjectId"}', '{"a":{"_bsontype":1}}'],
    ...[
      '{"1":1}',
      String.raw`{"a":"\u0000"}`,
      String.raw`{"\u0061":1}`,
      String.raw`{"a\n":1}`,
      '{"a":"\\',
      '{"a\u0000":1}',
    ],
    `{${Array.from({ length: 65 }, (_, i) => `"n${i}":1`).join()}}`,
    `{"a":"${"x".repeat(17_000)}"}`,
    `${'{"a":'.repeat(32)}{}${"}".repeat(32)}`,
    "\ufeff{}",
  ]) {
    assert.equal(transcoder.document(Buffer.from(text), ID), undefined, text);
  }
  assert.equal(
    transcoder.document(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), ID),
    undefined,
    "not UTF-8",
  );
});

test("whatever it takes of all that is JSON is right, and that is not little", () => {
  let count = 0;
  const name = fc.oneof(fc.string({ maxLength: 8 }), fc.string({ unit: "grapheme", maxLength: 4 }), fc.constant("_id"));
  const values = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: "small" },
      ...[fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" }), fc.integer(), fc.maxSafeInteger()],
      ...[fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.constant(null)],
      fc.array(tie("value"), { maxLength: 12 }),
      fc.dictionary(name, tie("value")),
    ),
  }));
  const runs = 2_000;
  fc.assert(
    fc.property(fc.dictionary(name, values.value), fc.constantFrom(undefined, 0, 1, "\t"), (value, space) => {
      if (taken(JSON.stringify(value, undefined, space))) count++;
    }),
    { numRuns: runs },
  );
  assert.ok(count > runs / 10, `${count} of ${runs} were taken`);
});

test("decimal fractions become the nearest double, as by a parser", () => {
  const digits = (max: number) => fc.string({ unit: fc.constantFrom(..."0123456789"), minLength: 1, maxLength: max });
  fc.assert(
    fc.property(fc.boolean(), fc.maxSafeNat(), digits(25), (isNegative, whole, behindPoint) => {
      taken(`{"a":${isNegative ? "-" : ""}${whole % 1e6}.${behindPoint}}`);
      taken(`{"a":${isNegative ? "-" : ""}${whole}.${behindPoint}}`);
    }),
    { numRuns: 2_000 },
  );
});

test("a text that was damaged is never taken for another", () => {
  const text = '{"id":"a1","n":-12.5,"s":"x\\n\\"y","l":[1,true,{"k":null}],"o":{"p":0.25,"q":[]}}';
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(fc.nat(text.length), fc.nat(2), fc.constantFrom(...'{}[]",:\\0123.-+eE tfn_u', "\n", "\u0000", "ä")),
        {
          minLength: 1,
          maxLength: 4,
        },
      ),
      (edits) => {
        let damaged = text;
        for (const [at, removed, added] of edits) damaged = damaged.slice(0, at) + added + damaged.slice(at + removed);
        taken(damaged);
        check(Buffer.from(damaged).subarray(0, edits[0]?.[0]));
      },
    ),
    { numRuns: 5_000 },
  );
});

test("documents lie one behind the other, also where one between them was not taken, and stay as they are", () => {
  const own = new JsonToBson();
  const texts = Array.from({ length: 3_000 }, (_, i) => Buffer.from(`{"n":${i},"text":"${"x".repeat(i % 900)}"}`));
  const documents = texts.map((text, i) => {
    if (i % 7 === 0) assert.equal(own.document(Buffer.from('{"n":1e5}'), ID), undefined);
    return own.document(text, ID) as Buffer;
  });
  let neighbours = 0;
  for (const [i, document] of documents.entries()) {
    assert.deepEqual(document, expected(texts[i] as Buffer));
    const before = documents[i - 1];
    if (before?.buffer === document.buffer && before.byteOffset + before.length === document.byteOffset) neighbours++;
  }
  assert.ok(neighbours > 2_900, `${neighbours} neighbours`);
});
