import {
  BatchWriteItemCommand,
  ConditionalCheckFailedException,
  GetItemCommand,
  PutItemCommand,
} from "@aws-sdk/client-dynamodb";
import { messageOf } from "../../errors.ts";
import { VERSION_FIELD } from "../models/latest.ts";
import type { Insert, Latest, Operation } from "../operations.ts";
import { standingOf, UNLIKE_VERSION } from "../standing.ts";
import { ALREADY_WRITTEN, NOT_ATTEMPTED, type Outcome, WRITTEN } from "../target.ts";
import type { Call, Send } from "./dynamo-call.ts";
import { classOf, firstLine, notDynamodb } from "./dynamo-errors.ts";
import { foundIn, type Item, toItem } from "./dynamo-items.ts";
import { type Put, planWaves, type Request } from "./dynamo-requests.ts";

/** Where to write. */
export interface Place {
  readonly table: string;
  /** Name of the partition key. */
  readonly key: string;
  readonly call: Call;
  /** The message of an error that passes; throws what to end with for one of class `refused`. */
  readonly whyAway: (error: unknown) => string;
}

/** Tries a batch once, by as many requests as it takes, and finds out what became of each operation. */
export async function write(
  place: Place,
  operations: readonly Operation[],
  ordered: boolean,
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = operations.map(() => NOT_ATTEMPTED);
  const puts: Put[] = [];
  const unfit: Unfit[] = [];
  const ended = new Set<Put["group"]>();
  for (const [index, operation] of operations.entries()) {
    const put = assertKind(operation);
    // Without order only operations of one id depend on each other.
    const group = ordered ? (operation.orderedBy ?? ALL) : put.id;
    if (ended.has(group)) continue;
    const made = toItem(put.document, put.id, place.key);
    if (made.kind === "item") puts.push({ index, operation: put, group, item: made.item, bytes: made.bytes });
    else {
      unfit.push({ index, group, outcome: dataError(made.code, made.message) });
      if (ordered) ended.add(group); // nothing behind it may be attempted
    }
  }
  const attempt = new Attempt(place, outcomes);
  for (const wave of planWaves(puts)) await Promise.all(wave.map((request) => attempt.send(request)));
  // It comes behind what precedes it.
  for (const { index, group, outcome } of unfit) {
    if (!ordered || !attempt.hasFailed(group)) outcomes[index] = outcome;
  }
  return outcomes;
}

/** The group of ordered operations that don't say what they are ordered by. */
const ALL = "";

/** An operation that can't be made an item. */
interface Unfit {
  readonly index: number;
  readonly group: Put["group"];
  readonly outcome: Outcome;
}

class Attempt {
  readonly #place: Place;
  readonly #outcomes: Outcome[];
  readonly #failed = new Set<Put["group"]>();
  /** A request has met an outage: those that haven't begun stay so. */
  #isAway = false;

  constructor(place: Place, outcomes: Outcome[]) {
    this.#place = place;
    this.#outcomes = outcomes;
  }

  /** Whether something of it isn't in the database. */
  hasFailed(group: Put["group"]): boolean {
    return this.#failed.has(group);
  }

  /** Sends what doesn't stand behind something that failed. */
  async send(request: Request): Promise<void> {
    const puts = request.filter(({ group }) => !this.#failed.has(group));
    const [first] = puts;
    if (first === undefined) return;
    if (first.operation.kind === "latest") this.#outcomes[first.index] = await this.#putIfNewer(first, first.operation);
    else await this.#putAll(puts);
    for (const { index, group } of puts) if (!isInDatabase(this.#outcomes[index])) this.#failed.add(group);
  }

  /** By one BatchWriteItem; by several where the service refuses an item that it doesn't name. */
  async #putAll(puts: readonly Put[]): Promise<void> {
    const { table, key } = this.#place;
    const requests = puts.map(({ item }) => ({ PutRequest: { Item: item } }));
    const command = new BatchWriteItemCommand({ RequestItems: { [table]: requests } });
    try {
      const unprocessedItems = await this.#ask(async (client, options) => {
        const { UnprocessedItems } = await client.send(command, options);
        if (UnprocessedItems === undefined) throw notDynamodb();
        return UnprocessedItems;
      });
      if (unprocessedItems === undefined) return;
      const left = Object.values(unprocessedItems).flat();
      const unprocessed = new Set(left.map(({ PutRequest }) => PutRequest?.Item?.[key]?.S));
      for (const { index, operation } of puts) {
        this.#outcomes[index] = unprocessed.has(operation.id) ? UNPROCESSED : WRITTEN;
      }
    } catch (error) {
      const [only] = puts;
      if (classOf(error) !== "data") {
        const outcome = this.#passing(error);
        for (const { index } of puts) this.#outcomes[index] = outcome;
      } else if (only !== undefined && puts.length === 1) this.#outcomes[only.index] = refusedItem(error);
      else await this.#inHalves(puts);
    }
  }

  async #inHalves(puts: readonly Put[]): Promise<void> {
    const middle = puts.length >> 1;
    await this.send(puts.slice(0, middle));
    await this.send(puts.slice(middle));
  }

  /** Atomic: whether it is newer is judged by the service, in the moment of writing. */
  async #putIfNewer({ item }: Put, operation: Latest): Promise<Outcome> {
    const { table, key } = this.#place;
    const { source, order } = item[VERSION_FIELD]?.M ?? {};
    if (source === undefined || order === undefined) throw new TypeError("a latest without its version");
    const command = new PutItemCommand({
      TableName: table,
      Item: item,
      ConditionExpression: "attribute_not_exists(#key) OR (#version.#source = :source AND #version.#order < :order)",
      ExpressionAttributeNames: { "#key": key, "#version": VERSION_FIELD, "#source": "source", "#order": "order" },
      ExpressionAttributeValues: { ":source": source, ":order": order },
      ReturnValuesOnConditionCheckFailure: "ALL_OLD",
    });
    try {
      const answer = await this.#ask((client, options) => client.send(command, options));
      return answer === undefined ? NOT_ATTEMPTED : WRITTEN;
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return await this.#standing(operation, error.Item);
      return classOf(error) === "data" ? refusedItem(error) : this.#passing(error);
    }
  }

  /** @param there what stood against writing, where the service says so: older ones don't */
  async #standing({ id, version }: Latest, there: Item | undefined): Promise<Outcome> {
    try {
      const found = there ?? (await this.#read(id));
      switch (standingOf(foundIn(found), version)) {
        case "newer":
          return ALREADY_WRITTEN;
        case "unlike":
          return dataError(UNLIKE_VERSION.code, UNLIKE_VERSION.message);
        case "older":
        case "none":
          return { kind: "transient", message: "another writer changed the item at the same moment" };
      }
    } catch (error) {
      return this.#passing(error);
    }
  }

  async #read(id: string): Promise<Item | undefined> {
    const { table, key } = this.#place;
    const command = new GetItemCommand({
      TableName: table,
      Key: { [key]: { S: id } },
      ProjectionExpression: "#key, #version",
      ExpressionAttributeNames: { "#key": key, "#version": VERSION_FIELD },
      ConsistentRead: true,
    });
    return (await this.#place.call((client, options) => client.send(command, options))).Item;
  }

  /** Undefined where another request had met an outage before the turn of this one came. */
  async #ask<T>(send: Send<T>): Promise<T | undefined> {
    return await this.#place.call<T | undefined>(
      async (client, options) => (this.#isAway ? undefined : await send(client, options)),
      (error) => {
        const isAnswer = error instanceof ConditionalCheckFailedException || classOf(error) === "data";
        if (!isAnswer) this.#isAway = true;
      },
    );
  }

  /** @throws SpillwayError DATABASE_REFUSED */
  #passing(error: unknown): Outcome {
    return { kind: "transient", message: this.#place.whyAway(error) };
  }
}

/** Only a part of a request was taken: throttled, as a rule. It may succeed with the next attempt, after a pause. */
const UNPROCESSED: Outcome = { kind: "transient", message: "DynamoDB left items of a request unprocessed" };

function assertKind(operation: Operation): Insert | Latest {
  if (operation.kind === "insert" || operation.kind === "latest") return operation;
  throw new TypeError(`a sink began although DynamoDB can't do ${operation.kind}`);
}

function isInDatabase(outcome: Outcome | undefined): boolean {
  return outcome?.kind === "written" || outcome?.kind === "already-written";
}

function refusedItem(error: unknown): Outcome {
  return dataError(error instanceof Error ? error.name : "", firstLine(messageOf(error)));
}

function dataError(code: string, message: string): Outcome {
  return { kind: "data-error", code: `dynamodb-${code}`, message };
}
