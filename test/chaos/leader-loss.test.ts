/**
 * Three brokers, replication factor 3, min ISR 2, acks=all: the leader of a partition is SIGKILLed while records are
 * written. Judge is Kafka's Java consumer: every acknowledged record must be there, once, in order.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Kafka, logLevel } from "kafkajs";
import { startServices } from "../../services/services.ts";
import { Brokers, type TopicMetadata } from "../../src/kafka/cluster.ts";
import { RecordProducer } from "../../src/kafka/record-producer.ts";
import { kafkaOf, makeTopic, testLog, until } from "../helpers/kafka.ts";
import { randomOf, seeds } from "../helpers/seeds.ts";
import { uniqueName } from "../helpers/services.ts";

const PARTITIONS = 6;
const services = await startServices({ own: true, kafka: { brokers: 3 } });
after(() => services.stop());
const kafka = kafkaOf(services.brokers);

/** Writes numbers, counting on until it is stopped, and notes those that were acknowledged. */
type Write = (topic: string, acknowledged: Set<number>, stop: AbortSignal) => Promise<void>;

const writeBySpillway: Write = async (topic, acknowledged, stop) => {
  await using producer = await RecordProducer.open({ kafka, log: testLog, signal: AbortSignal.timeout(120_000) });
  for (let number = 0; !stop.aborted; number++) {
    const record = {
      key: Buffer.from(`key-${number % 500}`),
      value: Buffer.from(String(number)),
      timestamp: Date.now(),
    };
    producer.send(topic, record).then(
      () => acknowledged.add(number),
      () => {},
    );
    if (number % 50 === 49) {
      await producer.ready();
      await sleep(1);
    }
  }
  await producer.flush(60_000);
  await new Promise(setImmediate); // the last acknowledgements are on their way to the set
};

/** What the old path does: KafkaJS's own idempotent producer. */
const writeByKafkajs: Write = async (topic, acknowledged, stop) => {
  const client = new Kafka({
    brokers: [...services.brokers],
    logLevel: logLevel.NOTHING,
    retry: { retries: 20, maxRetryTime: 2_000 },
  });
  const producer = client.producer({
    idempotent: true,
    createPartitioner:
      () =>
      ({ message }) =>
        Number(message.value) % PARTITIONS,
  });
  await producer.connect();
  try {
    for (let number = 0; !stop.aborted; ) {
      const messages = Array.from({ length: 50 }, () => ({ value: String(number++) }));
      try {
        await producer.send({ topic, acks: -1, messages });
        for (const { value } of messages) acknowledged.add(Number(value));
      } catch {
        // not acknowledged, so not counted
      }
    }
  } finally {
    await producer.disconnect();
  }
};

async function killLeaderWhile(write: Write, seed: number) {
  const random = randomOf(seed);
  const topic = uniqueName("loss");
  await makeTopic(kafka, {
    topic,
    partitions: PARTITIONS,
    replicationFactor: 3,
    config: { "min.insync.replicas": "2" },
  });
  const stop = new AbortController();
  const acknowledged = new Set<number>();
  const writing = write(topic, acknowledged, stop.signal);
  writing.catch(() => {});
  await until("the first acknowledgements", () => acknowledged.size > 1_000);
  await sleep(700 + random() * 1_500);
  const partition = Math.floor(random() * PARTITIONS);
  const leader = await leaderOf(topic, partition);
  await services.kafka.kill(leader - 1, "SIGKILL");
  // Until there is another leader, and a while after that.
  await until(
    "a new leader",
    async () => {
      const now = await leaderOf(topic, partition).catch(() => leader);
      return now >= 0 && now !== leader;
    },
    60_000,
  );
  await sleep(1_500);
  stop.abort();
  await writing;
  await services.kafka.start(leader - 1);
  await until("all replicas in sync", async () => (await describe(topic)).every(({ inSync }) => inSync === 3), 60_000);
  const { code, stdout, stderr } = await services.kafka.runJavaSource("test/java/NumberedValues.java", [
    services.brokers.join(),
    topic,
  ]);
  assert.equal(code, 0, stderr);
  const there = JSON.parse(stdout) as { ranges: [number, number][]; duplicates: number; misordered: number };
  const isThere = (number: number) => there.ranges.some(([from, to]) => number >= from && number <= to);
  const missing = [...acknowledged].filter((number) => !isThere(number)).length;
  return { acknowledged: acknowledged.size, missing, duplicates: there.duplicates, misordered: there.misordered };
}

async function describe(topic: string): Promise<TopicMetadata["partitions"]> {
  await using brokers = new Brokers(kafka, testLog);
  const [metadata] = await brokers.topics([topic]);
  return metadata?.partitions ?? [];
}

async function leaderOf(topic: string, partition: number): Promise<number> {
  return (await describe(topic))[partition]?.leader ?? -1;
}

for (const seed of seeds(1)) {
  test(`seed ${seed}: what was acknowledged is in the log, once and in order, though a leader was killed`, async (t) => {
    const result = await killLeaderWhile(writeBySpillway, seed);
    t.diagnostic(`spillway: ${JSON.stringify(result)}`);
    assert.ok(result.acknowledged > 1_000, `only ${result.acknowledged} were acknowledged`);
    assert.deepEqual([result.missing, result.duplicates, result.misordered], [0, 0, 0]);
  });
}

/** Shown by the long form, SPILLWAY_SEEDS=10, and not in the suite, which has not the time. */
if (process.env["SPILLWAY_SEEDS"] !== undefined) {
  test("the control: what KafkaJS's own producer loses in the same place", async (t) => {
    const [seed] = seeds(1);
    const result = await killLeaderWhile(writeByKafkajs, seed ?? 1);
    // It loses some in most runs, not in all: shown, not asserted. What is asserted is that the control was put to work.
    t.diagnostic(`kafkajs: ${JSON.stringify(result)}`);
    assert.ok(result.acknowledged > 1_000, `only ${result.acknowledged} were acknowledged`);
  });
}
