/** A scenario as its users run it, short: that it accounts for every message, and writes what it promises to. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { MongoClient } from "mongodb";
import { OPERATION_NAMES } from "../../scenarios/operations/catalog.ts";
import type { OperationResult } from "../../scenarios/operations/figures.ts";
import { reportOf } from "../../scenarios/report/html.ts";
import { MongoStore } from "../../src/demo/mongo-store.ts";
import { type TestServices, testServices, uniqueName } from "../helpers/services.ts";

const RUN = resolve(import.meta.dirname, "../../scenarios/run.ts");
const MINUTE = 60_000;
const FLOOD = 4_500;

let services: TestServices;
let directory: string;

before(
  async () => {
    services = await testServices();
    directory = await mkdtemp(join(tmpdir(), "spillway-scenarios-test-"));
  },
  { timeout: 10 * MINUTE },
);

after(async () => {
  if (directory !== undefined) await rm(directory, { recursive: true });
});

async function ended(child: ChildProcess): Promise<{ readonly code: number | null; readonly output: string }> {
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const [code] = await once(child, "close");
  return { code, output };
}

function run(...args: string[]): ChildProcess {
  return spawn(process.execPath, [RUN, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, SPILLWAY_BROKERS: services.brokers.join(","), SPILLWAY_MONGO_URL: services.mongoUrl },
  });
}

test("a short backfill-diverted accounts for every message, and writes its figures and curves", {
  timeout: 4 * MINUTE,
}, async () => {
  const [json, page] = [join(directory, "figures.json"), join(directory, "page.html")];
  const { code, output } = await ended(run("backfill-diverted", "--short", "--json", json, "--report", page));
  assert.equal(code, 0, output);
  const [result, ...others] = JSON.parse(await readFile(json, "utf8"));
  assert.deepEqual(others, []);
  const { liveP99QuietMs, liveP99FloodMs, isolation, ...rest } = result;
  const accounted = { missing: 0, duplicates: 0, orderViolations: 0 };
  assert.deepEqual(rest, { scenario: "backfill-diverted", ok: true, ...accounted });
  for (const figure of [liveP99QuietMs, liveP99FloodMs, isolation]) assert.ok(figure > 0, output);
  assert.ok(liveP99QuietMs >= 180, "a live message was there before its write can have been done");

  const html = await readFile(page, "utf8");
  assert.match(html, /<svg [\s\S]*<path class="delivered" d="M[\s\S]*<\/svg>/);
  const { figures } = reportOf(html);
  const [{ floodRecords, verdict, curve, quiet, flood } = assert.fail("the page holds no figures")] = figures;
  assert.equal(floodRecords, FLOOD);
  assert.equal(curve.filter(([at]) => at >= 0).length, flood.messages);
  assert.ok(quiet.messages > 0 && curve.length >= quiet.messages + flood.messages);
  assert.ok(verdict.documents >= FLOOD + quiet.messages + flood.messages);
});

test("a short ladder and a sink for each topic account for every message, theirs and ours", {
  timeout: 6 * MINUTE,
}, async () => {
  const [json, page] = [join(directory, "sinks.json"), join(directory, "sinks.html")];
  const args = ["dynamodb-ladder", "consumer-per-topic", "--short", "--json", json, "--report", page];
  const { code, output } = await ended(run(...args));
  assert.equal(code, 0, output);
  const [ladder, perTopic] = JSON.parse(await readFile(json, "utf8"));
  assert.deepEqual(
    [ladder.scenario, ladder.ok, perTopic.scenario, perTopic.ok],
    [...args.slice(0, 1), true, args[1], true],
  );
  assert.equal(ladder.rows.length, 3);
  for (const { missing, duplicates } of ladder.rows) assert.deepEqual([missing, duplicates], [0, 0], output);
  const accounted = { missing: 0, duplicates: 0, orderViolations: 0 };
  for (const { topic, dies, missing, duplicates, orderViolations } of perTopic.topics) {
    assert.deepEqual({ missing, duplicates, orderViolations }, accounted, topic);
    assert.equal(dies, topic === "btc");
  }
  const { ladders } = reportOf(await readFile(page, "utf8"));
  for (const { rung, verdict } of ladders.flatMap(({ rungs }) => rungs)) {
    assert.ok(verdict.documents > 0 && verdict.documents + verdict.waiting >= 6_000, `${rung.name}: ${output}`);
  }
});

test("short: quiet, an outage, a killed relay and more sinks lose nothing, write nothing twice, and keep each key's order", {
  timeout: 8 * MINUTE,
}, async () => {
  const [json, page] = [join(directory, "operations.json"), join(directory, "operations.html")];
  const { code, output } = await ended(run(...OPERATION_NAMES, "--short", "--json", json, "--report", page));
  assert.equal(code, 0, output);
  const results: OperationResult[] = JSON.parse(await readFile(json, "utf8"));
  assert.deepEqual(
    results.map(({ scenario }) => scenario),
    [...OPERATION_NAMES],
  );
  for (const result of results) {
    const { scenario, ok, messages, relayed, deadLetters, missing, duplicates, orderViolations } = result;
    const accounted = { missing: 0, duplicates: 0, orderViolations: 0, deadLetters: 0 };
    assert.deepEqual({ missing, duplicates, orderViolations, deadLetters }, accounted, `${scenario}: ${output}`);
    assert.ok(ok && relayed.isProven && relayed.records === messages && messages > 0, `${scenario}: ${output}`);
    if (scenario === "database-outage") assert.ok(result.waiting > 0 && result.writtenWhileAway === 0, output);
    if (scenario === "relay-crash") assert.ok(result.kills === 1 && result.waiting > 0, output);
    if (scenario === "scale-out") assert.deepEqual(result.partitions, [4, 4, 4], output);
  }
  const { operations } = reportOf(await readFile(page, "utf8"));
  for (const { own, backlog } of operations) assert.ok(backlog.length > 1, own.scenario);
});

test("what isn't a scenario is refused before anything starts", async () => {
  const { code, output } = await ended(run("backfill-drowned"));
  assert.equal(code, 2);
  assert.match(output, /there is no scenario backfill-drowned[\s\S]*backfill-diverted/);
});

test("the database returns documents in the order of their insertion: the ledger judges order by it", async () => {
  await using client = new MongoClient(services.mongoUrl);
  const name = uniqueName("insertion-order");
  const collection = client.db("spillway").collection<{ _id: string; key: string; seq: number }>(name);
  // Neither the order of the ids nor its reverse.
  const inserted = Array.from({ length: 500 }, (_, index) => (index * 211) % 500);
  for (const seq of inserted) await collection.insertOne({ _id: `key:${seq}`, key: "key", seq });
  await using store = new MongoStore(services.mongoUrl, name, "spillway");
  const found: unknown[] = [];
  for await (const { sequence } of store.documents()) found.push(sequence);
  assert.deepEqual(found, inserted);
});
