import assert from "node:assert/strict";
import { test } from "node:test";
import {
  BatchWriteItemCommand,
  ConditionalCheckFailedException,
  type DynamoDBClient,
  DynamoDBServiceException,
  PutItemCommand,
} from "@aws-sdk/client-dynamodb";
import fc from "fast-check";
import { VERSION_FIELD } from "../../../src/sink/models/latest.ts";
import type { Outcome } from "../../../src/sink/target.ts";
import type { Call } from "../../../src/sink/targets/dynamo-call.ts";
import type { Item } from "../../../src/sink/targets/dynamo-items.ts";
import { type Place, write } from "../../../src/sink/targets/dynamo-write.ts";
import { insertOf, latestOf } from "../../helpers/operations.ts";

/** What an item of the test makes the service do. */
type Fate = "good" | "unfit" | "poison" | "left" | "throttled";

/** DynamoDB as it answers BatchWriteItem and conditional PutItem. */
class Service {
  /** The order in which they were written. */
  readonly written: string[] = [];
  readonly items = new Map<string, Item>();
  requests = 0;

  readonly place: Place = {
    table: "t",
    key: "id",
    whyAway: (error) => String(error),
    call: (async (send, onFailure) => {
      try {
        return await send(this as unknown as DynamoDBClient, { abortSignal: new AbortController().signal });
      } catch (error) {
        onFailure?.(error);
        throw error;
      }
    }) satisfies Call,
  };

  async send(command: BatchWriteItemCommand | PutItemCommand): Promise<object> {
    this.requests++;
    await new Promise((resolve) => setImmediate(resolve));
    if (command instanceof PutItemCommand) return this.#putIfNewer(command.input.Item as Item);
    assert.ok(command instanceof BatchWriteItemCommand);
    const asked = command.input.RequestItems?.["t"] ?? [];
    const fates = asked.map(({ PutRequest }) => fateOf(PutRequest?.Item as Item));
    if (fates.includes("poison")) throw answered("ValidationException");
    if (fates.includes("throttled")) throw answered("ProvisionedThroughputExceededException");
    // Side by side, in no order.
    const taken = asked.filter((_, i) => fates[i] === "good").toReversed();
    for (const { PutRequest } of taken) this.#put(PutRequest?.Item as Item);
    const left = asked.filter((_, i) => fates[i] === "left");
    return { UnprocessedItems: left.length === 0 ? {} : { t: left } };
  }

  #putIfNewer(item: Item): object {
    const fate = fateOf(item);
    if (fate === "poison") throw answered("ValidationException");
    if (fate !== "good") throw answered("ThrottlingException");
    const there = this.items.get(String(item["id"]?.S));
    if (there !== undefined && orderOf(there) >= orderOf(item)) {
      throw new ConditionalCheckFailedException({ message: "no", $metadata: {}, Item: there });
    }
    this.#put(item);
    return {};
  }

  #put(item: Item): void {
    this.items.set(String(item["id"]?.S), item);
    this.written.push(String(item["tag"]?.S));
  }
}

function answered(name: string): Error {
  return new DynamoDBServiceException({ name, message: name, $fault: "client", $metadata: {} });
}

function fateOf(item: Item): Fate {
  return item["fate"]?.S as Fate;
}

function orderOf(item: Item): bigint {
  return BigInt(item[VERSION_FIELD]?.M?.["order"]?.N ?? assert.fail("no version"));
}

const fates = fc.oneof(
  { weight: 60, arbitrary: fc.constant<Fate>("good") },
  { weight: 1, arbitrary: fc.constantFrom<Fate>("unfit", "poison", "left", "throttled") },
);

function isDone(outcome: Outcome | undefined): boolean {
  return outcome?.kind === "written" || outcome?.kind === "already-written";
}

test("inserts: each outcome is what became of the item, and an ordered batch ends, for each key, at what wasn't done", async () => {
  const items = fc.array(fc.record({ fate: fates, key: fc.nat(200) }), { maxLength: 120, size: "max" });
  await fc.assert(
    fc.asyncProperty(items, fc.constantFrom(undefined, 1, 4, 200), async (all, keys) => {
      const ordered = keys !== undefined;
      const service = new Service();
      const batch = all.map(({ fate, key }, i) => ({
        ...insertOf(`id-${i}`, { fate, tag: `id-${i}`, ...(fate === "unfit" ? { n: Number.NaN } : {}) }),
        ...(ordered ? { orderedBy: key % keys } : {}),
      }));
      const outcomes = await write(service.place, batch, ordered);
      assert.equal(outcomes.length, batch.length);
      for (const [i, outcome] of outcomes.entries()) {
        const fate = all[i]?.fate as Fate;
        assert.equal(outcome.kind === "written", service.items.has(`id-${i}`), `${fate}: ${outcome.kind}`);
        if (outcome.kind === "data-error") assert.ok(fate === "poison" || fate === "unfit");
        if (outcome.kind === "transient") assert.notEqual(fate, "poison");
      }
      const isAway = all.some(({ fate }) => fate === "throttled");
      if (!ordered && !isAway) assert.ok(outcomes.every(({ kind }) => kind !== "not-attempted"));
      assert.ok(all.every(({ fate }) => fate === "good") === outcomes.every(isDone));
      if (!ordered) return;
      for (const ofKey of Map.groupBy(outcomes.keys(), (i) => batch[i]?.orderedBy).values()) {
        const some = ofKey.map((i) => outcomes[i]);
        const first = some.findIndex((outcome) => !isDone(outcome));
        const tried = some.findLastIndex((outcome) => outcome?.kind !== "not-attempted");
        if (first < 0) continue;
        // Only what shares its request can have been tried behind it.
        assert.ok(tried - first < 25, `${first} failed, ${tried} was tried`);
        const isBad = (i: number) => all[i]?.fate === "poison" || all[i]?.fate === "unfit";
        if (first === ofKey.findIndex(isBad)) assert.ok(tried <= first, "something behind an item that can't be");
        // One key's failure holds up no other, unless it is an outage.
        if (!isAway) assert.notEqual(some[first]?.kind, "not-attempted");
      }
    }),
  );
});

test("latest: the newest state of each key is there, whatever the order in which they come", async () => {
  const states = fc.array(fc.record({ key: fc.nat(5), order: fc.nat(20), fate: fates }), {
    maxLength: 40,
    size: "max",
  });
  await fc.assert(
    fc.asyncProperty(states, fc.boolean(), async (all, ordered) => {
      const service = new Service();
      const fields = (fate: Fate, i: number) => ({
        fate,
        tag: String(i),
        ...(fate === "unfit" ? { n: Number.NaN } : {}),
      });
      const batch = all.map(({ key, order, fate }, i) => latestOf(`k${key}`, BigInt(order), fields(fate, i)));
      const outcomes = await write(service.place, batch, ordered);
      const newest = new Map<string, bigint>();
      for (const [i, outcome] of outcomes.entries()) {
        const { id, version } = batch[i] as (typeof batch)[number];
        const order = version.order as bigint;
        assert.equal(outcome.kind === "written", service.written.includes(String(i)));
        if (outcome.kind === "already-written") assert.ok(order <= (newest.get(id) ?? -1n));
        if (isDone(outcome) && order > (newest.get(id) ?? -1n)) newest.set(id, order);
      }
      const there = new Map([...service.items].map(([id, item]) => [id, orderOf(item)]));
      assert.deepEqual(there, new Map(newest));
      // States of one key are written in their order.
      const last = new Map<string, number>();
      for (const i of service.written.map(Number)) {
        const { id } = batch[i] as (typeof batch)[number];
        assert.ok(i > (last.get(id) ?? -1));
        last.set(id, i);
      }
    }),
  );
});

test("what is left unprocessed is tried again, and nothing else", async () => {
  const service = new Service();
  const batch = Array.from({ length: 30 }, (_, i) => insertOf(`id-${i}`, { fate: i === 7 ? "left" : "good", tag: "" }));
  const outcomes = await write(service.place, batch, false);
  const failed = outcomes.flatMap(({ kind }, i) => (kind === "written" ? [] : [[i, kind]]));
  assert.deepEqual(failed, [[7, "transient"]]);
  assert.equal(service.requests, 2);
});

test("a state of another origin is neither overwritten nor taken for newer", async () => {
  const service = new Service();
  const state = (order: bigint, source: string) => [latestOf("k", order, { fate: "good", tag: source }, source)];
  await write(service.place, state(5n, "a"), false);
  const [outcome] = await write(service.place, state(3n, "b"), false);
  assert.ok(outcome?.kind === "data-error" && outcome.code === "dynamodb-unlike-version", outcome?.kind);
  assert.deepEqual((await write(service.place, state(3n, "a"), false))[0]?.kind, "already-written");
});
