/** What becomes of the records of a key when one of them can't be written: the three policies, and keys that are parked. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { originText } from "../../../src/dead-letter/letter.ts";
import { parkedAmong, parseState, requestKey, stateKey } from "../../../src/dead-letter/parked-key.ts";
import { SpillwayError } from "../../../src/errors.ts";
import type { NewRecord } from "../../../src/record-batch/batch-builder.ts";
import { collectionByTopic } from "../../../src/sink/collection-name.ts";
import { insertModel } from "../../../src/sink/models/insert.ts";
import { latestModel } from "../../../src/sink/models/latest.ts";
import type { SinkOptions } from "../../../src/sink/options.ts";
import { runSink } from "../../../src/sink/sink.ts";
import { AWAY, BAD, until } from "./checks.ts";
import {
  MemoryTarget,
  MemoryTopic,
  memberOf,
  memoryGeneration,
  memoryParts,
  numbered,
  sinkOptions,
  TOPIC,
  TOPIC_ID,
} from "./memory.ts";
import { MemoryKafka, type Step } from "./memory-parking.ts";

const COLLECTION = collectionByTopic([{ topic: TOPIC, collection: TOPIC }]);
const PARK = { onDataError: "park-key", batchTimeoutMs: 1, commitIntervalMs: 2 } as const;

/** Sinks of one group, one after the other, on what outlives them. */
class Scene {
  readonly kafka = new MemoryKafka();
  readonly target = new MemoryTarget();
  committed = new Map<string, bigint>();
  /** Steps that are made until the process is killed, if it is. */
  stepsLeft = Number.POSITIVE_INFINITY;
  model = insertModel(COLLECTION, "value");
  trouble: Step = () => "well";

  constructor() {
    this.target.gate = async () => this.#step();
  }

  /** Runs one up to the end of the records, or until it is killed. */
  async run(records: readonly NewRecord[], options: Partial<SinkOptions> = {}): Promise<"ended" | "killed"> {
    const topic = new MemoryTopic([records], { partRecords: 5 });
    const generation = memoryGeneration(topic.positions(this.committed), async (positions) => {
      this.#step();
      for (const { offset } of positions) this.committed.set(`${TOPIC}/0`, offset);
    });
    const parts = memoryParts(topic, memberOf(generation), {
      target: this.target,
      model: this.model,
      ...this.kafka.parts((what) => {
        this.#step();
        return this.trouble(what);
      }),
    } as object);
    try {
      await runSink(parts, sinkOptions({ ...PARK, lanes: 3, writers: 3, batchRecords: 4, ...options }));
      return "ended";
    } catch (error) {
      if (error instanceof Killed) return "killed";
      throw error;
    }
  }

  ask(key: string, without: readonly string[] = []): void {
    const name = { group: "group", topic: TOPIC, partition: 0, key: Buffer.from(key) };
    if (parseState(this.kafka.control.get(stateKey(name)))?.state !== "parked") return;
    const id = String(Math.random());
    this.kafka.control.set(requestKey(name), JSON.stringify({ id, without }));
  }

  parked(): string[] {
    const entries = [...this.kafka.control].map(([key, value]) => ({ key, value }));
    return parkedAmong(entries).map(({ name }) => name.key.toString());
  }

  /** Sequence numbers of a key in the dead-letter topic, copies once. */
  letters(key: string): number[] {
    const seen = new Set<string>();
    return this.kafka.read().flatMap((letter) => {
      if (letter.record.key?.toString() !== key || seen.has(originText(letter))) return [];
      seen.add(originText(letter));
      return [Number(letter.origin?.offset)];
    });
  }

  /** Offsets of a key's documents, in the order in which they came to be. */
  written(key: string): number[] {
    return this.target.order.flatMap(({ id }) => {
      const of = this.target.documents.get(id)?.["key"];
      return of === key ? [Number(id.split("-").at(-1))] : [];
    });
  }

  #step(): void {
    this.stepsLeft--;
    if (this.stepsLeft < 0) throw new Killed();
  }
}

/** Nothing that comes after it takes effect: as if the process had been killed. */
class Killed extends Error {}

test("stop ends the sink, names the record, and commits nothing behind it", async () => {
  const scene = new Scene();
  const records = Array.from({ length: 20 }, (_, i) => numbered(`k${i % 2}`, i));
  records[12] = { key: Buffer.from("k0"), value: Buffer.from("{"), timestamp: 1 };
  await assert.rejects(scene.run(records, { onDataError: "stop" }), (error) => {
    assert.ok(error instanceof SpillwayError && error.code === "DATA_ERROR");
    assert.deepEqual([error.context.topic, error.context.partition, error.context.offset], [TOPIC, 0, 12n]);
    assert.match(error.message, /invalid-json.*--on-data-error/);
    return true;
  });
  assert.ok((scene.committed.get(`${TOPIC}/0`) ?? 0n) <= 12n);
  assert.equal(scene.kafka.letters.length, 0);
});

test("a parked key's later records follow in order, others and those without a key flow", async () => {
  const scene = new Scene();
  const records = Array.from({ length: 60 }, (_, i) => numbered(i % 3 === 2 ? null : `k${i % 3}`, i));
  scene.target.fault = ({ document }) => (document["sequence"] === 9 || document["sequence"] === 11 ? BAD : undefined);
  await scene.run(records);
  assert.deepEqual(scene.parked(), ["k0"]);
  assert.deepEqual(scene.written("k0"), [0, 3, 6]);
  assert.deepEqual(scene.letters("k0"), range(9, 60, 3));
  assert.deepEqual(scene.written("k1"), range(1, 60, 3));
  const codes = scene.kafka.read().map(({ code, attempts }) => `${code} ${attempts}`);
  assert.equal(codes.filter((code) => code === "test-bad 1").length, 2, "the poison, and the one without a key");
  assert.equal(codes.filter((code) => code === "parked 0").length, 16);

  // Another sink goes on where the first has stopped; the key waits for somebody to ask.
  const more = [...records, ...Array.from({ length: 6 }, (_, i) => numbered("k0", 60 + i))];
  scene.target.fault = () => undefined;
  await scene.run(more);
  assert.deepEqual(scene.letters("k0"), [...range(9, 60, 3), ...range(60, 66)]);
  scene.ask("k0");
  await scene.run([...more, numbered("k0", 66)]);
  assert.deepEqual(scene.parked(), []);
  assert.deepEqual(scene.written("k0"), [...range(0, 60, 3), ...range(60, 67)]);
  assert.deepEqual(
    [...scene.kafka.control.keys()].filter((key) => key.startsWith("redrive-key")),
    [],
  );
});

test("a letter that fails again keeps its key parked; those before it are not tried again; it can be left out", async () => {
  const scene = new Scene();
  const records = Array.from({ length: 12 }, (_, i) => numbered("k", i));
  let bad = new Set([2]);
  const tried: unknown[] = [];
  scene.target.fault = ({ document: { sequence } }) => {
    tried.push(sequence);
    return bad.has(sequence as number) ? BAD : undefined;
  };
  // All of them are one batch.
  await scene.run(records, { batchTimeoutMs: 500, batchRecords: 100 });
  assert.deepEqual(scene.written("k"), [0, 1]);
  assert.deepEqual(scene.letters("k"), range(2, 12));
  bad = new Set([7]);
  scene.ask("k");
  await scene.run(records);
  assert.deepEqual(scene.written("k"), range(0, 7));
  const [state] = [...scene.kafka.control.values()].map(parseState);
  assert.ok(state?.state === "parked");
  assert.deepEqual([state.code, state.origin, state.letters.offset], ["test-bad", `${TOPIC_ID}-0-7`, 5n]);
  tried.length = 0;
  scene.ask("k", [`${TOPIC}-0-7`]);
  await scene.run([...records, numbered("k", 12)]);
  assert.deepEqual(tried, range(8, 13));
  assert.deepEqual(scene.parked(), []);
  assert.equal(scene.kafka.letters.length, 10, "nothing was added to the dead letters");
});

test("a record counts as done once its key is known to be parked, and not with its letter", async () => {
  const scene = new Scene();
  const held = Promise.withResolvers<void>();
  scene.kafka.held = held.promise;
  const running = scene.run([numbered("k", 0), { ...numbered("k", 1), value: Buffer.from("{") }]);
  await until(() => scene.kafka.letters.length === 1, "its letter is there");
  await new Promise((resolve) => setTimeout(resolve, 20 * PARK.commitIntervalMs));
  const early = scene.committed.get(`${TOPIC}/0`);
  held.resolve();
  await running;
  assert.equal(early, undefined);
  assert.equal(scene.committed.get(`${TOPIC}/0`), 2n);
});

test("latest: a state before a poison is written and not collapsed with one behind it", async () => {
  const scene = new Scene();
  scene.model = latestModel(COLLECTION, "value");
  const records = Array.from({ length: 4 }, (_, i) => numbered("k", i));
  records[2] = { key: Buffer.from("k"), value: Buffer.from("["), timestamp: 1 };
  await scene.run(records);
  assert.equal(scene.target.documents.get("k")?.["sequence"], 1);
  assert.deepEqual(scene.letters("k"), [2, 3]);
});

test("one key too many ends the sink, before anything is written of it", async () => {
  const scene = new Scene();
  const records = Array.from({ length: 3 }, (_, i) => ({ ...numbered(`k${i}`, i), value: Buffer.from("{") }));
  await scene.run(records.slice(0, 2), { maxParkedKeys: 2 });
  await assert.rejects(scene.run(records, { maxParkedKeys: 2 }), { code: "TOO_MANY_PARKED_KEYS" });
  assert.deepEqual(scene.parked().toSorted(), ["k0", "k1"]);
  assert.equal(scene.kafka.letters.length, 2);
  assert.equal(scene.committed.get(`${TOPIC}/0`), 2n);
});

test("a sink told to park keys needs a place for them", async () => {
  const topic = new MemoryTopic([[]]);
  const parts = memoryParts(topic, memberOf(memoryGeneration(topic.positions())));
  await assert.rejects(runSink(parts, sinkOptions({ onDataError: "park-key" })), { code: "CONFIG_INVALID" });
});

const KEYS = ["a", "b", "c"] as const;

/** Records, which of them are bad and how, when processes are killed, and what goes wrong on the way. */
const STORY = fc.record({
  keys: fc.array(fc.constantFrom(...KEYS, null), { minLength: 1, maxLength: 40, size: "max" }),
  more: fc.array(fc.constantFrom(...KEYS), { maxLength: 15, size: "max" }),
  undecodable: fc.array(fc.nat(45), { maxLength: 3 }),
  refused: fc.array(fc.nat(45), { maxLength: 4 }),
  kills: fc.array(fc.nat(40), { maxLength: 4 }),
  killsOfRedrive: fc.array(fc.nat(30), { maxLength: 4 }),
  troubles: fc.array(fc.constantFrom("well", "well", "before", "behind"), { maxLength: 12, size: "max" }),
  away: fc.array(fc.boolean(), { maxLength: 10 }),
  model: fc.constantFrom("insert", "latest"),
});

test("whatever is bad, whenever it is killed: nothing is lost, and the order of each key holds", async () => {
  const numRuns = Number(process.env["SPILLWAY_SEEDS"] ?? 3) * 25;
  await fc.assert(
    fc.asyncProperty(STORY, async (story) => {
      const scene = new Scene();
      if (story.model === "latest") scene.model = latestModel(COLLECTION, "value");
      const keyless = story.model === "latest" ? "d" : null;
      const keys = [...story.keys.map((key) => key ?? keyless), ...story.more];
      const all = keys.map((key, i) =>
        story.undecodable.includes(i) ? { ...numbered(key, i), value: Buffer.from("{") } : numbered(key, i),
      );
      const before = all.slice(0, story.keys.length);
      const bad = new Set([...story.undecodable, ...story.refused]);
      let refused = new Set(story.refused);
      let step = 0;
      scene.trouble = () => story.troubles[step++] ?? "well";
      let attempt = 0;
      scene.target.fault = ({ document: { sequence } }) => {
        if (story.away[attempt++] === true) return AWAY;
        return refused.has(sequence as number) ? BAD : undefined;
      };

      await throughKills(scene, story.kills, () => scene.run(before));
      // A state that is refused may never be tried: a newer one of its batch stands for it.
      for (const key of story.model === "latest" && story.refused.length > 0 ? [] : KEYS) {
        const own = before.flatMap((_, i) => (keys[i] === key ? [i] : []));
        const first = own.find((i) => bad.has(i));
        const flowed = own.filter((i) => first === undefined || i < first);
        assert.deepEqual(scene.letters(key), own.slice(flowed.length), `letters of ${key}`);
        assertState(scene, key, flowed, story.model);
        assert.equal(scene.parked().includes(key), first !== undefined);
      }

      // It is mended, but for what is no JSON: that is left out. New records come in meanwhile.
      refused = new Set();
      const without = story.undecodable.map((i) => `${TOPIC_ID}-0-${i}`);
      const ask = () => {
        for (const key of [...KEYS, "d"]) scene.ask(key, without);
      };
      ask();
      await throughKills(scene, story.killsOfRedrive, () => scene.run(all));
      // What is no JSON among the new ones parks its key again.
      ask();
      assert.equal(await scene.run(all), "ended");
      assert.deepEqual(scene.parked(), []);
      for (const key of KEYS) {
        const own = all.flatMap((_, i) => (keys[i] === key && !story.undecodable.includes(i) ? [i] : []));
        assertState(scene, key, own, story.model);
      }
    }),
    { numRuns },
  );
});

async function throughKills(scene: Scene, kills: readonly number[], run: () => Promise<"ended" | "killed">) {
  for (const steps of kills) {
    scene.stepsLeft = steps;
    await run();
  }
  scene.stepsLeft = Number.POSITIVE_INFINITY;
  assert.equal(await run(), "ended");
}

function assertState(scene: Scene, key: string, written: readonly number[], model: string): void {
  if (model === "insert") assert.deepEqual(scene.written(key), written, `documents of ${key}`);
  else assert.equal(scene.target.documents.get(key)?.["sequence"], written.at(-1), `state of ${key}`);
}

function range(from: number, to: number, by = 1): number[] {
  return Array.from({ length: Math.ceil((to - from) / by) }, (_, i) => from + i * by);
}
