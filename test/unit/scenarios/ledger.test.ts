import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Ledger } from "../../../scenarios/ledger.ts";
import type { StoredDocument } from "../../../src/demo/stock.ts";

const SOUND = { missing: 0, waiting: 0, duplicates: 0, orderViolations: 0, strangers: 0 };
const everything = () => true;

function ledgerOf(keys: number, perKey: number): Ledger {
  const ledger = new Ledger();
  for (let sequence = perKey - 1; sequence >= 0; sequence--) {
    for (let key = 0; key < keys; key++) {
      ledger.acknowledged(`k${key}`, sequence, { partition: key % 3, offset: BigInt(sequence) });
    }
  }
  return ledger;
}

function document(key: string, sequence: number): StoredDocument {
  return { id: `${key}:${sequence}`, key, sequence };
}

async function* stored(...documents: StoredDocument[]): AsyncGenerator<StoredDocument> {
  yield* documents;
}

test("what is there once and in the order of each key is sound, however keys mingle", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat({ max: 3 }), { maxLength: 60, size: "max" }), async (keys) => {
      const ledger = new Ledger();
      const next = [0, 0, 0, 0];
      const documents = keys.map((key) => {
        const sequence = next[key] ?? 0;
        next[key] = sequence + 1;
        ledger.acknowledged(`k${key}`, sequence, { partition: 0, offset: 0n });
        return document(`k${key}`, sequence);
      });
      assert.deepEqual(await ledger.verdict(stored(...documents), everything), { documents: keys.length, ...SOUND });
    }),
  );
});

test("each kind of fault is told from the others", async () => {
  const [a, b] = [document("k0", 0), document("k0", 1)];
  const judge = (...documents: StoredDocument[]) => ledgerOf(1, 2).verdict(stored(...documents), everything);
  assert.deepEqual(await judge(b), { documents: 1, ...SOUND, missing: 1 });
  assert.deepEqual(await judge(b, a), { documents: 2, ...SOUND, orderViolations: 1 });
  assert.deepEqual(await judge(a, b, a), { documents: 3, ...SOUND, duplicates: 1 });
  assert.deepEqual(await judge(a, b, document("k1", 0)), { documents: 3, ...SOUND, strangers: 1 });
  assert.deepEqual(await judge(a, b, { ...b, id: "else" }), { documents: 3, ...SOUND, strangers: 1 });
});

test("what the service had not come to waits, and what it had is missing", async () => {
  const ledger = ledgerOf(3, 4);
  const committed = 2n;
  const verdict = await ledger.verdict(stored(document("k0", 0)), ({ offset }) => offset < committed);
  assert.deepEqual(verdict, { documents: 1, ...SOUND, missing: 5, waiting: 6 });
});
