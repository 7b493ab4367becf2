import { MongoClient } from "mongodb";
import { startServices } from "../../services/services.ts";
import { openDynamoTarget } from "../../src/sink/targets/dynamo.ts";
import { openMongoTarget } from "../../src/sink/targets/mongo.ts";
import { TestTables } from "../helpers/dynamodb.ts";
import { testServices, uniqueName } from "../helpers/services.ts";
import { conforms, type Scene } from "./target-conformance.ts";

conforms("MongoDB conforms", mongo, { repeated: "already-written", poison: { "a\0b": 1 } });

conforms("MongoDB conforms, documents being BSON among others", mongo, {
  repeated: "already-written",
  poison: { "a\0b": 1 },
  asBson: true,
});

// Of the wrong type for an index of the table: the service refuses the whole request, and names no item.
conforms("DynamoDB conforms", dynamo, { repeated: "written", poison: { indexed: 5 } });

async function mongo(): Promise<Scene> {
  const { mongoUrl, toxiproxy } = await testServices();
  const { host } = new URL(mongoUrl);
  const client = new MongoClient(mongoUrl);
  const database = uniqueName("conforms");
  return {
    proxy: () => toxiproxy.createProxy({ name: uniqueName("mongo"), upstream: host }),
    open: async (proxy) => {
      const url = proxy === undefined ? mongoUrl : mongoUrl.replace(host, proxy.address);
      const waits = proxy === undefined ? 30_000 : 1_000;
      return openMongoTarget({ url, database, serverSelectionTimeoutMs: waits, writeTimeoutMs: waits });
    },
    collection: async () => uniqueName("c"),
    stored: async (collection) => {
      const found = await client.db(database).collection(collection).find().toArray();
      return new Map(found.map(({ _id, n }) => [String(_id), n as number | undefined]));
    },
    [Symbol.asyncDispose]: async () => {
      await client.db(database).dropDatabase();
      await client.close();
    },
  };
}

async function dynamo(): Promise<Scene> {
  const { toxiproxy } = await testServices();
  const services = await startServices({ dynamodb: true });
  const url = services.dynamodbUrl;
  const tables = new TestTables(url);
  return {
    proxy: () => toxiproxy.createProxy({ name: uniqueName("dynamodb"), upstream: new URL(url).host }),
    open: async (proxy) => {
      const endpoint = proxy === undefined ? url : `http://${proxy.address}`;
      return await openDynamoTarget({ tables: [], endpoint, requestTimeoutMs: proxy === undefined ? 30_000 : 1_000 });
    },
    collection: () =>
      tables.make({
        AttributeDefinitions: ["id", "indexed"].map((AttributeName) => ({ AttributeName, AttributeType: "S" })),
        GlobalSecondaryIndexes: [
          {
            IndexName: "by-indexed",
            KeySchema: [{ AttributeName: "indexed", KeyType: "HASH" }],
            Projection: { ProjectionType: "KEYS_ONLY" },
          },
        ],
      }),
    stored: async (collection) => {
      const found = await tables.scan(collection);
      return new Map([...found].map(([id, { n }]) => [id, n?.N === undefined ? undefined : Number(n.N)]));
    },
    [Symbol.asyncDispose]: async () => {
      tables.close();
      await services.stop();
    },
  };
}
