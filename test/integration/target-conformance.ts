import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { FaultyProxy } from "../../services/toxiproxy/client.ts";
import type { Fields, Operation } from "../../src/sink/operations.ts";
import type { Target } from "../../src/sink/target.ts";
import { until } from "../helpers/kafka.ts";
import { all, bsonOf, dataErrors, insertOf, inserts, kinds, latestOf } from "../helpers/operations.ts";

/** A target and the real database behind it. */
export interface Scene extends AsyncDisposable {
  /** A proxy in front of the database. */
  proxy(): Promise<FaultyProxy>;
  /** A target of its own, behind the proxy if there is one; it waits for a second at most. */
  open(proxy?: FaultyProxy): Promise<Target>;
  /** The name of an empty collection. */
  collection(): Promise<string>;
  /** What is there, read by a client of the test's own: the field n by id, undefined where a document has none. */
  stored(collection: string): Promise<ReadonlyMap<string, number | undefined>>;
}

export interface Expectations {
  /** What an insert that is repeated yields. */
  readonly repeated: "written" | "already-written";
  /** Fields that this database refuses to hold. */
  readonly poison: Fields;
  /** Two thirds of what is inserted are BSON already. */
  readonly asBson?: boolean;
}

const START = { timeout: 20 * 60_000 };
const EACH = { timeout: 2 * 60_000 };

/** What every target must do that has inserts and latest: see docs/targets.md. */
export function conforms(name: string, start: () => Promise<Scene>, { repeated, poison, asBson }: Expectations): void {
  const made = (count: number, prefix?: string): Operation[] =>
    inserts(count, prefix).map((one, i) => (asBson === true && i % 3 !== 0 ? bsonOf(one) : one));

  describe(name, () => {
    let scene: Scene;
    let target: Target;

    before(async () => {
      scene = await start();
      target = await scene.open();
    }, START);

    after(async () => {
      await target?.[Symbol.asyncDispose]();
      await scene?.[Symbol.asyncDispose]();
    }, EACH);

    for (const ordered of [false, true]) {
      const how = ordered ? "ordered" : "unordered";

      it(`inserts a batch, and changes nothing when it comes again (${how})`, EACH, async () => {
        const collection = await scene.collection();
        const batch = made(130);
        assert.deepEqual(await target.write(collection, [], ordered), []);
        assert.deepEqual(kinds(await target.write(collection, batch.slice(0, 100), ordered)), all("written", 100));
        let left = batch;
        while (left.length > 0) {
          // An ordered batch may go on only so far behind what was there.
          const outcomes = kinds(await target.write(collection, left, ordered));
          const there = Math.max(0, 100 - (130 - left.length));
          const tried = outcomes.filter((kind) => kind !== "not-attempted").length;
          assert.ok(tried > 0);
          assert.deepEqual(outcomes.slice(0, tried), [...all(repeated, there), ...all("written", 30)].slice(0, tried));
          left = left.slice(tried);
        }
        assert.deepEqual(await scene.stored(collection), new Map(Array.from(batch, (_, n) => [`id-${n}`, n])));
      });

      it(`finds the one document that can't be among good ones (${how})`, EACH, async () => {
        const collection = await scene.collection();
        const batch = made(60);
        batch[37] = insertOf("poison", poison);
        const outcomes = await target.write(collection, batch, ordered);
        const rest = all(ordered ? "not-attempted" : "written", 22);
        assert.deepEqual(kinds(outcomes), [...all("written", 37), "data-error", ...rest]);
        assert.equal((await scene.stored(collection)).size, ordered ? 37 : 59);
      });

      it(`keeps the latest state of each key (${how})`, EACH, async () => {
        const collection = await scene.collection();
        const states = (order: bigint) =>
          Array.from({ length: 40 }, (_, i) => latestOf(`k${i}`, order, { n: +`${order}` }));
        const write = async (...batch: Parameters<Target["write"]>[1]) =>
          kinds(await target.write(collection, batch, ordered));
        assert.deepEqual(await write(...states(5n)), all("written", 40));
        assert.deepEqual(await write(...states(6n).slice(0, 20)), all("written", 20));
        assert.deepEqual(await write(latestOf("k0", 6n, { n: -1 })), ["already-written"]);
        assert.deepEqual(await write(latestOf("k1", 2n, { n: -1 })), ["already-written"]);
        const expected = new Map(Array.from({ length: 40 }, (_, i) => [`k${i}`, i < 20 ? 6 : 5]));
        assert.deepEqual(await scene.stored(collection), expected);
      });
    }

    it("keeps offsets exact where doubles can't", EACH, async () => {
      const collection = await scene.collection();
      const newest = 2n ** 62n;
      const write = async (order: bigint, n: number) =>
        kinds(await target.write(collection, [latestOf("k", order, { n })], false));
      assert.deepEqual(await write(newest - 1n, 1), ["written"]);
      assert.deepEqual(await write(newest, 2), ["written"]);
      assert.deepEqual(await write(newest - 1n, 3), ["already-written"]);
      assert.deepEqual(await scene.stored(collection), new Map([["k", 2]]));
    });

    it("compares versions that are text by their bytes", EACH, async () => {
      const collection = await scene.collection();
      const write = async (order: string, n: number) =>
        kinds(await target.write(collection, [latestOf("k", order, { n }, "field:v")], false));
      assert.deepEqual(await write("2026-01-31", 1), ["written"]);
      assert.deepEqual(await write("2026-02-01", 2), ["written"]);
      assert.deepEqual(await write("2026-01-31T12", 3), ["already-written"]);
      assert.deepEqual(await write("é", 4), ["written"]);
      assert.deepEqual(await write("z", 5), ["already-written"]);
      assert.deepEqual(await scene.stored(collection), new Map([["k", 4]]));
    });

    it("lets no late replay bring back what a tombstone has deleted", EACH, async () => {
      const collection = await scene.collection();
      const write = async (order: bigint, fields: Fields) =>
        kinds(await target.write(collection, [latestOf("k", order, fields)], false));
      await write(1n, { n: 1 });
      assert.deepEqual(await write(2n, {}), ["written"]);
      assert.deepEqual(await write(1n, { n: 1 }), ["already-written"]);
      assert.deepEqual(await scene.stored(collection), new Map([["k", undefined]]));
      assert.deepEqual(await write(3n, { n: 3 }), ["written"]);
      assert.deepEqual(await scene.stored(collection), new Map([["k", 3]]));
    });

    it("leaves alone what another origin wrote, or nobody knows when", EACH, async () => {
      const collection = await scene.collection();
      await target.write(collection, [latestOf("k", 1n, { n: 1 }, "other-0"), insertOf("i", { n: 1 })], false);
      const batch = [latestOf("k", 9n, { n: 9 }), latestOf("i", 9n, { n: 9 }), latestOf("new", 9n, { n: 9 })];
      const outcomes = await target.write(collection, batch, false);
      assert.deepEqual(kinds(outcomes), ["data-error", "data-error", "written"]);
      for (const code of dataErrors(outcomes)) assert.match(code, /-unlike-version$/);
      const expected = new Map([
        ["k", 1],
        ["i", 1],
        ["new", 9],
      ]);
      assert.deepEqual(await scene.stored(collection), expected);
    });

    it("writes the states of one key one after the other", EACH, async () => {
      const collection = await scene.collection();
      const batch = [1n, 2n, 3n].flatMap((order) => ["a", "b"].map((id) => latestOf(id, order, { n: +`${order}` })));
      assert.deepEqual(kinds(await target.write(collection, batch, true)), all("written", 6));
      const late = [latestOf("a", 1n, { n: 1 }), latestOf("a", 7n, { n: 7 }), latestOf("a", 5n, { n: 5 })];
      let left = late;
      while (left.length > 0) {
        const outcomes = await target.write(collection, left, true);
        left = left.slice(outcomes.filter(({ kind }) => kind !== "not-attempted").length);
      }
      const expected = new Map([
        ["a", 7],
        ["b", 3],
      ]);
      assert.deepEqual(await scene.stored(collection), expected);
    });

    it("takes a cut for an outage, and goes on when it is over", EACH, async () => {
      const collection = await scene.collection();
      const proxy = await scene.proxy();
      await using behind = await scene.open(proxy);
      assert.deepEqual(kinds(await behind.write(collection, made(5, "a"), false)), all("written", 5));
      await proxy.cut();
      const failed = kinds(await behind.write(collection, [...made(40, "b"), latestOf("k", 1n)], false));
      assert.ok(failed.includes("transient"), failed.join());
      assert.ok(failed.every((kind) => kind === "transient" || kind === "not-attempted"));
      assert.equal((await behind.check()).kind, "away");
      await proxy.restore();
      await until("it is back", async () => (await behind.check()).kind === "available");
      await until("it is written to", async () => {
        const outcomes = kinds(await behind.write(collection, made(40, "b"), true));
        return !outcomes.includes("transient");
      });
      assert.equal((await scene.stored(collection)).size, 45);
      await proxy.delete();
    });

    it("takes answers that never come for an outage, in time, and finds afterwards what was done", EACH, async () => {
      const collection = await scene.collection();
      const proxy = await scene.proxy();
      await using behind = await scene.open(proxy);
      assert.deepEqual(kinds(await behind.write(collection, made(1, "before"), false)), ["written"]);
      const fault = await proxy.freeze({ direction: "downstream" });
      assert.deepEqual(kinds(await behind.write(collection, made(20), true)), all("transient", 20));
      await proxy.remove(fault);
      await until("all was written", async () => (await scene.stored(collection)).size === 21);
      await until("it is back", async () => (await behind.check()).kind === "available");
      assert.deepEqual(kinds(await behind.write(collection, made(20), false)), all(repeated, 20));
      await proxy.delete();
    });
  });
}
