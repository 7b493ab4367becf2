/**
 * The second account's service, as KafkaJS has one write it: a message at a time for each partition, one insertOne for
 * each message, which is done when it is acknowledged, and KafkaJS's own commits after it. One argument: the job, as
 * JSON; the database's URL, which may hold a password, comes by SPILLWAY_MONGO_URL.
 *
 * KafkaJS goes on fetching when the messages of all partitions of a fetch are done, so that a slow partition holds up
 * the others of its consumer. Hence a consumer for each partition: several of one group in this process.
 */
import { createHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import kafkajs, { type EachMessagePayload } from "kafkajs";
import { MongoClient, MongoServerError } from "mongodb";
import type { ServiceJob, ServiceLine } from "./lines.ts";
import { restTimers } from "./rest-timers.ts";

const REPORT_MS = 500;
const DUPLICATE_KEY = 11_000;
/** KafkaJS gives a connection a second, which isn't enough for hundreds on one machine; so it is longer, and they come in turn. */
const CONNECTION_MS = 20_000;
const CONNECTING_AT_ONCE = 5;

interface Message {
  readonly key: string;
  readonly seq: number;
}

const { Kafka, logLevel } = kafkajs;
const { brokers, topic, group, consumers: count, database, collection }: ServiceJob = JSON.parse(process.argv[2] ?? "");
// A connection for each consumer, as if each had a process of its own. They are opened beforehand: no message waits.
const pool = { maxPoolSize: count, minPoolSize: count, maxConnecting: 16 };
const client = new MongoClient(process.env["SPILLWAY_MONGO_URL"] ?? "", pool);
const documents = client.db(database).collection<Message & { readonly _id: string }>(collection);
const kafka = new Kafka({
  ...{ clientId: "service", brokers: [...brokers], logLevel: logLevel.ERROR },
  connectionTimeout: CONNECTION_MS,
});

let written = 0;
let duplicates = 0;
const writeMicros = createHistogram();
const loop = monitorEventLoopDelay({ resolution: 10 });

restTimers();
await client.connect();
loop.enable();
const consumers = Array.from({ length: count }, (_, number) => ({
  number,
  consumer: kafka.consumer({ groupId: group }),
}));
const reporting = setInterval(() => say({ event: "progress", written, duplicates }), REPORT_MS);
process.once("SIGTERM", () => void stop());
for (let from = 0; from < count; from += CONNECTING_AT_ONCE) {
  await Promise.all(consumers.slice(from, from + CONNECTING_AT_ONCE).map(({ consumer }) => consumer.connect()));
}
await Promise.all(consumers.map(serve));

async function serve({ number, consumer }: (typeof consumers)[number]): Promise<void> {
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    say({ event: "joined", consumer: number, partitions: payload.memberAssignment[topic] ?? [] });
  });
  consumer.on(consumer.events.CRASH, ({ payload: { error, restart } }) => {
    if (restart) return;
    process.stderr.write(`consumer ${number} has given up: ${error.message}\n`);
    process.exit(1);
  });
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({ eachMessage: write });
}

async function write({ message: { value } }: EachMessagePayload): Promise<void> {
  const message: Message = JSON.parse(String(value));
  const startedAt = performance.now();
  try {
    // Its own name for the message, as a service has that must not book anything twice.
    await documents.insertOne({ _id: `${message.key}:${message.seq}`, ...message });
  } catch (error) {
    if (!(error instanceof MongoServerError && error.code === DUPLICATE_KEY)) throw error;
    duplicates++;
    return;
  }
  written++;
  writeMicros.record(Math.max(1, Math.round((performance.now() - startedAt) * 1_000)));
}

async function stop(): Promise<void> {
  await Promise.all(consumers.map(({ consumer }) => consumer.disconnect()));
  clearInterval(reporting);
  await client.close();
  const ms = (share: number): number => writeMicros.percentile(share) / 1_000;
  const loopP99Ms = loop.percentile(99) / 1e6;
  say({ event: "progress", written, duplicates });
  say({ event: "stopped", writeP50Ms: ms(50), writeP99Ms: ms(99), loopP99Ms });
}

function say(line: ServiceLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
