import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AcknowledgedRecords } from "../../../src/demo/acknowledged.ts";
import { Ledger } from "../../../src/demo/ledger.ts";
import {
  keysOf,
  MemoryStore,
  type TestRecord,
  TOPIC_ID,
  tell,
  testRecords,
  toDocument,
  writeByTwo,
  writeInOrder,
} from "./writers.ts";

const never = new AbortController().signal;

function ledgerOf(store: MemoryStore, records: readonly TestRecord[]): Ledger {
  const ledger = new Ledger({ store, sampledKeys: keysOf(records).slice(0, 50), orderLookupsPerSecond: 20_000 });
  tell(ledger, records);
  return ledger;
}

test("a right writer: everything is there once and in order", async () => {
  const records = testRecords(3_000, 60);
  const store = new MemoryStore();
  const ledger = ledgerOf(store, records);
  void ledger.start();
  await writeInOrder(records, 40, store.write);
  assert.notEqual(await ledger.drained(never, 1_000), undefined);
  const { missing, duplicates, strangers, misnamed, orderViolations, countWritten } = await ledger.verdict();
  assert.deepEqual([missing, duplicates, strangers, misnamed, orderViolations], [0, 0, 0, 0, 0]);
  assert.equal(
    countWritten(() => true),
    3_000,
  );
  assert.equal(
    countWritten((key) => key === "k7"),
    50,
  );
  assert.ok(ledger.order.lookups > 500, `${ledger.order.lookups} look-ups`);
});

test("two writers for one key: order violations", async () => {
  const records = testRecords(3_000, 10);
  const store = new MemoryStore();
  const ledger = ledgerOf(store, records);
  void ledger.start();
  await writeByTwo(records, 30, store.write);
  const { missing, duplicates, orderViolations, firstViolations } = await ledger.verdict();
  assert.deepEqual([missing, duplicates], [0, 0]);
  assert.ok(orderViolations > 20, `${orderViolations} violations`);
  for (const { present, absent } of firstViolations) assert.ok(present > absent);
});

test("every fault of the documents has its figure", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 1, max: 20 }),
      fc.array(fc.constantFrom("right", "missing", "doubled", "misnamed"), { minLength: 300, maxLength: 300 }),
      fc.nat(20),
      async (count, keys, faults, strangers) => {
        const records = testRecords(count, keys);
        const store = new MemoryStore();
        const ledger = ledgerOf(store, records);
        const documents = records.flatMap((record, index) => {
          const document = toDocument(record);
          const other = { ...document, _id: `${document._id}-again` };
          switch (faults[index]) {
            case "missing":
              return [];
            case "doubled":
              return [document, other];
            case "misnamed":
              return [other];
            default:
              return [document];
          }
        });
        const alien = (index: number) => ({ _id: `x${index}`, key: index % 2 ? "nobody's" : "k0", seq: 1_000 + index });
        await store.write([...documents, ...Array.from({ length: strangers }, (_, index) => alien(index))]);
        const verdict = await ledger.verdict();
        const counted = (fault: string): number => faults.slice(0, count).filter((found) => found === fault).length;
        assert.equal(verdict.documents, documents.length + strangers);
        assert.equal(verdict.missing, counted("missing"));
        assert.equal(verdict.firstMissing.length, Math.min(10, counted("missing")));
        assert.equal(verdict.duplicates, counted("doubled"));
        assert.equal(verdict.misnamed, counted("misnamed") + counted("doubled"));
        assert.equal(verdict.strangers, strangers);
      },
    ),
    { numRuns: 50 },
  );
});

test("a document of two records' ids swapped is misnamed", async () => {
  const records = testRecords(2, 2);
  const [first, second] = records.map(toDocument);
  assert.ok(first && second);
  const store = new MemoryStore();
  await store.write([
    { ...first, _id: second._id },
    { ...second, _id: first._id },
  ]);
  const { missing, duplicates, misnamed } = await ledgerOf(store, records).verdict();
  assert.deepEqual([missing, duplicates, misnamed], [0, 0, 2]);
});

test("whatever stands in a document's key and sequence number, it counts as a stranger", async () => {
  const store = new MemoryStore();
  const ledger = ledgerOf(store, testRecords(4, 2));
  const odd: unknown[] = [undefined, null, "0", -1, 0.5, Number.NaN, {}, 2, 2 ** 40, 10n];
  async function* documents() {
    for (const sequence of odd) yield { id: "a", key: "k0", sequence };
    for (const key of [undefined, 7, {}, "k9"]) yield { id: "a", key, sequence: 0 };
  }
  store.documents = documents;
  const { strangers, missing } = await ledger.verdict();
  assert.deepEqual([strangers, missing], [odd.length + 4, 4]);
});

test("drained waits for the last records, and gives up when nothing comes any more", async () => {
  const records = testRecords(600, 20);
  const store = new MemoryStore();
  const ledger = ledgerOf(store, records);
  const writing = writeInOrder(records.slice(0, -1), 10, store.write);
  assert.equal(await ledger.drained(never, 200), undefined);
  await writing;
  const startedAt = performance.now();
  setTimeout(() => void store.write(records.slice(-1).map(toDocument)), 100);
  const took = ((await ledger.drained(never, 1_000)) ?? 0) - startedAt;
  assert.ok(took >= 100 && took < 400, `${took} ms`);
  const abort = new AbortController();
  setTimeout(() => abort.abort(new Error("enough")), 20);
  await assert.rejects(ledgerOf(new MemoryStore(), records).drained(abort.signal, 5_000), /enough/);
});

test("the ledger refuses what can't be: a second topic, one record acknowledged twice", async () => {
  const records = new AcknowledgedRecords();
  records.add("k", 0, { topicId: TOPIC_ID, partition: 0, offset: 0n });
  assert.throws(() => records.add("k", 1, { topicId: "another", partition: 0, offset: 1n }), RangeError);
  const ledger = ledgerOf(new MemoryStore(), testRecords(5, 5));
  ledger.acknowledged("k1", 0, { topicId: TOPIC_ID, partition: 1, offset: 9n });
  await assert.rejects(ledger.verdict(), /record 0 of key k1 was acknowledged twice/);
});

test("a million records take less than 60 MB", () => {
  const records = new AcknowledgedRecords();
  const place = { topicId: TOPIC_ID, partition: 0, offset: 0n };
  const keys = Array.from({ length: 10_000 }, (_, index) => `key-${index}`);
  const before = process.memoryUsage();
  for (let index = 0; index < 1_000_000; index++) {
    records.add(keys[index % keys.length] ?? "", Math.floor(index / keys.length), place);
  }
  const after = process.memoryUsage();
  assert.equal(records.count, 1_000_000);
  const grown = after.arrayBuffers + after.heapUsed - before.arrayBuffers - before.heapUsed;
  assert.ok(grown < 60e6, `${Math.round(grown / 1e6)} MB`);
});
