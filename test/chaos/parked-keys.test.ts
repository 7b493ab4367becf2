/**
 * Parked keys under kills and rebalances: sinks are killed at random moments while a producer writes, some records are
 * refused by the database, and keys are redriven in between. The judge reads the database and the dead-letter topic.
 *
 * SPILLWAY_KILLS says how many sinks are killed.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { MongoClient } from "mongodb";
import { askForRedrive } from "../../src/dead-letter/ask.ts";
import { originText, readLetter } from "../../src/dead-letter/letter.ts";
import { listParked } from "../../src/dead-letter/list.ts";
import { SpillwayError } from "../../src/errors.ts";
import { endOffsets } from "../../src/kafka/admin.ts";
import { Brokers } from "../../src/kafka/cluster.ts";
import type { NewRecord } from "../../src/record-batch/batch-builder.ts";
import { committedSum, consume, kafkaOf, makeTopic, produceAll, testLog, until } from "../helpers/kafka.ts";
import { QUICK_SESSION, SpillwayProcess } from "../helpers/process.ts";
import { randomOf, seeds } from "../helpers/seeds.ts";
import { testServices, uniqueName } from "../helpers/services.ts";

const KILLS = Number(process.env["SPILLWAY_KILLS"] ?? 2);
const KEYS = 12;
const PARTITIONS = 3;
const DEADLINE_MS = 120_000;

const { brokers, mongoUrl } = await testServices();
const kafka = kafkaOf(brokers);
const connections = new Brokers(kafka, testLog);
const client = new MongoClient(mongoUrl);
after(async () => {
  await client.close();
  await connections[Symbol.asyncDispose]();
});

for (const seed of seeds(1)) {
  test(`parked keys keep their order through ${KILLS} kills (seed ${seed})`, async (test) => {
    const random = randomOf(seed);
    const topic = uniqueName("parked");
    const [group, letters] = [`sink-${topic}`, `${topic}.dead-letter`];
    await makeTopic(kafka, { topic, partitions: PARTITIONS });
    const collection = client.db(topic).collection("c");
    await collection.createIndex({ slot: 1 }, { unique: true });
    const context = { kafka, log: testLog, signal: AbortSignal.timeout(600_000) };

    const start = () =>
      new SpillwayProcess(
        [
          ...["sink", "--topic", topic, "--collection", "c", "--group", group, "--on-data-error", "park-key"],
          ...[...QUICK_SESSION, "--commit-interval-ms", "100", "--batch-timeout-ms", "20", "--batch-records", "20"],
        ],
        { SPILLWAY_BROKERS: brokers.join(), SPILLWAY_MONGO_URL: mongoUrl, SPILLWAY_MONGO_DATABASE: topic },
      );
    const ask = async () => {
      await askForRedrive({ group, topics: [topic], without: [], dryRun: false }, context).catch((error: unknown) => {
        // None is parked at the moment.
        if (!(error instanceof SpillwayError) || error.code !== "CONFIG_INVALID") throw error;
      });
    };

    let rounds = 0;
    let refused = 0;
    const produce = async () => {
      const records: NewRecord[] = [];
      for (let key = 0; key < KEYS; key++) {
        const isRefused = random() < 0.01;
        const slot = isRefused ? `taken-${refused++}` : `${key}-${rounds}`;
        // Nobody can write it as long as this document is there.
        if (isRefused) await collection.insertOne({ slot });
        const value = Buffer.from(JSON.stringify({ key: `k${key}`, n: rounds, slot }));
        records.push({ key: Buffer.from(`k${key}`), value, timestamp: Date.now() });
      }
      rounds++;
      await produceAll(kafka, topic, records);
    };
    const done = new AbortController();
    const producing = (async () => {
      while (!done.signal.aborted) await produce();
    })();

    let running = [start(), start()];
    try {
      for (let kill = 0; kill < KILLS; kill++) {
        await until(
          "a sink is at work",
          () => running.some(({ log }) => log.includes("joined the group")),
          DEADLINE_MS,
        );
        await sleep(500 + random() * 2_500);
        const [victim, other] = random() < 0.5 ? running : running.toReversed();
        await victim?.crash();
        running = [start(), ...(other === undefined ? [] : [other])];
        // Some of what was refused may be written from now on.
        const half = Array.from({ length: refused }, (_, i) => `taken-${i}`).filter(() => random() < 0.5);
        await collection.deleteMany({ key: { $exists: false }, slot: { $in: half } });
        await ask();
      }
      done.abort();
      await producing;
      await collection.deleteMany({ key: { $exists: false } });
      await until(
        `none is parked; ${running.map(({ log }) => log).join("\n")}`,
        async () => {
          if ((await committedSum(connections, group, { topic, partitions: PARTITIONS })) !== rounds * KEYS)
            return false;
          await ask();
          return (await listParked(group, [topic], context)).length === 0;
        },
        DEADLINE_MS,
      );
      await Promise.all(running.map((one) => one.stop()));
    } finally {
      done.abort();
      await Promise.all(running.map((one) => one[Symbol.asyncDispose]()));
    }

    for (let key = 0; key < KEYS; key++) {
      const found = await collection.find({ key: `k${key}` }).toArray();
      const numbers = found.map((document) => document["n"] as number);
      assert.deepEqual(
        numbers,
        Array.from({ length: rounds }, (_, i) => i),
        `k${key}: all of them, in order`,
      );
    }
    const ends = await endOffsets(connections, letters);
    const total = Number(ends.values().reduce((sum, end) => sum + end, 0n));
    const read = total === 0 ? [] : (await consume(kafka, letters, total)).map(readLetter);
    const reasons = Map.groupBy(read, originText).values().toArray();
    const faulty = reasons.filter((copies) => copies.some(({ code }) => code === "mongodb-11000"));
    const figures = { rounds, refused, letters: reasons.length, copies: total - reasons.length, faulty: faulty.length };
    test.diagnostic(JSON.stringify(figures));
    for (const copies of faulty) {
      const { slot } = JSON.parse(String(copies[0]?.record.value)) as { slot: string };
      assert.match(slot, /^taken-/, "only what is refused is poison");
    }
  });
}
