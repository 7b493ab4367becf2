/**
 * DynamoDB as a target: a collection is a table, whose partition key holds the operation's id, and which has no sort key.
 *
 * Guarantee: `written` and `already-written` mean that DynamoDB has acknowledged the item, which it does when a majority of
 * a partition's replicas have it on disk.
 * - `insert`: an item under the record's origin, put whole. One that is repeated replaces itself by the same, so nothing
 *   changes; that can't be told from a first writing, so both are `written`. An item that an application has changed since
 *   would be set back by a replay, and one that it has deleted written again.
 *   With `ordered`, those of one key go in requests of up to 25 one after the other, and none behind one that wasn't done
 *   completely; those of different keys side by side. Inside a request DynamoDB knows no order: of its items, which all have
 *   ids of their own, a reader may see any first, and where one is left unprocessed, others of that request are there already.
 * - `latest`: one conditional put, so it is atomic: a state is replaced only by a newer version of the same source, and a
 *   repeat or a late replay changes nothing (`already-written`). What stands under the key without a version of that source
 *   is left alone: a data error. With `ordered`, those of one key take effect one after the other, those of different keys
 *   side by side.
 * - `update` and `delete`: not done; a sink that needs them doesn't begin.
 *
 * With global tables, another region may write the same item at the same time; the last writer wins there, and no condition
 * sees it. Write to a table in one region only.
 */
import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { SpillwayError } from "../../errors.ts";
import type { Operation, OperationKind } from "../operations.ts";
import { DYNAMODB_MOST_AT_ONCE } from "../options.ts";
import type { Availability, Outcome, Target } from "../target.ts";
import { type Call, connect } from "./dynamo-call.ts";
import { isTableName, Tables } from "./dynamo-tables.ts";
import { write } from "./dynamo-write.ts";

export interface DynamoTargetOptions {
  /** The tables whose names are known beforehand: looked at when the sink begins, others when they are first written to. */
  readonly tables: readonly string[];
  /** Name of the partition key. */
  readonly key?: string;
  /** Makes tables that are missing, billed per request. */
  readonly createTables?: boolean;
  /** Connections, and hence requests side by side, at most. */
  readonly maxSockets?: number;
  /** Milliseconds that one request may take, from its connection to the answer. */
  readonly requestTimeoutMs?: number;
  /** A service other than AWS's own, such as a local one. */
  readonly endpoint?: string | undefined;
  /** The environment's or the profile's own where it is left out. Credentials come from there only. */
  readonly region?: string | undefined;
}

export const DYNAMO_DEFAULTS = {
  key: "id",
  createTables: false,
  maxSockets: 50,
  requestTimeoutMs: 10_000,
} as const satisfies Partial<DynamoTargetOptions>;

/**
 * Makes the client; it connects when it is first used.
 * @throws SpillwayError CONFIG_INVALID for a name that no table can have, or if no region is known
 */
export async function openDynamoTarget(options: DynamoTargetOptions): Promise<DynamoTarget> {
  const { tables, key, createTables, ...connection } = { ...DYNAMO_DEFAULTS, ...options };
  const impossible = tables.find((name) => !isTableName(name));
  if (impossible !== undefined) {
    throw new SpillwayError("CONFIG_INVALID", `No table of DynamoDB can be called ${impossible}`, {
      context: { hint: "Names have 3 to 255 letters of a-z, A-Z, 0-9, '_', '-' and '.': see --collection" },
    });
  }
  const { client, call } = await connect(connection);
  return new DynamoTarget(client, call, key, new Tables(call, { names: tables, key, create: createTables }));
}

const KINDS: ReadonlySet<OperationKind> = new Set(["insert", "latest"]);

export class DynamoTarget implements Target {
  readonly kinds = KINDS;
  readonly mostAtOnce = DYNAMODB_MOST_AT_ONCE;
  readonly #client: DynamoDBClient;
  readonly #call: Call;
  readonly #key: string;
  readonly #tables: Tables;

  constructor(client: DynamoDBClient, call: Call, key: string, tables: Tables) {
    this.#client = client;
    this.#call = call;
    this.#key = key;
    this.#tables = tables;
  }

  async prepare(): Promise<Availability> {
    return await this.#tables.prepare();
  }

  async check(): Promise<Availability> {
    return await this.#tables.check();
  }

  async write(table: string, operations: readonly Operation[], ordered: boolean): Promise<readonly Outcome[]> {
    // Only a record can have made this name: those of the options have been looked at.
    if (!isTableName(table)) return operations.map(() => NO_SUCH_NAME);
    const available = await this.#tables.ready(table);
    if (available.kind === "away") return operations.map(() => ({ kind: "transient", message: available.message }));
    const whyAway = (error: unknown) => {
      if (error instanceof Error && error.name === "ResourceNotFoundException") this.#tables.forget(table);
      return this.#tables.whyAway(error, table);
    };
    return await write({ table, key: this.#key, call: this.#call, whyAway }, operations, ordered);
  }

  /** Ends what is under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.destroy();
  }
}

const NO_SUCH_NAME: Outcome = {
  kind: "data-error",
  code: "dynamodb-table-name",
  message: "the record makes a name that no table of DynamoDB can have",
};
