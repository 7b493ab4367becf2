/** The ledger of the fault tests can fail: each thing that can go wrong is told, and as what it is. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Document } from "mongodb";
import { IN_ORDER, judgeInserts, judgeLatest, type SourceRecord } from "../../helpers/sink-ledger.ts";

const TOPIC_ID = "AAAAAAAAAAAAAAAAAAAAAQ";

function record(offset: number, key: string, value: unknown): SourceRecord {
  return { id: `${TOPIC_ID}-0-${offset}`, partition: 0, offset, key, value };
}

const SOURCE = [record(0, "a", { n: 0 }), record(1, "a", undefined), record(2, "a", { n: 2 }), record(3, "b", null)];
const [ID0 = "", ID1 = "", ID2 = "", ID3 = ""] = SOURCE.map(({ id }) => id);
const BURIED = new Set([ID1]);

test("inserts: what is missing, strange, wrong, out of order, buried or not is told", () => {
  const [a, c, d] = [
    { _id: ID0, key: "a", value: { n: 0 } },
    { _id: ID2, key: "a", value: { n: 2 } },
    { _id: ID3, key: "b", value: null },
  ];
  const judge = (documents: readonly Document[], buried: ReadonlySet<string> = BURIED) =>
    judgeInserts(SOURCE, documents, buried);
  assert.deepEqual(judge([a, d, c]), IN_ORDER);
  assert.deepEqual(judge([a, c]), { ...IN_ORDER, missing: [ID3] });
  assert.deepEqual(judge([a, c, d, { _id: "x" }]), { ...IN_ORDER, strangers: ["x"] });
  assert.deepEqual(judge([a, { ...c, value: { n: 3 } }, d]), { ...IN_ORDER, wrong: [ID2] });
  assert.deepEqual(judge([c, a, d]), { ...IN_ORDER, misordered: [ID0] });
  assert.deepEqual(judge([a, c, d], new Set([ID1, ID2])), { ...IN_ORDER, buriedAlive: [ID2] });
  assert.deepEqual(judge([a, c, d], new Set()), { ...IN_ORDER, missing: [ID1], unburied: [ID1] });
});

test("latest: an older state, a wrong version, a key too many or too few is told", () => {
  const version = (order: number) => ({ source: `${TOPIC_ID}-0`, order });
  const a = { _id: "a", n: 2, _spillway: version(2) };
  const b = { _id: "b", _spillway: { ...version(3), deleted: true } };
  const judge = (documents: readonly Document[]) => judgeLatest(TOPIC_ID, SOURCE, documents, BURIED);
  assert.deepEqual(judge([b, a]), IN_ORDER);
  assert.deepEqual(judge([{ _id: "a", n: 0, _spillway: version(0) }, b]), { ...IN_ORDER, wrong: [ID2] });
  assert.deepEqual(judge([a, { ...b, _spillway: version(3) }]), { ...IN_ORDER, wrong: [ID3] });
  assert.deepEqual(judge([a]), { ...IN_ORDER, missing: ["b"] });
  assert.deepEqual(judge([a, b, { _id: "c" }]), { ...IN_ORDER, strangers: ["c"] });
});
