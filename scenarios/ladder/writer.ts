/**
 * A service as the accounts describe theirs, with KafkaJS: its rows are one program with other settings. One argument: the
 * job, as JSON. KafkaJS commits by itself, so where there is a queue it commits what isn't written yet, as theirs did:
 * stopped in order nothing is lost, killed it would be.
 */
import { BatchWriteItemCommand, DynamoDBClient, PutItemCommand, type WriteRequest } from "@aws-sdk/client-dynamodb";
import kafkajs from "kafkajs";
import { MongoClient } from "mongodb";
import { blockingBatches, oneByOne, queuedBatches, type Write } from "./batches.ts";
import type { WriterJob } from "./job.ts";

const URL_VARIABLE = "SPILLWAY_WRITER_URL";
/** DynamoDB may leave items of a batch undone. */
const ATTEMPTS = 10;
const CONNECTION_MS = 20_000;

interface Message {
  readonly key: string;
  readonly seq: number;
}

const { Kafka, logLevel } = kafkajs;
const job: WriterJob = JSON.parse(process.argv[2] ?? "");
const url = process.env[URL_VARIABLE] ?? "";
const { write, close } = job.target === "mongodb" ? await mongo() : dynamo();
const kafka = new Kafka({
  ...{ clientId: "writer", brokers: [...job.brokers], logLevel: logLevel.ERROR },
  connectionTimeout: CONNECTION_MS,
});
const readers = job.consumers.map(({ topics, group }) => {
  return { topics, consumer: kafka.consumer({ groupId: group }), intake: intakeOf(job, write) };
});
process.once("SIGTERM", () => void stop());
for (const { consumer } of readers) await consumer.connect();
await Promise.all(
  readers.map(async ({ topics, consumer, intake }) => {
    consumer.on(consumer.events.CRASH, ({ payload: { error, restart } }) => {
      if (restart) return;
      process.stderr.write(`a consumer has given up: ${error.message}\n`);
      process.exit(1);
    });
    await consumer.subscribe({ topics: [...topics], fromBeginning: true });
    await consumer.run({ eachMessage: ({ message }) => intake.put(JSON.parse(String(message.value)) as Message) });
  }),
);

function intakeOf({ batch, batchMs, queue, writers }: WriterJob, to: Write<Message>) {
  if (batch === 1) return oneByOne(to);
  return queue === 0 ? blockingBatches(to, { batch, batchMs }) : queuedBatches(to, { batch, batchMs, queue, writers });
}

async function mongo(): Promise<{ readonly write: Write<Message>; close(): Promise<void> }> {
  const client = await new MongoClient(url, { maxPoolSize: 50, serverSelectionTimeoutMS: 5_000 }).connect();
  const documents = client.db(job.database).collection<Message & { readonly _id: string }>(job.collection);
  return {
    write: async (messages) => {
      const all = messages.map((message) => ({ _id: idOf(message), ...message }));
      const [first] = all;
      if (first === undefined) return;
      if (job.batch === 1) await documents.insertOne(first);
      else await documents.insertMany(all, { ordered: false });
    },
    close: () => client.close(),
  };
}

function dynamo(): { readonly write: Write<Message>; close(): Promise<void> } {
  const client = new DynamoDBClient({
    ...{ endpoint: url, region: "local" },
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
  });
  const itemOf = (message: Message) => ({
    ...Object.fromEntries(Object.entries(message).map(([name, value]) => [name, attribute(value)])),
    id: { S: idOf(message) },
  });
  return {
    write: async (messages) => {
      const [first] = messages;
      if (first === undefined) return;
      if (job.batch === 1) {
        await client.send(new PutItemCommand({ TableName: job.collection, Item: itemOf(first) }));
        return;
      }
      let left: WriteRequest[] = messages.map((message) => ({ PutRequest: { Item: itemOf(message) } }));
      for (let attempt = 0; left.length > 0; attempt++) {
        if (attempt === ATTEMPTS) throw new Error(`${left.length} items were left undone ${ATTEMPTS} times`);
        const answer = await client.send(new BatchWriteItemCommand({ RequestItems: { [job.collection]: left } }));
        left = answer.UnprocessedItems?.[job.collection] ?? [];
      }
    },
    close: async () => client.destroy(),
  };
}

function attribute(value: unknown) {
  return typeof value === "number" ? { N: String(value) } : { S: String(value) };
}

/** Its own name for the message, as a service has that must not book anything twice. */
function idOf({ key, seq }: Message): string {
  return `${key}:${seq}`;
}

/** Reads no more, writes what it has, and ends. */
async function stop(): Promise<void> {
  await Promise.all(readers.map(({ consumer }) => consumer.disconnect()));
  await Promise.all(readers.map(({ intake }) => intake.end()));
  await close();
}
