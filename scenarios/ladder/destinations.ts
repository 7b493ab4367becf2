import {
  CreateTableCommand,
  DeleteTableCommand,
  DynamoDBClient,
  ScanCommand,
  waitUntilTableExists,
} from "@aws-sdk/client-dynamodb";
import { MongoClient } from "mongodb";
import type { StoredDocument } from "../../src/demo/stock.ts";
import { DATABASE } from "../names.ts";

/** Where a ladder's rows are written, seen past the proxy by a client of the ledger's own. */
export interface Destination extends AsyncDisposable {
  /** A new collection. */
  make(collection: string): Promise<void>;
  drop(collection: string): Promise<void>;
  count(collection: string): Promise<number>;
  documents(collection: string): AsyncIterable<StoredDocument>;
  /** Whether `documents` come in the order in which they were inserted. */
  readonly isInOrder: boolean;
}

export function mongoDestination(url: string): Destination {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 30_000 });
  const database = client.db(DATABASE);
  return {
    isInOrder: true,
    make: async (collection) => void (await database.createCollection(collection)),
    drop: async (collection) => void (await database.dropCollection(collection)),
    count: async (collection) => Number((await database.command({ collStats: collection }))["count"] ?? 0),
    async *documents(collection) {
      const found = database
        .collection<{ _id: unknown; key?: unknown; seq?: unknown }>(collection)
        .find({}, { projection: { _id: 1, key: 1, seq: 1 }, batchSize: 2_000 });
      for await (const { _id, key, seq } of found) yield { id: _id, key, sequence: seq };
    },
    [Symbol.asyncDispose]: () => client.close(),
  };
}

/** Of the sink's `--dynamo-key`, at its default. */
const KEY = "id";
const TABLE_SECONDS = 30;

export function dynamoDestination(endpoint: string): Destination {
  const client = new DynamoDBClient({
    ...{ endpoint, region: "local" },
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
  });
  async function* pages(collection: string, select: "COUNT" | "ALL_ATTRIBUTES") {
    let start: Record<string, never> | undefined;
    do {
      const from = start === undefined ? {} : { ExclusiveStartKey: start };
      const page = await client.send(new ScanCommand({ TableName: collection, Select: select, ...from }));
      yield page;
      start = page.LastEvaluatedKey as typeof start;
    } while (start !== undefined);
  }
  return {
    isInOrder: false,
    async make(collection) {
      await client.send(
        new CreateTableCommand({
          TableName: collection,
          AttributeDefinitions: [{ AttributeName: KEY, AttributeType: "S" }],
          KeySchema: [{ AttributeName: KEY, KeyType: "HASH" }],
          BillingMode: "PAY_PER_REQUEST",
        }),
      );
      await waitUntilTableExists(
        { client, maxWaitTime: TABLE_SECONDS, minDelay: 1, maxDelay: 1 },
        { TableName: collection },
      );
    },
    drop: async (collection) => void (await client.send(new DeleteTableCommand({ TableName: collection }))),
    async count(collection) {
      let sum = 0;
      for await (const { Count = 0 } of pages(collection, "COUNT")) sum += Count;
      return sum;
    },
    async *documents(collection) {
      for await (const { Items = [] } of pages(collection, "ALL_ATTRIBUTES")) {
        for (const { [KEY]: id, key, seq } of Items) yield { id: id?.S, key: key?.S, sequence: Number(seq?.N) };
      }
    },
    [Symbol.asyncDispose]: async () => client.destroy(),
  };
}
