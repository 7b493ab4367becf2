import {
  CreateTableCommand,
  DescribeTableCommand,
  ListTablesCommand,
  ResourceNotFoundException,
  type TableDescription,
} from "@aws-sdk/client-dynamodb";
import { messageOf, SpillwayError } from "../../errors.ts";
import type { Availability } from "../target.ts";
import type { Call } from "./dynamo-call.ts";
import { classOf, firstLine, isCredentialsError, notDynamodb, refused } from "./dynamo-errors.ts";

export interface TablesOptions {
  /** Those that are known before the first record. */
  readonly names: readonly string[];
  /** Name of the partition key. */
  readonly key: string;
  /** Whether to make those that are missing. */
  readonly create: boolean;
}

/** What can be written to; an index that is being made or a new capacity doesn't stand against it. */
const WRITABLE: ReadonlySet<string | undefined> = new Set(["ACTIVE", "UPDATING"]);
const AVAILABLE: Availability = { kind: "available" };
const NAME = /^[a-zA-Z0-9_.-]{3,255}$/;

export function isTableName(name: string): boolean {
  return NAME.test(name);
}

/** Looks at each table before it is first written to, and makes it where that is asked for. */
export class Tables {
  readonly #call: Call;
  readonly #options: TablesOptions;
  /** They were there and as they must be. No more than the service has tables. */
  readonly #ready = new Set<string>();
  #hasAnswered = false;

  constructor(call: Call, options: TablesOptions) {
    this.#call = call;
    this.#options = options;
  }

  /** Looks at all that are known beforehand. @throws SpillwayError DATABASE_REFUSED */
  async prepare(): Promise<Availability> {
    for (const name of this.#options.names) {
      const answer = await this.#look(name);
      if (answer.kind === "away") return answer;
    }
    return this.#options.names.length === 0 ? await this.check() : AVAILABLE;
  }

  /** One small question. @throws SpillwayError DATABASE_REFUSED */
  async check(): Promise<Availability> {
    const [name] = [...this.#options.names, ...this.#ready];
    return name === undefined ? await this.#anyAnswer() : await this.#look(name);
  }

  /** Whether this table can be written to; asked once, until it is forgotten. @throws SpillwayError DATABASE_REFUSED */
  async ready(name: string): Promise<Availability> {
    return this.#ready.has(name) ? AVAILABLE : await this.#look(name);
  }

  forget(name: string): void {
    this.#ready.delete(name);
  }

  async #look(name: string): Promise<Availability> {
    return await this.#asked(name, async () => {
      const table = await this.#describe(name);
      if (table === undefined) return await this.#missing(name);
      this.#assertSuited(name, table);
      if (!WRITABLE.has(table.TableStatus)) return away(`table ${name} is ${table.TableStatus}`);
      this.#ready.add(name);
      return AVAILABLE;
    });
  }

  async #describe(name: string): Promise<TableDescription | undefined> {
    try {
      const command = new DescribeTableCommand({ TableName: name });
      const { Table } = await this.#call((client, options) => client.send(command, options));
      if (Table === undefined) throw notDynamodb();
      return Table;
    } catch (error) {
      if (error instanceof ResourceNotFoundException) return undefined;
      throw error;
    }
  }

  async #missing(name: string): Promise<Availability> {
    const { key, create } = this.#options;
    if (!create) {
      throw new SpillwayError("DATABASE_REFUSED", `There is no table ${name} in DynamoDB`, {
        context: {
          hint: `Make it with a partition key ${key} of type string and no sort key, or give --dynamo-create-table`,
        },
      });
    }
    const command = new CreateTableCommand({
      TableName: name,
      AttributeDefinitions: [{ AttributeName: key, AttributeType: "S" }],
      KeySchema: [{ AttributeName: key, KeyType: "HASH" }],
      BillingMode: "PAY_PER_REQUEST",
    });
    await this.#call((client, options) => client.send(command, options));
    return away(`table ${name} is being made`);
  }

  #assertSuited(name: string, { KeySchema = [], AttributeDefinitions = [] }: TableDescription): void {
    const { key } = this.#options;
    const partition = KeySchema.find(({ KeyType }) => KeyType === "HASH")?.AttributeName;
    const type = AttributeDefinitions.find(({ AttributeName }) => AttributeName === partition)?.AttributeType;
    const problem =
      KeySchema.length > 1
        ? "a sort key, which would let an id be there more than once"
        : partition !== key
          ? `the partition key ${partition}, and not ${key}`
          : type !== "S" && `a partition key of type ${type}, and not S`;
    if (problem === false) return;
    throw new SpillwayError("DATABASE_REFUSED", `Table ${name} has ${problem}`, {
      context: { hint: "Choose another table, or name its partition key by --dynamo-key" },
    });
  }

  /** Without a table to ask for: who may not list them has been answered all the same. */
  async #anyAnswer(): Promise<Availability> {
    return await this.#asked(undefined, async () => {
      try {
        await this.#call((client, options) => client.send(new ListTablesCommand({ Limit: 1 }), options));
      } catch (error) {
        if (!(error instanceof Error && error.name === "AccessDeniedException")) throw error;
      }
      return AVAILABLE;
    });
  }

  async #asked(table: string | undefined, question: () => Promise<Availability>): Promise<Availability> {
    try {
      const answer = await question();
      this.#hasAnswered = true;
      return answer;
    } catch (error) {
      if (error instanceof SpillwayError && !error.retryable) throw error;
      return away(this.whyAway(error, table));
    }
  }

  /**
   * What passes by itself. Credentials that could be had before are missing only for a while.
   * @throws SpillwayError DATABASE_REFUSED for what no retry mends
   */
  whyAway(error: unknown, table?: string): string {
    const passes = classOf(error) === "transient" || (this.#hasAnswered && isCredentialsError(error));
    if (!passes) throw refused(error, table);
    return `${error instanceof Error ? error.name : "Error"}: ${firstLine(messageOf(error))}`;
  }
}

function away(message: string): Availability {
  return { kind: "away", message };
}
