import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { MongoClient } from "mongodb";
import { Ledger, type Verdict } from "../../src/demo/ledger.ts";
import { MongoStore } from "../../src/demo/mongo-store.ts";
import { until } from "../helpers/kafka.ts";
import { testServices, uniqueName } from "../helpers/services.ts";
import {
  keysOf,
  type TestDocument,
  type TestRecord,
  tell,
  testRecords,
  toDocument,
  type Write,
  writeByTwo,
  writeInOrder,
} from "../unit/demo/writers.ts";

const DATABASE = uniqueName("ledger");
const never = new AbortController().signal;

let mongoUrl: string;
let client: MongoClient;

before(async () => {
  ({ mongoUrl } = await testServices());
  client = new MongoClient(mongoUrl);
});

after(async () => {
  await client?.close();
});

/** Runs a writer on a collection of its own, with the ledger watching. */
async function judge(
  records: readonly TestRecord[],
  writer: (write: Write, ledger: Ledger) => Promise<void>,
): Promise<Verdict> {
  const name = uniqueName("documents");
  const collection = client.db(DATABASE).collection<TestDocument>(name);
  await using store = new MongoStore(mongoUrl, name, DATABASE);
  const ledger = new Ledger({ store, sampledKeys: keysOf(records).slice(0, 50), orderLookupsPerSecond: 500 });
  tell(ledger, records);
  void ledger.start();
  await writer(async (documents) => {
    await collection.insertMany([...documents], { ordered: false });
  }, ledger);
  await ledger.drained(never, 500);
  const verdict = await ledger.verdict();
  await collection.drop();
  return verdict;
}

test("a right writer has no fault", async () => {
  const records = testRecords(6_000, 60);
  const verdict = await judge(records, (write) => writeInOrder(records, 200, write));
  const { documents, missing, duplicates, strangers, misnamed, orderViolations } = verdict;
  assert.deepEqual([documents, missing, duplicates, strangers, misnamed], [6_000, 0, 0, 0, 0]);
  assert.equal(orderViolations, 0);
});

test("two writers for one key are caught while they write, though everything is there in the end", async () => {
  const records = testRecords(8_000, 60);
  // However slow the machine: the fault lasts until it is seen, or else for longer than any watch may take.
  const seen = (ledger: Ledger) => until("a violation", () => ledger.order.violations > 0, 20_000);
  const { missing, duplicates, orderViolations } = await judge(records, (write, ledger) =>
    writeByTwo(records, 200, write, async () => void (await seen(ledger).catch(() => {}))),
  );
  assert.deepEqual([missing, duplicates], [0, 0]);
  assert.ok(orderViolations > 0, `${orderViolations} violations`);
});

test("records left out are missing", async () => {
  const records = testRecords(3_000, 30);
  const leftOut = (record: TestRecord): boolean => record.sequence === 40 && record.partition === 1;
  const written = records.filter((record) => !leftOut(record));
  const { missing, duplicates, firstMissing } = await judge(records, (write) => writeInOrder(written, 200, write));
  assert.deepEqual([missing, duplicates], [10, 0]);
  assert.deepEqual(
    firstMissing.map(({ id }) => id),
    records.filter(leftOut).map((record) => toDocument(record)._id),
  );
});

test("records written twice are duplicates", async () => {
  const records = testRecords(3_000, 30);
  const { missing, duplicates, misnamed } = await judge(records, async (write) => {
    await writeInOrder(records, 200, write);
    await write(
      records
        .slice(100, 117)
        .map((record) => ({ ...toDocument(record), _id: `again-${record.partition}-${record.offset}` })),
    );
  });
  assert.deepEqual([missing, duplicates, misnamed], [0, 17, 17]);
});

test("documents of nobody are strangers", async () => {
  const records = testRecords(500, 5);
  const { missing, duplicates, strangers } = await judge(records, async (write) => {
    await writeInOrder(records, 200, write);
    await write([{ _id: "stray", key: "stray", seq: 0 }]);
  });
  assert.deepEqual([missing, duplicates, strangers], [0, 0, 1]);
});
