import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { BSON } from "mongodb";
import { MAX_DEPTH, Undecodable } from "../../../../src/decode/decoded.ts";
import { parseSchema } from "../../../../src/decode/registry/parse-schema.ts";
import { double, float, integer, sized, zigzag } from "../encode.ts";
import { reasonOf } from "../reason-of.ts";

function readerOf(schema: unknown, referenced: readonly unknown[] = []) {
  const texts = referenced.map((one) => ({
    name: "any",
    type: "AVRO",
    schema: JSON.stringify(one),
    references: [],
  }));
  return parseSchema({ type: "AVRO", schema: JSON.stringify(schema), references: [], referenced: texts });
}

/** A value, and its bytes as Avro's specification has them. */
interface Sample {
  readonly bytes: Buffer;
  readonly value: unknown;
}

/** A schema, and what fits it. */
interface Shape {
  readonly schema: unknown;
  readonly samples: fc.Arbitrary<Sample>;
}

let named = 0;

function leaf<T>(
  schema: unknown,
  values: fc.Arbitrary<T>,
  encode: (value: T) => Buffer,
  decoded = (v: T): unknown => v,
) {
  return fc.constant<Shape>({ schema, samples: values.map((v) => ({ bytes: encode(v), value: decoded(v) })) });
}

const text = fc.string({ unit: "binary", maxLength: 12 });
const avroText = (value: string): Buffer => sized(value, zigzag);

const LEAVES = fc.oneof(
  leaf("null", fc.constant(null), () => Buffer.alloc(0)),
  leaf("boolean", fc.boolean(), (value) => Buffer.from([value ? 1 : 0])),
  leaf("int", fc.integer(), zigzag),
  leaf("long", fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), zigzag, integer),
  leaf({ type: "long", logicalType: "timestamp-millis" }, fc.maxSafeInteger(), zigzag),
  leaf("double", fc.double(), double),
  leaf("float", fc.float(), float),
  leaf("string", text, avroText),
  leaf("bytes", fc.uint8Array({ maxLength: 9 }), (value) => sized(Buffer.from(value), zigzag), Buffer.from),
  fc.constant(0).map((): Shape => {
    const schema = { type: "enum", name: `E${named++}`, symbols: ["A", "B", "C"] };
    return { schema, samples: fc.nat(2).map((i) => ({ bytes: zigzag(i), value: "ABC"[i] })) };
  }),
  fc.nat(5).map((size): Shape => {
    const samples = fc.uint8Array({ minLength: size, maxLength: size }).map((bytes) => Buffer.from(bytes));
    const schema = { type: "fixed", name: `F${named++}`, size };
    return { schema, samples: samples.map((bytes) => ({ bytes, value: bytes })) };
  }),
);

/** In blocks of one or two, some with their size in front. */
function blocks(items: readonly Buffer[], withSize: boolean): Buffer {
  const parts: Buffer[] = [];
  for (let i = 0; i < items.length; i += 2) {
    const block = items.slice(i, i + 2);
    const bytes = Buffer.concat(block);
    parts.push(...(withSize ? [zigzag(-block.length), zigzag(bytes.length)] : [zigzag(block.length)]), bytes);
  }
  return Buffer.concat([...parts, zigzag(0)]);
}

const FIELD_NAMES = ["a", "b_2", "__proto__", "constructor"];

const { shape: SHAPES } = fc.letrec<{ shape: Shape }>((tie) => ({
  shape: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    LEAVES,
    tie("shape").map(({ schema, samples }): Shape => {
      const items = fc.tuple(fc.array(samples, { maxLength: 5 }), fc.boolean());
      const values = items.map(([all, withSize]) => {
        const bytes = blocks(
          all.map((one) => one.bytes),
          withSize,
        );
        return { bytes, value: all.map(({ value }) => value) };
      });
      return { schema: { type: "array", items: schema }, samples: values };
    }),
    tie("shape").map(({ schema, samples }): Shape => {
      const key = fc.oneof(text, fc.constantFrom("__proto__", "toString", "$a", "b.c"));
      const entries = fc.tuple(
        fc.uniqueArray(fc.tuple(key, samples), { maxLength: 4, selector: ([k]) => k }),
        fc.boolean(),
      );
      const values = entries.map(([all, withSize]) => ({
        bytes: blocks(
          all.map(([name, { bytes }]) => Buffer.concat([avroText(name), bytes])),
          withSize,
        ),
        value: ownProperties(all.map(([name, { value }]) => [name, value])),
      }));
      return { schema: { type: "map", values: schema }, samples: values };
    }),
    fc.array(tie("shape"), { maxLength: FIELD_NAMES.length }).map((shapes): Shape => {
      const fields = shapes.map(({ schema }, i) => ({ name: FIELD_NAMES[i], type: schema }));
      const all = fc.tuple(...shapes.map(({ samples }) => samples));
      const values = all.map((parts) => ({
        bytes: Buffer.concat(parts.map(({ bytes }) => bytes)),
        value: ownProperties(parts.map(({ value }, i) => [FIELD_NAMES[i] as string, value])),
      }));
      return { schema: { type: "record", name: `R${named++}`, fields }, samples: values };
    }),
    tie("shape").map(({ schema, samples }): Shape => {
      const name = `U${named++}`;
      const branches = ["null", { type: "record", name, fields: [{ name: "a", type: schema }] }, "string"];
      const values = fc.oneof(
        fc.constant({ bytes: zigzag(0), value: null }),
        samples.map(({ bytes, value }) => ({ bytes: Buffer.concat([zigzag(1), bytes]), value: { a: value } })),
        text.map((value) => ({ bytes: Buffer.concat([zigzag(2), avroText(value)]), value })),
      );
      return { schema: branches, samples: values };
    }),
  ),
}));

function ownProperties(entries: readonly (readonly [string, unknown])[]): object {
  return Object.fromEntries(entries);
}

const SAMPLES = SHAPES.chain(({ schema, samples }) => samples.map((sample) => ({ schema, ...sample })));

describe("Avro", () => {
  test("any value of any schema is decoded to what was encoded, by hand", () => {
    fc.assert(
      fc.property(SAMPLES, ({ schema, bytes, value }) => {
        const read = readerOf(schema);
        assert.deepStrictEqual(read(bytes), value);
      }),
      { numRuns: 400 },
    );
  });

  test("one byte more or less is poison, whatever the bytes are", () => {
    fc.assert(
      fc.property(SAMPLES, fc.nat(), ({ schema, bytes }, cut) => {
        const read = readerOf(schema);
        assert.equal(reasonOf(read, Buffer.concat([bytes, Buffer.from([0])])), "trailing-bytes");
        if (bytes.length > 0) {
          const prefix = bytes.subarray(0, cut % bytes.length);
          // A prefix may end an array earlier, and no value but the whole may end there.
          assert.match(reasonOf(read, prefix), /truncated|schema-mismatch/);
        }
      }),
      { numRuns: 200 },
    );
  });

  test("bytes at random end in a value or in poison, soon", () => {
    fc.assert(
      fc.property(SHAPES, fc.uint8Array({ maxLength: 64 }), ({ schema }, bytes) => {
        const read = readerOf(schema);
        try {
          read(Buffer.from(bytes));
        } catch (error) {
          assert.ok(error instanceof Undecodable, String(error));
        }
      }),
      { numRuns: 300 },
    );
  });

  test("longs are exact to the last bit, and stay so in BSON", () => {
    const read = readerOf({ type: "record", name: "R", fields: [{ name: "n", type: "long" }] });
    const edges = [0n, 1n, -1n, 2n ** 31n, -(2n ** 31n) - 1n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, -(2n ** 53n)];
    for (const edge of [...edges, -(2n ** 53n) - 1n, -(2n ** 53n) + 1n, 2n ** 63n - 1n, -(2n ** 63n)]) {
      const value = read(zigzag(edge)) as { n: number | bigint };
      assert.equal(value.n, integer(edge));
      assert.equal(BigInt(BSON.deserialize(BSON.serialize(value), { useBigInt64: true })["n"]), edge);
    }
  });

  test("NaN, infinities and the negative zero are written exactly", () => {
    const read = readerOf({ type: "record", name: "R", fields: [{ name: "d", type: "double" }] });
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0]) {
      const decoded = read(double(value)) as object;
      assert.ok(Object.is(BSON.deserialize(BSON.serialize(decoded))["d"], value), String(value));
    }
  });

  test("a map's key __proto__ is a key like any other", () => {
    const decoded = readerOf({ type: "map", values: "int" })(
      Buffer.concat([zigzag(1), avroText("__proto__"), zigzag(7), zigzag(0)]),
    ) as object;
    assert.equal(Object.getPrototypeOf(decoded), Object.prototype);
    assert.equal(Object.getOwnPropertyDescriptor(decoded, "__proto__")?.value, 7);
  });

  test("a schema may refer to itself and to others, and have defaults that avsc refuses", () => {
    const price = { type: "record", name: "Price", namespace: "n", fields: [{ name: "p", type: "double" }] };
    const read = readerOf(
      {
        type: "record",
        name: "Node",
        namespace: "n",
        fields: [
          { name: "price", type: "n.Price" },
          { name: "count", type: "long", default: -(2 ** 63) },
          { name: "next", type: ["null", "Node"], default: "none" },
        ],
      },
      [price],
    );
    const node = Buffer.concat([double(1.5), zigzag(3), zigzag(1), double(2.5), zigzag(4), zigzag(0)]);
    const next = { price: { p: 2.5 }, count: 4, next: null };
    assert.deepEqual(read(node), { price: { p: 1.5 }, count: 3, next });
  });

  test("deep nesting is poison, and no stack overflow", () => {
    const read = readerOf({ type: "record", name: "N", fields: [{ name: "n", type: ["null", "N"] }] });
    const nested = (levels: number) => Buffer.concat([...Array(levels - 1).fill(zigzag(1)), zigzag(0)]);
    read(nested(MAX_DEPTH));
    assert.equal(reasonOf(read, nested(MAX_DEPTH + 1)), "too-deep");
    assert.equal(reasonOf(read, nested(1_000_000)), "too-deep");
  });
});

describe("hostile Avro", () => {
  const BOMBS: Record<string, readonly [schema: unknown, bytes: Buffer, reason: string]> = {
    "an array of 2^62 strings": [{ type: "array", items: "string" }, zigzag(2n ** 62n), "truncated"],
    "an array of 2^62 nulls": [{ type: "array", items: "null" }, zigzag(2n ** 62n), "too-many-values"],
    "an array of -2^63 records without fields": [
      { type: "array", items: { type: "record", name: "Empty", fields: [] } },
      Buffer.concat([zigzag(-(2n ** 63n)), zigzag(0)]),
      "too-many-values",
    ],
    "an array of 2^40 values of no bytes": [
      { type: "array", items: { type: "fixed", name: "None", size: 0 } },
      zigzag(2n ** 40n),
      "too-many-values",
    ],
    "records that unfold": [doubling(40), Buffer.alloc(0), "too-many-values"],
    "a map of 2^62 entries": [{ type: "map", values: "null" }, zigzag(2n ** 62n), "truncated"],
    "a string of 2^62 bytes": ["string", zigzag(2n ** 62n), "truncated"],
    "a string of -1 bytes": ["string", zigzag(-1), "schema-mismatch"],
    "bytes of 2^31 bytes": ["bytes", zigzag(2 ** 31), "truncated"],
    "a long without an end": ["long", Buffer.alloc(1_000, 0xff), "schema-mismatch"],
    "a long of 65 bits": ["long", Buffer.from("ffffffffffffffffff02", "hex"), "schema-mismatch"],
    "an int of 33 bits": ["int", zigzag(2 ** 31), "schema-mismatch"],
    "a boolean 2": ["boolean", Buffer.from([2]), "schema-mismatch"],
    "a branch that isn't there": [["null", "int"], zigzag(2), "schema-mismatch"],
    "a negative branch": [["null", "int"], zigzag(-1), "schema-mismatch"],
    "a symbol that isn't there": [{ type: "enum", name: "E", symbols: ["A"] }, zigzag(1), "schema-mismatch"],
    "a string that isn't UTF-8": ["string", sized(Buffer.from([0x61, 0xff]), zigzag), "invalid-utf8"],
    "half a surrogate pair": ["string", sized(Buffer.from("eda080", "hex"), zigzag), "invalid-utf8"],
    "no bytes": ["long", Buffer.alloc(0), "truncated"],
  };

  for (const [what, [schema, bytes, reason]] of Object.entries(BOMBS)) {
    test(`${what}: ${reason}`, () => assert.equal(reasonOf(readerOf(schema), bytes), reason));
  }

  test("the replacement character itself is text", () => {
    assert.equal(readerOf("string")(sized("\uFFFD", zigzag)), "\uFFFD");
  });

  test("schemas that aren't Avro can't be read by", () => {
    for (const schema of [{ type: "no-such-type" }, { type: "record", name: "R" }, 12, null, { type: "array" }]) {
      assert.throws(() => readerOf(schema), Error, JSON.stringify(schema));
    }
  });
});

/** A record of two fields, each a record of two fields … without a byte. */
function doubling(levels: number): unknown {
  let schema: unknown = { type: "record", name: "L0", fields: [{ name: "n", type: "null" }] };
  for (let level = 1; level <= levels; level++) {
    const fields = [
      { name: "a", type: schema },
      { name: "b", type: `L${level - 1}` },
    ];
    schema = { type: "record", name: `L${level}`, fields };
  }
  return schema;
}
