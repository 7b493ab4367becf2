import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Brokers } from "../../src/kafka/cluster.ts";
import type { Generation } from "../../src/kafka/generation.ts";
import { GroupMember, type GroupOptions } from "../../src/kafka/group-member.ts";
import { openSource } from "../../src/kafka/source.ts";
import type { Position } from "../../src/kafka/topic-partition.ts";
import { readRecords } from "../../src/record-batch/records.ts";
import { batchOf } from "../helpers/batches.ts";
import { groupOf, kafkaOf, makeTopic, testLog, until } from "../helpers/kafka.ts";
import { testServices, uniqueName } from "../helpers/services.ts";
import { addPartitions, sendBatches } from "../helpers/topics.ts";

const { brokers } = await testServices();
const kafka = kafkaOf(brokers);

async function newTopic(partitions: number): Promise<string> {
  const topic = uniqueName("group");
  await makeTopic(kafka, { topic, partitions });
  return topic;
}

type Body = (generation: Generation) => Promise<void>;

/** Holds what it is given until the generation is over. */
const hold: Body = async ({ signal }) => {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
};

/** A member of the topic's group that lives as `body` says until it is disposed of. */
class Member implements AsyncDisposable {
  /** Ends with what ended it: the test, or an error. */
  readonly life: Promise<void>;
  generation: Generation | undefined;
  readonly #stop = new AbortController();

  constructor(topic: string, options: Partial<GroupOptions> = {}, body: Body = hold) {
    const group = { ...groupOf(topic, options), topics: [topic], kafka, log: testLog };
    this.life = this.#live(new GroupMember({ ...group, signal: this.#stop.signal }), body);
    this.life.catch(() => {});
  }

  /** What it reads now; nothing once its generation is over. */
  get partitions(): readonly number[] {
    if (this.generation?.signal.aborted !== false) return [];
    return this.generation.assignment.map(({ partition }) => partition);
  }

  async leave(): Promise<void> {
    this.#stop.abort();
    await this.life;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave().catch(() => {});
  }

  async #live(created: GroupMember, body: Body): Promise<void> {
    await using member = created;
    for await (const generation of member.generations()) {
      this.generation = generation;
      await body(generation);
    }
  }
}

/** Waits until all are in one generation and have so many partitions each; returns which. */
async function settled(members: readonly Member[], ...counts: readonly number[]): Promise<(readonly number[])[]> {
  const ended = members.map(({ life }) => life.then(() => assert.fail("a member ended by itself")));
  const dealt = until(`${counts.join(" + ")} partitions`, () => {
    const generations = new Set(members.map(({ generation }) => generation?.id));
    const partitions = members.map((member) => member.partitions);
    const sizes = partitions.map(({ length }) => length).toSorted();
    return generations.size === 1 && sizes.join() === counts.toSorted().join() && partitions;
  });
  const partitions = await Promise.race([dealt, ...ended]);
  const all = partitions.flat();
  assert.equal(new Set(all).size, all.length, "a partition has two owners");
  return partitions;
}

function moved(before: readonly number[] | undefined, now: readonly number[] | undefined): number {
  return now?.filter((partition) => !before?.includes(partition)).length ?? 0;
}

test("members that come and go move as few partitions as can be", async () => {
  const topic = await newTopic(12);
  await using first = new Member(topic);
  await settled([first], 12);
  await using second = new Member(topic);
  const two = await settled([first, second], 6, 6);
  {
    await using third = new Member(topic);
    const three = await settled([first, second, third], 4, 4, 4);
    assert.equal(moved(two[0], three[0]) + moved(two[1], three[1]), 0);
    await using fourth = new Member(topic);
    const four = await settled([first, second, third, fourth], 3, 3, 3, 3);
    for (const i of [0, 1, 2]) assert.equal(moved(three[i], four[i]), 0);
  }
  const again = await settled([first, second], 6, 6);
  // What stayed with them through all of it, they still have: each has been given three others at most.
  assert.ok(moved(two[0], again[0]) <= 3 && moved(two[1], again[1]) <= 3, JSON.stringify({ two, again }));
});

test("partitions that a topic gets while the group runs are dealt out and read from their beginning", async () => {
  const topic = await newTopic(2);
  const options = { metadataRefreshMs: 200 };
  await using first = new Member(topic, options);
  await settled([first], 2);
  await using second = new Member(topic, options);
  const before = await settled([first, second], 1, 1);
  await addPartitions(kafka, topic, 5);
  await using connections = new Brokers(kafka, testLog);
  for (const partition of [2, 3, 4]) await sendBatches(connections, topic, partition, [oneRecord()]);
  const now = await settled([first, second], 2, 3);
  for (const i of [0, 1]) assert.ok(now[i]?.includes(before[i]?.[0] ?? -1), JSON.stringify({ before, now }));
  for (const { generation } of [first, second]) {
    for (const { offset, partition } of (await generation?.positions()) ?? []) {
      assert.equal(offset, 0n, `partition ${partition} is begun at ${offset}`);
    }
  }
});

function oneRecord(): Buffer {
  return batchOf([{ key: null, value: Buffer.from("v"), timestamp: Date.now() }]);
}

/** A static member as a process. */
class MemberProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly generations: { readonly id: number; readonly partitions: readonly number[] }[] = [];

  constructor(topic: string, instanceId: string) {
    const main = fileURLToPath(import.meta.resolve("../helpers/group-member-process.ts"));
    const args = [main, brokers.join(), topic, topic, instanceId];
    this.#child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    this.#ended = once(this.#child, "close");
    assert.ok(this.#child.stdout !== null);
    createInterface(this.#child.stdout).on("line", (line) => this.generations.push(JSON.parse(line)));
  }

  /** SIGKILL; resolves when it is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }
}

test("static members that crash and come back get their partitions again, and the others notice nothing", async () => {
  const topic = await newTopic(9);
  const names = ["leader", "follower"];
  await using crashing = new AsyncDisposableStack();
  const before: MemberProcess[] = [];
  for (const name of names) {
    before.push(crashing.use(new MemberProcess(topic, name)));
    await until(`the ${name}`, () => before.at(-1)?.generations.length);
  }
  await using witness = new Member(topic, { sessionTimeoutMs: 30_000 });
  await settled([witness], 3);
  const generation = witness.generation ?? assert.fail("the witness has no generation");
  await until("the others' share", () => before.every(({ generations }) => generations.at(-1)?.id === generation.id));
  for (const { generations } of before) assert.equal(generations.at(-1)?.partitions.length, 3);

  await crashing.disposeAsync();
  await using back = new AsyncDisposableStack();
  const after = names.map((name) => back.use(new MemberProcess(topic, name)));
  await until("their return", () => after.every(({ generations }) => generations.length > 0));
  assert.deepEqual(
    after.map(({ generations }) => generations),
    before.map(({ generations }) => generations.slice(-1)),
  );
  // The group goes on in the generation it was in: what is committed under it is accepted.
  await generation.commit(await generation.positions());
  assert.equal(generation.signal.aborted, false);
  assert.equal(witness.generation, generation);
});

test("of two processes with one instance id, the earlier ends by name and the later goes on", async () => {
  const topic = await newTopic(2);
  await using earlier = new Member(topic, { instanceId: "twin" });
  await settled([earlier], 2);
  await using later = new Member(topic, { instanceId: "twin" });
  await assert.rejects(earlier.life, { code: "FENCED" });
  await settled([later], 2);
});

test("a member that keeps its partitions beyond the rebalance time-out can't commit over its successor", async () => {
  const topic = await newTopic(2);
  const options = { rebalanceTimeoutMs: 1_500 };
  const { promise: held, resolve: letGo } = Promise.withResolvers<void>();
  await using zombie = new Member(topic, options, async (generation) => {
    await held;
    await hold(generation);
  });
  // Whatever happens: it can't end before.
  using _ = { [Symbol.dispose]: letGo };
  await settled([zombie], 2);
  const old = zombie.generation ?? assert.fail("no generation");
  const partitions = await old.positions();
  const at = (offset: bigint): readonly Position[] => partitions.map((partition) => ({ ...partition, offset }));
  await old.commit(at(5n));

  await using successor = new Member(topic, options);
  await settled([successor], 2);
  const now = successor.generation ?? assert.fail("no generation");
  assert.deepEqual(await now.positions(), at(5n));
  await now.commit(at(10n));
  await assert.rejects(old.commit(at(7n)), { code: "FENCED" });
  assert.equal(old.signal.aborted, true);
  assert.deepEqual(await now.positions(), at(10n));

  letGo();
  await settled([zombie, successor], 1, 1);
});

/** What a member does in a partition, in the order it happens over all members. */
interface Event {
  readonly what: "begins at" | "processes" | "commits";
  readonly partition: number;
  readonly offset: bigint;
  /** One member in one generation. */
  readonly tenancy: string;
}

/** Reads and commits, noting all it does. When its generation is over it finishes what it has, or else abandons it. */
function worker(name: string, events: Event[], finishes: boolean): Body {
  return async (generation) => {
    const { signal, id } = generation;
    const tenancy = `${name} in generation ${id}`;
    const positions = await generation.positions();
    for (const { partition, offset } of positions) events.push({ what: "begins at", partition, offset, tenancy });
    const next = new Map(positions.map((position) => [position.partition, position]));
    const commit = async () => {
      await generation.commit([...next.values()]);
      for (const { partition, offset } of next.values()) events.push({ what: "commits", partition, offset, tenancy });
    };
    const fetch = { partitionBytes: 2_000, maxWaitMs: 50 };
    let parts = 0;
    for await (const fetched of openSource({ kafka, positions, signal, log: testLog, fetch })) {
      for (const { partition, offset } of readRecords(fetched)) {
        if (signal.aborted && !finishes) return;
        // The work on a record takes a while, in which the group may rebalance.
        for (let turns = 0; turns < 5; turns++) await nextTurn();
        events.push({ what: "processes", partition, offset, tenancy });
        const position = next.get(partition);
        assert.ok(position !== undefined, `${tenancy} reads partition ${partition}, which it was not given`);
        next.set(partition, { ...position, offset: offset + 1n });
      }
      // Not every time: a handover finds records that are processed and not committed.
      if (++parts % 5 === 0 && !signal.aborted) await commit();
    }
    if (finishes) await commit();
  };
}

test("a partition is handed over without loss, and its old owner is done with it before the new one begins", async (t) => {
  const partitions = 4;
  const topic = await newTopic(partitions);
  const stop = new AbortController();
  await using connections = new Brokers(kafka, testLog);
  const written = new Array<bigint>(partitions).fill(0n);
  const writing = (async () => {
    while (!stop.signal.aborted) {
      for (let partition = 0; partition < partitions; partition++) {
        const records = Array.from({ length: 10 }, () => ({
          key: null,
          value: Buffer.alloc(100),
          timestamp: Date.now(),
        }));
        const [answer] = await sendBatches(connections, topic, partition, [batchOf(records)]);
        written[partition] = (answer?.baseOffset ?? 0n) + 10n;
      }
    }
  })();

  const events: Event[] = [];
  const processedBy = (name: string) =>
    events.filter(({ what, tenancy }) => what === "processes" && tenancy.startsWith(name));
  const first = new Member(topic, {}, worker("first", events, true));
  const guests: string[] = [];
  try {
    for (const finishes of [true, false, true, false]) {
      const name = `${finishes ? "finishing" : "abandoning"} guest ${guests.push("")}`;
      await using guest = new Member(topic, {}, worker(name, events, finishes));
      const mine = processedBy("first").length;
      await until("records for both", () => processedBy(name).length > 50 && processedBy("first").length > mine + 50);
      await guest.leave();
    }
    stop.abort();
    await writing;
    await until("all of it", () => {
      const ends = new Map(processedBy("first").map(({ partition, offset }) => [partition, offset + 1n]));
      return written.every((end, partition) => ends.get(partition) === end);
    });
  } finally {
    stop.abort();
    await first.leave();
  }

  let repeated = 0;
  for (let partition = 0; partition < partitions; partition++) {
    let tenancy = "";
    let next = 0n;
    let committed = 0n;
    for (const event of events.filter((one) => one.partition === partition)) {
      const told = `partition ${partition}: ${event.tenancy} ${event.what} ${event.offset}, after ${tenancy}`;
      if (event.what === "begins at") {
        assert.equal(event.offset, committed, told);
        // Only who abandoned records leaves some to be processed again.
        if (!tenancy.startsWith("abandoning")) assert.equal(event.offset, next, told);
        repeated += Number(next - event.offset);
        ({ tenancy, offset: next } = event);
      } else {
        assert.equal(event.tenancy, tenancy, told);
        if (event.what === "commits") committed = event.offset;
        else assert.equal(event.offset, next++, told);
      }
    }
    assert.equal(next, written[partition], `partition ${partition}`);
  }
  t.diagnostic(
    `${processedBy("").length} records, ${repeated} of them again, ${new Set(events.map(({ tenancy }) => tenancy)).size} tenancies`,
  );
});

test("where to begin is settled once: what comes in before the first commit is read by whoever asks again", async () => {
  const topic = await newTopic(1);
  const [batch] = [batchOf([{ key: null, value: Buffer.from("a"), timestamp: Date.now() }])];
  await using connections = new Brokers(kafka, testLog);
  await until("it can be written", async () => {
    const [answer] = await sendBatches(connections, topic, 0, [batch]).catch(() => []);
    return answer?.errorCode === 0;
  });
  const begun: bigint[] = [];
  for (let run = 0; run < 2; run++) {
    await using _member = new Member(topic, { offsetReset: "latest" }, async (generation) => {
      for (const { offset } of await generation.positions()) begun.push(offset);
      for (const { offset } of await generation.positions()) begun.push(offset);
      await hold(generation);
    });
    await until("it has asked", () => begun.length === 2 * (run + 1));
    // Nothing is committed of it: as if the relay had failed before it had done anything.
    await sendBatches(connections, topic, 0, [batch]);
  }
  assert.equal(new Set(begun).size, 1, `begun at ${begun.join()}`);
});

test("a member that is stopped while it joins has left: nothing is dealt to it", async () => {
  const topic = await newTopic(4);
  const drained = Promise.withResolvers<void>();
  let lives = 0;
  const patient = { sessionTimeoutMs: 30_000, rebalanceTimeoutMs: 60_000 };
  await using stays = new Member(topic, patient, async (generation) => {
    await hold(generation);
    if (++lives === 1) await drained.promise;
  });
  await until("it has all", () => stays.partitions.length === 4);
  const joins = new Member(topic, patient);
  await until("the group rebalances", () => stays.generation?.signal.aborted === true);
  await joins.leave();
  drained.resolve();
  // Far less than the session of the one that has gone.
  await until("it has all again", () => stays.partitions.length === 4, 15_000);
});
