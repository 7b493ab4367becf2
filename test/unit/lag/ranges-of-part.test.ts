import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { FetchedPartition } from "../../../src/kafka/source.ts";
import { CountedRanges } from "../../../src/lag/counted-ranges.ts";
import { firstRecordOf, rangesOf } from "../../../src/lag/ranges-of-part.ts";
import { LAST_OFFSET_DELTA } from "../../../src/record-batch/layout.ts";
import { readRecords } from "../../../src/record-batch/records.ts";
import { batchOf, marker, NO_PRODUCER, recrc } from "../../helpers/batches.ts";

const ABORTED = 66n;
const COMMITTED = 77n;

/** What lies in a log: batches of committed and of aborted records, markers, and what compaction has left of batches. */
type Piece =
  | { readonly kind: "plain" | "committed" | "aborted"; readonly records: number; readonly gone: number }
  | { readonly kind: "abort" | "commit" }
  | { readonly kind: "hole"; readonly offsets: number };

const count = fc.integer({ min: 1, max: 6 });
const pieces: fc.Arbitrary<readonly Piece[]> = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constantFrom("plain" as const, "committed" as const, "aborted" as const),
      records: count,
      gone: fc.nat(4),
    }),
    fc.record({ kind: fc.constantFrom("abort" as const, "commit" as const) }),
    fc.record({ kind: fc.constant("hole" as const), offsets: count }),
  ),
  { maxLength: 25, size: "max" },
);

/** A fetch response's part, read from an offset on. */
function partOf(log: readonly Piece[], fetchOffset: bigint): FetchedPartition {
  const batches: Buffer[] = [];
  const abortedTransactions: { producerId: bigint; firstOffset: bigint }[] = [];
  let [offset, open] = [0n, false];
  for (const piece of log) {
    if (piece.kind === "hole") offset += BigInt(piece.offsets);
    else if (!("records" in piece)) {
      batches.push(marker(piece.kind, piece.kind === "abort" ? ABORTED : COMMITTED, offset));
      if (piece.kind === "abort") open = false;
      offset += 1n;
    } else {
      if (piece.kind === "aborted" && !open) abortedTransactions.push({ producerId: ABORTED, firstOffset: offset });
      if (piece.kind === "aborted") open = true;
      const producerId = piece.kind === "aborted" ? ABORTED : COMMITTED;
      const transactional = piece.kind !== "plain";
      const records = Array.from({ length: piece.records }, (_, i) => ({
        ...{ key: Buffer.from(`k${offset}-${i}`), value: null, timestamp: 1_000 + i },
      }));
      const stamp = transactional ? { producerId, epoch: 0, sequence: 0 } : NO_PRODUCER;
      const bytes = batchOf(records, { baseOffset: offset, stamp, transactional });
      // Compaction keeps the last offset of a batch of which it takes the last records.
      bytes.writeInt32BE(piece.records - 1 + piece.gone, LAST_OFFSET_DELTA);
      batches.push(recrc(bytes));
      offset += BigInt(piece.records + piece.gone);
    }
  }
  const place = { topic: "t", topicId: "AAAAAAAAAAAAAAAAAAAAAA", partition: 0 };
  return {
    ...place,
    fetchOffset,
    nextOffset: offset,
    highWatermark: offset,
    batches: Buffer.concat(batches),
    abortedTransactions,
  };
}

test("counted are the records that a reader of committed records gets, and nothing else, from any offset on", () => {
  fc.assert(
    fc.property(pieces, fc.nat(60), (log, from) => {
      const fetchOffset = BigInt(from);
      const part = partOf(log, fetchOffset);
      fc.pre(part.nextOffset > fetchOffset);
      const got = [...readRecords(part)];
      const ranges = new CountedRanges();
      ranges.add(rangesOf(part));
      assert.deepEqual(ranges.count(fetchOffset, part.nextOffset), { records: got.length, uncounted: 0n });
      // Cut anywhere, what is counted is no more than there is, and the rest is known to be unknown.
      for (let to = fetchOffset; to < part.nextOffset; to++) {
        const truth = got.filter(({ offset }) => offset < to).length;
        const { records, uncounted } = ranges.count(fetchOffset, to);
        assert.ok(records <= truth && truth <= records + Number(uncounted));
      }
      const first = firstRecordOf(part);
      assert.equal(first?.offset, got[0]?.offset);
      assert.equal(first?.key, got[0]?.key?.toString());
    }),
  );
});

test("a batch that can't be read is unknown, and the others are counted all the same", () => {
  const part = partOf(
    [{ kind: "plain", records: 3, gone: 0 }, { kind: "plain", records: 4, gone: 0 }, { kind: "commit" }],
    0n,
  );
  const flipped = Buffer.from(part.batches);
  const first = 12 + flipped.readInt32BE(8);
  flipped[first - 1] = (flipped[first - 1] as number) ^ 1;
  const ranges = new CountedRanges();
  ranges.add(rangesOf({ ...part, batches: flipped }));
  assert.deepEqual(ranges.count(0n, part.nextOffset), { records: 4, uncounted: 3n });
  assert.equal(firstRecordOf({ ...part, batches: flipped })?.offset, 3n);
});

test("a key is shown as text if it is one, never so that it could write to a terminal, and not at length", () => {
  const shown = (key: Buffer | null) => {
    const bytes = batchOf([{ key, value: null, timestamp: -1 }]);
    return firstRecordOf({ ...partOf([], 0n), nextOffset: 1n, batches: bytes });
  };
  assert.deepEqual(shown(Buffer.from("ключ-7")), { offset: 0n, timestampMs: undefined, key: "ключ-7" });
  assert.equal(shown(null)?.key, null);
  assert.equal(shown(Buffer.from("\x1b[2J"))?.key, "0x1b5b324a");
  assert.equal(shown(Buffer.from([0xff, 0]))?.key, "0xff00");
  assert.equal(shown(Buffer.from("x".repeat(65)))?.key, `${"x".repeat(64)}…`);
  assert.equal(shown(Buffer.alloc(40))?.key, `0x${"00".repeat(32)}…`);
});
