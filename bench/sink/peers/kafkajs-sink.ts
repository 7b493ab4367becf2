// The sink as one would write it with KafkaJS and the driver. One argument: the job, as JSON.
import kafkajs, { type EachBatchPayload, type EachMessagePayload } from "kafkajs";
import { MongoBulkWriteError, MongoClient, MongoServerError } from "mongodb";
import { KAFKAJS_SINK, type KafkaJsJob } from "./kafkajs.ts";

const DUPLICATE_KEY = 11_000;

const { Kafka, logLevel } = kafkajs;
const { mode, brokers, topic, group, url, database, collection }: KafkaJsJob = JSON.parse(process.argv[2] ?? "");
const { partitionsConsumedConcurrently, maxBytesPerPartition, autoCommitInterval } = KAFKAJS_SINK[mode];

const client = await new MongoClient(url).connect();
const documents = client.db(database).collection<{ readonly _id: string }>(collection);
const kafka = new Kafka({ clientId: "kafkajs", brokers: [...brokers], logLevel: logLevel.ERROR });
const consumer = kafka.consumer({ groupId: group, maxBytesPerPartition });
process.once("SIGTERM", () => void stop());
await consumer.connect();
await consumer.subscribe({ topics: [topic], fromBeginning: true });
const settings = { partitionsConsumedConcurrently, autoCommitInterval };
await consumer.run(mode === "one" ? { ...settings, eachMessage: insertOne } : { ...settings, eachBatch: insertMany });

async function insertOne({ partition, message }: EachMessagePayload): Promise<void> {
  try {
    await documents.insertOne(documentOf(partition, message.offset, message.value));
  } catch (error) {
    if (!(error instanceof MongoServerError && error.code === DUPLICATE_KEY)) throw error;
  }
}

async function insertMany({ batch: { partition, messages } }: EachBatchPayload): Promise<void> {
  if (messages.length === 0) return;
  try {
    await documents.insertMany(
      messages.map(({ offset, value }) => documentOf(partition, offset, value)),
      { ordered: false },
    );
  } catch (error) {
    const isReplay = error instanceof MongoBulkWriteError && error.code === DUPLICATE_KEY;
    if (!isReplay) throw error;
  }
}

/** A message that comes twice finds itself there, as Spillway's do. */
function documentOf(partition: number, offset: string, value: Buffer | null) {
  const document: object = JSON.parse(String(value));
  return { _id: `${topic}-${partition}-${offset}`, ...document };
}

async function stop(): Promise<void> {
  await consumer.disconnect();
  await client.close();
}
