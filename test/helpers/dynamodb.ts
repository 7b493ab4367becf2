import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import {
  type AttributeValue,
  CreateTableCommand,
  type CreateTableCommandInput,
  DescribeTableCommand,
  DynamoDBClient,
  paginateScan,
} from "@aws-sdk/client-dynamodb";
import { until } from "./kafka.ts";
import { uniqueName } from "./services.ts";

/** The SDK looks for them in the environment, and the local service takes any. */
export const AWS_ENVIRONMENT = {
  AWS_ACCESS_KEY_ID: "AKIATESTTESTTEST",
  AWS_SECRET_ACCESS_KEY: "s3cr3t-s3cr3t-s3cr3t",
  AWS_REGION: "eu-west-1",
  AWS_EC2_METADATA_DISABLED: "true",
  AWS_CONFIG_FILE: "/dev/null",
  AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
} as const;
Object.assign(process.env, AWS_ENVIRONMENT);

type Item = Record<string, AttributeValue>;

/** Tables as a test sees them: by a client of its own, past whatever a target is behind. */
export class TestTables {
  readonly #client: DynamoDBClient;

  constructor(endpoint: string) {
    this.#client = new DynamoDBClient({ endpoint });
  }

  /** By default with a partition key `id` of type string. */
  async make(input: Partial<CreateTableCommandInput> = {}): Promise<string> {
    const TableName = uniqueName("table");
    const table: CreateTableCommandInput = {
      TableName,
      AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
      KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
      BillingMode: "PAY_PER_REQUEST",
      ...input,
    };
    await this.#client.send(new CreateTableCommand(table));
    await until("the table is active", async () => (await this.describe(TableName))?.TableStatus === "ACTIVE");
    return TableName;
  }

  async describe(table: string) {
    return (await this.#client.send(new DescribeTableCommand({ TableName: table }))).Table;
  }

  /** All items, by the key that is named so. */
  async scan(table: string, key = "id"): Promise<ReadonlyMap<string, Item>> {
    const found = new Map<string, Item>();
    for await (const { Items = [] } of paginateScan(
      { client: this.#client },
      { TableName: table, ConsistentRead: true },
    )) {
      for (const item of Items) found.set(item[key]?.S ?? assert.fail("an item without its key"), item);
    }
    return found;
  }

  close(): void {
    this.#client.destroy();
  }
}

/** One request of a client to the service. */
export interface Exchange {
  /** Such as `PutItem`. */
  readonly operation: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** Asks the service, with this body or the request's own. */
  forward(body?: unknown): Promise<Answer>;
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** Stands between a client and the service, and answers instead of it, or alters what it says. */
export class AlteringProxy implements AsyncDisposable {
  readonly operations: string[] = [];
  mostAtOnce = 0;
  connections = 0;
  alter: (exchange: Exchange) => Promise<Answer> = ({ forward }) => forward();
  #atOnce = 0;
  readonly #upstream: string;
  readonly #server = createServer(async (request, response) => {
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#atOnce);
    const headers = { "x-amz-target": String(request.headers["x-amz-target"]), "content-type": JSON_TYPE };
    const authorization = String(request.headers.authorization);
    const operation = headers["x-amz-target"].split(".").at(-1) ?? "";
    this.operations.push(operation);
    const given = await text(request);
    const forward = async (body?: unknown): Promise<Answer> => {
      const answer = await fetch(this.#upstream, {
        method: "POST",
        headers: { ...headers, authorization, "x-amz-date": String(request.headers["x-amz-date"]) },
        body: body === undefined ? given : JSON.stringify(body),
      });
      return { status: answer.status, body: await answer.json() };
    };
    const { status, body } = await this.alter({ operation, body: JSON.parse(given), forward });
    this.#atOnce--;
    response.writeHead(status, { "content-type": JSON_TYPE });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  });

  private constructor(upstream: string) {
    this.#upstream = upstream;
  }

  static async start(upstream: string): Promise<AlteringProxy> {
    const proxy = new AlteringProxy(upstream);
    proxy.#server.on("connection", (socket) => {
      proxy.connections++;
      socket.on("close", () => proxy.connections--);
    });
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const JSON_TYPE = "application/x-amz-json-1.0";

export function failure(code: string, status = 400, message = "no"): Answer {
  return { status, body: { __type: `com.amazonaws.dynamodb.v20120810#${code}`, message } };
}
