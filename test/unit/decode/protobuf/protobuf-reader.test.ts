import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { MAX_DEPTH, Undecodable } from "../../../../src/decode/decoded.ts";
import { parseSchema } from "../../../../src/decode/registry/parse-schema.ts";
import { double, float, integer, sized, varint, zigzag } from "../encode.ts";
import { reasonOf } from "../reason-of.ts";

function readerOf(schema: string, referenced: readonly string[] = []) {
  const texts = referenced.map((one) => ({ name: "any.proto", type: "PROTOBUF", schema: one, references: [] }));
  return parseSchema({ type: "PROTOBUF", schema, references: [], referenced: texts });
}

/** The indexes of a file's first message. */
const FIRST = Buffer.from([0]);
const WIRE = { varint: 0, fixed64: 1, bytes: 2, start: 3, end: 4, fixed32: 5 } as const;

function field(id: number, wire: keyof typeof WIRE, bytes: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.concat([varint(id * 8 + WIRE[wire]), bytes]);
}

function message(...fields: readonly Buffer[]): Buffer {
  return Buffer.concat([FIRST, ...fields]);
}

function fixed64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, value));
  return bytes;
}

function fixed32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const uint63 = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n });
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const same = (value: unknown): unknown => value;

/** Each scalar type with values, their bytes by hand, and what they become. */
const SCALARS = [
  kind("int64", int64, "varint", varint, integer),
  kind("uint64", uint63, "varint", varint, integer),
  kind("sint64", int64, "varint", zigzag, integer),
  kind("fixed64", uint63, "fixed64", fixed64, integer),
  kind("sfixed64", int64, "fixed64", fixed64, integer),
  kind("int32", fc.integer(), "varint", (value) => varint(value)),
  kind("uint32", uint32, "varint", varint),
  kind("sint32", fc.integer(), "varint", zigzag),
  kind("fixed32", uint32, "fixed32", fixed32),
  kind("sfixed32", fc.integer(), "fixed32", fixed32),
  kind("double", fc.double(), "fixed64", double),
  kind("float", fc.float(), "fixed32", float),
  kind("bool", fc.boolean(), "varint", (value) => varint(value ? 1 : 0)),
  kind("string", fc.string({ unit: "binary" }), "bytes", (value) => sized(value)),
  kind(
    "bytes",
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    "bytes",
    (value) => sized(value),
  ),
];

function kind<T>(
  type: string,
  values: fc.Arbitrary<T>,
  wire: keyof typeof WIRE,
  encode: (value: T) => Buffer,
  decoded: (value: T) => unknown = same,
) {
  return { type, wire, samples: values.map((value) => ({ bytes: encode(value), value: decoded(value) })) };
}

describe("Protobuf", () => {
  for (const { type, wire, samples } of SCALARS) {
    test(`${type} is exact: alone, repeated, packed, in a map, in a oneof`, () => {
      const isPackable = wire !== "bytes";
      const isKey = !["double", "float", "bytes"].includes(type);
      const read = readerOf(`syntax = "proto3"; message M {
        ${type} one = 1; repeated ${type} many = 2; map<int32, ${type}> by_number = 3; optional ${type} maybe = 4;
        oneof choice { ${type} this_one = 5; string that_one = 6; }
        ${isKey ? `map<${type}, bool> keyed = 7;` : ""} }`);
      fc.assert(
        fc.property(fc.array(samples, { minLength: 1, maxLength: 5 }), (all) => {
          const [first] = all as [(typeof all)[0]];
          const packed = field(2, "bytes", sized(Buffer.concat(all.map(({ bytes }) => bytes))));
          const entry = sized(Buffer.concat([field(1, "varint", varint(9)), field(2, wire, first.bytes)]));
          const keyed = sized(Buffer.concat([field(1, wire, first.bytes), field(2, "varint", varint(1))]));
          const decoded = read(
            message(
              field(1, wire, all.at(-1)?.bytes),
              field(1, wire, first.bytes), // the last one counts
              ...all.map(({ bytes }) => field(2, wire, bytes)),
              ...(isPackable ? [packed] : []),
              field(3, "bytes", entry),
              field(4, wire, first.bytes),
              field(6, "bytes", sized("gone")),
              field(5, wire, first.bytes),
              ...(isKey ? [field(7, "bytes", keyed)] : []),
            ),
          );
          const values = all.map(({ value }) => value);
          assert.deepStrictEqual(decoded, {
            one: first.value,
            many: isPackable ? [...values, ...values] : values,
            byNumber: { 9: first.value },
            ...(isKey ? { keyed: Object.fromEntries([[String(first.value), true]]) } : {}),
            maybe: first.value,
            thisOne: first.value,
          });
        }),
        { numRuns: 60 },
      );
    });
  }

  test("what isn't there has its default, unless the schema tells absent from default", () => {
    const proto3 = readerOf(`syntax = "proto3"; enum E { ZERO = 0; }
      message M { int64 n = 1; string s = 2; bool b = 3; bytes y = 4; E e = 5; repeated int32 r = 6; map<string, M> m = 7;
        M inner = 8; optional int32 o = 9; oneof c { int32 x = 10; } double d = 11; }`);
    const defaults = { n: 0, s: "", b: false, y: Buffer.alloc(0), e: "ZERO", r: [], m: {}, d: 0 };
    assert.deepStrictEqual(proto3(FIRST), defaults);
    const proto2 = readerOf(
      'syntax = "proto2"; message M { optional int32 a = 1 [default = 5]; repeated int32 r = 2; }',
    );
    assert.deepStrictEqual(proto2(FIRST), { r: [] });
  });

  test("enums are their names, and numbers where the schema has none", () => {
    const read = readerOf(
      'syntax = "proto3"; enum First { A = 0; B = 7; } message M { First e = 1; repeated First r = 2; }',
    );
    const packed = field(2, "bytes", sized(Buffer.concat([varint(7), varint(9), varint(-1)])));
    assert.deepEqual(read(message(field(1, "varint", varint(7)), packed)), { e: "B", r: ["B", 9, -1] });
  });

  test("parts of a message add up, and fields that the schema doesn't know are passed over", () => {
    const read = readerOf('syntax = "proto3"; message M { optional int32 a = 1; optional int32 b = 2; M inner = 3; }');
    const unknown = [
      field(100, "varint", varint(-1)),
      field(101, "fixed64", Buffer.alloc(8)),
      field(102, "fixed32", Buffer.alloc(4)),
      field(103, "bytes", sized("?")),
      Buffer.concat([field(104, "start"), field(1, "varint", varint(1)), field(104, "end")]),
    ];
    const inner = (id: number) => field(3, "bytes", sized(field(id, "varint", varint(id))));
    assert.deepEqual(read(message(...unknown, inner(1), inner(2))), { inner: { a: 1, b: 2 } });
  });

  test("groups, required fields, several packages, nested messages and well-known types", () => {
    const proto2 = readerOf(
      'syntax = "proto2"; message M { required int32 a = 1; optional group G = 2 { optional int32 x = 1; } }',
    );
    const group = Buffer.concat([field(2, "start"), field(1, "varint", varint(5)), field(2, "end")]);
    assert.deepEqual(proto2(message(field(1, "varint", varint(1)), group)), { a: 1, g: { x: 5 } });
    assert.equal(reasonOf(proto2, message(group)), "schema-mismatch");
    assert.equal(reasonOf(proto2, message(group.subarray(0, -1))), "truncated");

    const other = 'syntax = "proto3"; package b; message Other { double d = 1; }';
    const read = readerOf(
      `syntax = "proto3"; package a.x; import "other.proto"; import "google/protobuf/timestamp.proto";
       // message Decoy { }
       message M { b.Other other = 1; google.protobuf.Timestamp at = 2; message In { int32 i = 1; message Deeper {} } }
       message Second { string s = 1; }`,
      [other],
    );
    const at = field(2, "bytes", sized(field(1, "varint", varint(12))));
    const decoded = read(message(field(1, "bytes", sized(field(1, "fixed64", double(-0.5)))), at));
    assert.deepEqual(decoded, { other: { d: -0.5 }, at: { seconds: 12, nanos: 0 } });

    const at1 = (...indexes: readonly number[]) => Buffer.concat([zigzag(indexes.length), ...indexes.map(zigzag)]);
    assert.deepEqual(read(Buffer.concat([at1(1), field(1, "bytes", sized("2nd"))])), { s: "2nd" });
    assert.deepEqual(read(Buffer.concat([at1(0, 0), field(1, "varint", varint(3))])), { i: 3 });
    assert.deepEqual(read(at1(0, 0, 0)), {});
    for (const nowhere of [at1(2), at1(0, 1), at1(1, 0), at1(-1), at1(2 ** 40)]) {
      assert.equal(reasonOf(read, nowhere), "schema-mismatch");
    }
  });

  test("a map's key __proto__ is a key like any other", () => {
    const read = readerOf('syntax = "proto3"; message M { map<string, int32> m = 1; }');
    const entry = sized(Buffer.concat([field(1, "bytes", sized("__proto__")), field(2, "varint", varint(7))]));
    const { m } = read(message(field(1, "bytes", entry))) as { m: object };
    assert.equal(Object.getPrototypeOf(m), Object.prototype);
    assert.equal(Object.getOwnPropertyDescriptor(m, "__proto__")?.value, 7);
  });
});

describe("hostile Protobuf", () => {
  const read = readerOf(`syntax = "proto3";
    message M { uint64 u = 1; string s = 2; M inner = 3; repeated M many = 4; repeated int32 packed = 5; map<int32, M> m = 6; }`);
  const nested = (levels: number): Buffer => {
    let bytes: Buffer = Buffer.alloc(0);
    for (let i = 1; i < levels; i++) bytes = field(3, "bytes", sized(bytes));
    return message(bytes);
  };
  const BOMBS: Record<string, readonly [bytes: Buffer, reason: string]> = {
    "no bytes, not even indexes": [Buffer.alloc(0), "truncated"],
    "2^40 indexes": [zigzag(2 ** 40), "schema-mismatch"],
    "-1 indexes": [zigzag(-1), "schema-mismatch"],
    "more indexes than bytes": [zigzag(60), "truncated"],
    "an unsigned integer beyond 63 bits": [message(field(1, "varint", varint(2n ** 63n))), "number-out-of-range"],
    "a string that isn't UTF-8": [message(field(2, "bytes", sized(Buffer.from([0xff])))), "invalid-utf8"],
    "a string of 2^62 bytes": [message(field(2, "bytes", varint(2n ** 62n))), "truncated"],
    "a message longer than what holds it": [
      message(field(3, "bytes", Buffer.from([2, 0x1a, 5, 0, 0, 0]))),
      "truncated",
    ],
    "a packed field that ends in the middle": [message(field(5, "bytes", sized(Buffer.from([1, 0x80])))), "truncated"],
    "a field 0": [message(Buffer.from([0, 0])), "schema-mismatch"],
    "wire type 7": [message(Buffer.from([15, 0])), "schema-mismatch"],
    "a field of another wire type": [message(field(2, "varint", varint(1))), "schema-mismatch"],
    "the end of a group that never began": [message(field(9, "end")), "schema-mismatch"],
    "a varint without an end": [message(field(1, "varint", Buffer.alloc(100, 0x80))), "schema-mismatch"],
    "nested too deep": [nested(MAX_DEPTH + 1), "too-deep"],
    "100,000 groups in each other": [message(Buffer.concat(Array(100_000).fill(field(9, "start")))), "too-deep"],
  };
  for (const [what, [bytes, reason]] of Object.entries(BOMBS)) {
    test(`${what}: ${reason}`, () => assert.equal(reasonOf(read, bytes), reason));
  }

  test("as deep as may be", () => void read(nested(MAX_DEPTH)));

  test("small messages with very many defaults", () => {
    const fields = Array.from({ length: 2_000 }, (_, i) => `int32 f${i} = ${i + 2};`).join(" ");
    const wide = readerOf(`syntax = "proto3"; message M { repeated M many = 1; ${fields} }`);
    assert.equal(reasonOf(wide, message(...Array(10_000).fill(field(1, "bytes", sized(""))))), "too-many-values");
  });

  test("bytes at random end in a value or in poison, soon", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        try {
          read(message(Buffer.from(bytes)));
        } catch (error) {
          assert.ok(error instanceof Undecodable, String(error));
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test("files without a message, and files that aren't Protobuf, can't be read by", () => {
    const wrong = ['syntax = "proto3"; enum E { A = 0; }', "message M { no.such.Type t = 1; }", "message", "{}", ""];
    for (const schema of wrong) assert.throws(() => readerOf(schema), Error, schema);
  });
});
