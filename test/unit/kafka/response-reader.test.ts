import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type ResponseFrame, ResponseReader } from "../../../src/kafka/response-reader.ts";

function response(correlationId: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeInt32BE(4 + payload.length, 0);
  head.writeInt32BE(correlationId, 4);
  return Buffer.concat([head, payload]);
}

test("responses come out as they were sent, however the socket cuts them, though it reads into the same memory again", () => {
  const payloads = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20, size: "max" });
  fc.assert(
    fc.property(payloads, fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1 }), (sent, cuts) => {
      const stream = Buffer.concat(sent.map((payload, i) => response(i, Buffer.from(payload))));
      const got: ResponseFrame[] = [];
      const reader = new ResponseReader((frame) => got.push(frame));
      const memory = Buffer.alloc(200);
      for (let at = 0, cut = 0; at < stream.length; cut++) {
        const length = stream.copy(memory, 0, at, at + (cuts[cut % cuts.length] as number));
        reader.push(memory.subarray(0, length));
        memory.fill(0xee);
        at += length;
      }
      assert.deepEqual(
        got.map(({ correlationId, payload }) => [correlationId, Buffer.from(payload)]),
        sent.map((payload, i) => [i, Buffer.from(payload)]),
      );
    }),
  );
});

test("a length that can't be one is refused before memory is taken for it", () => {
  for (const length of [-1, 0, 3, 2 ** 31 - 1]) {
    const head = Buffer.alloc(4);
    head.writeInt32BE(length);
    assert.throws(() => new ResponseReader(() => {}).push(head), RangeError, `${length}`);
  }
});
