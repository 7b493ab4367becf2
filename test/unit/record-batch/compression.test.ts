import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { compressFrameSync, decompressFrameSync } from "lz4-napi";
import { compressSync } from "snappy";
import { compress, decompress } from "../../../src/record-batch/compression.ts";
import { CODECS } from "../../../src/record-batch/layout.ts";

const compressing = CODECS.filter((codec) => codec !== "none");
const text = fc.oneof(
  fc.uint8Array({ maxLength: 2_000 }),
  fc
    .tuple(fc.string({ minLength: 1, maxLength: 20 }), fc.nat(20_000))
    .map(([word, times]) => Buffer.from(word.repeat(times))),
);

for (const codec of compressing) {
  test(`${codec}: what is compressed comes back`, () => {
    fc.assert(
      fc.property(text, (bytes) => {
        const original = Buffer.from(bytes);
        assert.ok(decompress(codec, compress(codec, original)).equals(original));
      }),
    );
  });

  test(`${codec}: several frames behind each other are all read, or refused, and never cut short in silence`, () => {
    const [first, second] = [Buffer.alloc(300_000, "a"), Buffer.alloc(90_000, "b")];
    const both = Buffer.concat([compress(codec, first), compress(codec, second)]);
    try {
      assert.ok(decompress(codec, both).equals(Buffer.concat([first, second])));
    } catch (error) {
      assert.ok(codec === "snappy" && error instanceof RangeError, String(error));
    }
  });

  test(`${codec}: a cut frame is an error`, () => {
    const whole = compress(codec, Buffer.from("spillway ".repeat(10_000)));
    for (const left of [1, 5, 12, Math.floor(whole.length / 2), whole.length - 1]) {
      assert.throws(() => decompress(codec, whole.subarray(0, left)), `${left} of ${whole.length} bytes`);
    }
  });

  test(`${codec}: the limit holds`, () => {
    const compressed = compress(codec, Buffer.alloc(1_000_000));
    assert.equal(decompress(codec, compressed, 1_000_000).length, 1_000_000);
    assert.throws(() => decompress(codec, compressed, 999_999));
    assert.throws(() => decompress(codec, compressed, 10));
  });

  test(`${codec}: hostile bytes end in an error or in bytes within the limit`, () => {
    const valid = compress(codec, Buffer.from("spillway ".repeat(100)));
    fc.assert(
      fc.property(fc.nat(valid.length - 1), fc.nat(255), (at, byte) => {
        const hostile = Buffer.from(valid);
        hostile[at] = byte;
        try {
          assert.ok(decompress(codec, hostile, 5_000).length <= 5_000);
        } catch (error) {
          assert.ok(error instanceof Error);
        }
      }),
      { numRuns: 500 },
    );
  });
}

test("snappy: a raw block without framing is read, as librdkafka writes it", () => {
  const original = Buffer.from("raw ".repeat(1_000));
  assert.ok(decompress("snappy", compressSync(original)).equals(original));
});

test("lz4: frames of every block size, of what can't be compressed, and of other writers are read, and read by others", () => {
  const random = randomBytes(5_000_000);
  for (const size of [0, 1, 65_536, 65_537, 262_145, 1_048_577, 4_194_305, 5_000_000]) {
    for (const original of [random.subarray(0, size), Buffer.alloc(size, "spillway ")]) {
      const frame = compress("lz4", original);
      assert.ok(decompress("lz4", frame).equals(original), `${size}`);
      if (size > 0) assert.ok(decompressFrameSync(frame).equals(original), `${size}, by another reader`);
      for (const checksums of [{}, { contentChecksum: true }, { blockChecksums: true }]) {
        const other = compressFrameSync(original, checksums);
        assert.ok(decompress("lz4", other).equals(original), `${size}, by another writer`);
      }
    }
  }
});

test("lz4: blocks that a writer has flushed are read; many frames that hold next to nothing are refused at once", () => {
  // Of the largest blocks there are, each of one byte: all together they could not be full.
  const header = Buffer.from("04224d18607073", "hex");
  const block = Buffer.from("020000001061", "hex");
  const end = Buffer.alloc(4);
  assert.equal(String(decompress("lz4", Buffer.concat([header, ...Array(30).fill(block), end]))), "a".repeat(30));
  const frames = Buffer.concat(Array(60_000).fill(Buffer.concat([header, block, end])));
  const startedAt = performance.now();
  assert.throws(() => decompress("lz4", frames), RangeError);
  assert.ok(performance.now() - startedAt < 1_000);
});
