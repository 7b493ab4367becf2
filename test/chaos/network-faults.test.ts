/**
 * Three brokers, replication factor 3, min ISR 2, and between them and their clients a network that fails: connections
 * are cut and reset, brokers freeze, the link is slow, brokers are SIGKILLed. Meanwhile records are written, read by a
 * source and relayed. Judge is Kafka's own Java client, on a way of its own to the brokers.
 */
import assert from "node:assert/strict";
import { after, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { SpillwayError } from "../../src/errors.ts";
import type { WantedTopic } from "../../src/kafka/admin.ts";
import { Brokers, type TopicMetadata } from "../../src/kafka/cluster.ts";
import type { KafkaOptions } from "../../src/kafka/options.ts";
import { findCoordinator } from "../../src/kafka/protocol/messages.ts";
import { openSource } from "../../src/kafka/source.ts";
import { Writer } from "../../src/kafka/writer.ts";
import { BatchBuilder } from "../../src/record-batch/batch-builder.ts";
import { readRecords } from "../../src/record-batch/records.ts";
import { RELAY_DEFAULTS } from "../../src/relay/options.ts";
import { runRelay } from "../../src/relay/relay.ts";
import { Beside } from "../helpers/beside.ts";
import { assertCommitsSound, type CommitSample, CommitWatch } from "../helpers/commit-watch.ts";
import { assertWrittenOnce, Flow } from "../helpers/flow.ts";
import { groupOf, makeTopic, startOf, testLog, until } from "../helpers/kafka.ts";
import { startProxiedKafka } from "../helpers/proxied-kafka.ts";
import { firstAppearances, type LogRecord, readLogs } from "../helpers/record-lines.ts";
import { randomOf, seeds } from "../helpers/seeds.ts";
import { uniqueName } from "../helpers/services.ts";

const HOT_PARTITIONS = 6;
const WIDE_PARTITIONS = 12;
/** Enough to be under way at every fault. */
const RECORDS_PER_SECOND = 2_000;
const CATCH_UP_MS = 60_000;
const REPLICATED = { replicationFactor: 3, config: { "min.insync.replicas": "2" } } as const;
/** The broker that is dead at the moment, numbered from 0: a restart takes long, so it waits until it is needed. */
let down: number | undefined;

const { services, proxies, direct, proxied, stop } = await startProxiedKafka();
after(stop);

// Made while all brokers live, so that each leads a partition of each.
const lonely = await topicOf("lonely", 3, { replicationFactor: 1 });
const lonelyLeaders = (await describe(lonely)).map(({ leader }) => leader);
const demanding = await topicOf("demanding", 6, { replicationFactor: 3, config: { "min.insync.replicas": "3" } });
const demandingLess = await topicOf("demanding-less", 6, REPLICATED);

/** Reads a topic from its beginning by a source, and keeps what came. */
function readBySource(kafka: KafkaOptions, positions: Awaited<ReturnType<typeof startOf>>, read: LogRecord[]): Beside {
  return new Beside(async (signal) => {
    for await (const fetched of openSource({ kafka, positions, signal, log: testLog })) keep(fetched, read);
  });
}

function keep(fetched: Parameters<typeof readRecords>[0] & { readonly partition: number }, read: LogRecord[]): void {
  for (const { offset, key, value } of readRecords(fetched)) {
    read.push({ partition: fetched.partition, offset: Number(offset), key: String(key), value: String(value) });
  }
}

/** What was read is the log, partition by partition: every record once, in its order, byte for byte. */
function assertReadOnce(read: readonly LogRecord[], log: readonly LogRecord[]): void {
  const byPartition = (records: readonly LogRecord[]) =>
    new Map([...Map.groupBy(records, ({ partition }) => partition)].toSorted(([a], [b]) => a - b));
  assert.deepEqual(byPartition(read), byPartition(log));
}

async function topicOf(prefix: string, partitions: number, how: Omit<WantedTopic, "topic" | "partitions">) {
  const topic = uniqueName(prefix);
  await makeTopic(direct, { topic, partitions, ...how });
  return topic;
}

async function describe(topic: string): Promise<TopicMetadata["partitions"]> {
  await using brokers = new Brokers(direct, testLog);
  const [metadata] = await brokers.topics([topic]);
  return metadata?.partitions ?? [];
}

interface Scenario {
  readonly flow: Flow;
  readonly hot: string;
  readonly group: string;
}

/** One kind of fault: does its worst, undoes it, and says what it did. */
interface Phase {
  readonly name: string;
  readonly run: (scenario: Scenario, random: () => number) => Promise<string>;
  /** Of a broker that was frozen itself: it answers the judge's questions from the past for a moment. */
  readonly answersFromThePast?: true;
}

/**
 * Writes, reads and relays through all phases. After each, all must catch up; in the end Kafka's Java client judges
 * what was written, and by that what was read, relayed and committed.
 */
async function throughPhases(t: TestContext, seed: number, kafka: KafkaOptions, phases: readonly Phase[]) {
  const random = randomOf(seed);
  const hot = await topicOf("faults-hot", HOT_PARTITIONS, REPLICATED);
  const wide = await topicOf("faults-wide", WIDE_PARTITIONS, REPLICATED);
  const group = groupOf(uniqueName("faults"));
  const read: LogRecord[] = [];
  const guarantee = "at-least-once" as const;
  const options = {
    ...RELAY_DEFAULTS,
    guarantee,
    kafka,
    source: hot,
    target: wide,
    partitions: WIDE_PARTITIONS,
    group,
  };

  await using watch = new CommitWatch({
    kafka: direct,
    group: group.group,
    source: hot,
    partitions: HOT_PARTITIONS,
    target: wide,
  });
  await using source = readBySource(kafka, await startOf(direct, hot), read);
  await using relay = new Beside(async (signal) => {
    await runRelay({ ...options, commitIntervalMs: 100 }, { signal, log: testLog });
  });
  await using flow = new Flow(kafka, hot, RECORDS_PER_SECOND);
  const caughtUp = async () => {
    const sent = flow.sent;
    await until(
      `${sent} records acknowledged, read, relayed and committed`,
      () => {
        for (const part of [flow, source, relay]) part.check();
        return flow.acknowledged.size >= sent && read.length >= sent && watch.committedRecords >= sent;
      },
      CATCH_UP_MS,
    );
  };
  await until("something sent", () => {
    flow.check();
    return flow.sent > 1_000;
  });
  await caughtUp();

  const sound: CommitSample[] = [];
  for (const { name, run, answersFromThePast } of phases) {
    await allUp(hot);
    const [sentBefore, samplesBefore] = [flow.sent, watch.samples.length];
    const did = await run({ flow, hot, group: group.group }, random);
    t.diagnostic(`${name}: ${did}, ${flow.sent - sentBefore} records`);
    await caughtUp();
    if (!answersFromThePast) sound.push(...watch.samples.slice(samplesBefore));
  }
  await flow.stop();
  await caughtUp();
  await relay.stop();
  await source.stop();
  await watch.stop();

  const logs = await readLogs(services.kafka, direct, [hot, wide]);
  const hotLog = logs.get(hot) ?? [];
  const wideLog = logs.get(wide) ?? [];
  assertWrittenOnce(hotLog, flow);
  assertReadOnce(read, hotLog);
  const { places, repeats } = firstAppearances(wideLog);
  assert.equal(places.size, flow.sent, "records relayed");
  assertCommitsSound(sound, hotLog, wideLog);
  t.diagnostic(`${flow.sent} records in all, ${repeats} relayed again, ${sound.length} looks at the commits`);
}

function pick<T>(random: () => number, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)] as T;
}

const cuts: Phase = {
  name: "cuts and resets",
  async run(_, random) {
    let count = 0;
    for (let round = 0; round < 10; round++) {
      // One broker, or all of them: then there is nobody to ask for metadata.
      const victims = random() < 0.3 ? proxies : [pick(random, proxies)];
      const byReset = random() < 0.5;
      const faults = await Promise.all(victims.map((proxy) => (byReset ? proxy.reset() : proxy.cut())));
      await sleep(random() * 250);
      for (const [i, proxy] of victims.entries()) {
        const fault = faults[i];
        await (fault === undefined ? proxy.restore() : proxy.remove(fault));
      }
      count += victims.length;
      await sleep(50 + random() * 350);
    }
    return `${count} of them`;
  },
};

const silence: Phase = {
  name: "a broker whose answers don't come, then one that requests don't reach",
  async run({ group }, random) {
    const silent = pick(random, proxies);
    const unanswered = await silent.freeze({ direction: "downstream" });
    await sleep(5_000);
    await silent.remove(unanswered);
    // Not the coordinator: commits are heard, and must not cover what is on its way to the deaf one.
    const coordinator = await coordinatorOf(group);
    const deaf = pick(
      random,
      proxies.filter((_, node) => node !== coordinator - 1),
    );
    const unheard = await deaf.freeze({ direction: "upstream" });
    await sleep(2_000);
    await deaf.remove(unheard);
    return "5 s and 2 s";
  },
};

const slowLink: Phase = {
  name: "a slow link",
  async run(_, random) {
    const undo = proxies.map(async (proxy) => {
      const faults = [
        await proxy.addLatency({ milliseconds: 60 + Math.round(random() * 60), jitterMilliseconds: 50 }),
        await proxy.addLatency({ milliseconds: 60, jitterMilliseconds: 50, direction: "upstream" }),
        await proxy.limitBandwidth({ kilobytesPerSecond: 100 }),
        await proxy.limitBandwidth({ kilobytesPerSecond: 100, direction: "upstream" }),
      ];
      await sleep(4_000);
      for (const fault of faults) await proxy.remove(fault);
    });
    await Promise.all(undo);
    return "120 to 180 ms there and back and 100 kB/s for 4 s";
  },
};

async function kill(node: number): Promise<void> {
  await services.kafka.kill(node, "SIGKILL");
  down = node;
}

async function allUp(topic: string): Promise<void> {
  if (down !== undefined) await services.kafka.start(down);
  down = undefined;
  await allInSync(topic);
}

/** Node id of a group's coordinator; -1 while there is none. */
async function coordinatorOf(group: string): Promise<number> {
  await using brokers = new Brokers(direct, testLog);
  const { coordinators } = await brokers.request(findCoordinator, { keyType: 0, coordinatorKeys: [group] }, "any");
  return coordinators[0]?.nodeId ?? -1;
}

async function allInSync(topic: string): Promise<void> {
  await until("all replicas in sync", async () => (await describe(topic)).every(({ inSync }) => inSync === 3), 60_000);
}

/** SIGKILLs a broker, and waits until another has its part and there is more to do. */
async function loseBroker(id: number, { flow }: Scenario, isReplaced: () => Promise<boolean>): Promise<string> {
  await kill(id - 1);
  await until("another broker in its place", () => isReplaced().catch(() => false), 60_000);
  const { sent } = flow;
  await until("more to do", () => flow.sent > sent + 1_000);
  return `broker ${id} killed`;
}

const leaderLoss: Phase = {
  name: "the loss of a leader",
  async run(scenario, random) {
    const partition = pick(random, [...Array(HOT_PARTITIONS).keys()]);
    const leader = async () => (await describe(scenario.hot))[partition]?.leader ?? -1;
    const victim = await leader();
    return await loseBroker(victim, scenario, async () => ![victim, -1].includes(await leader()));
  },
};

const coordinatorLoss: Phase = {
  name: "the loss of the group's coordinator",
  async run(scenario) {
    const victim = await coordinatorOf(scenario.group);
    const isReplaced = async () => ![victim, -1].includes(await coordinatorOf(scenario.group));
    return await loseBroker(victim, scenario, isReplaced);
  },
};

const frozenBroker: Phase = {
  name: "a broker that is frozen, loses its leaderships, and doesn't know when it wakes",
  answersFromThePast: true,
  async run({ hot }, random) {
    const node = pick(random, [0, 1, 2]);
    services.kafka.freeze(node);
    try {
      await sleep(5_000);
    } finally {
      services.kafka.thaw(node);
    }
    await allInSync(hot);
    return `broker ${node + 1} for 5 s`;
  },
};

for (const seed of seeds(1)) {
  test(`seed ${seed}: written, read and relayed over a network that fails`, async (t) => {
    const kafka = { ...proxied, requestTimeoutMs: 2_000, connectionTimeoutMs: 2_000 };
    await throughPhases(t, seed, kafka, [cuts, silence, slowLink]);
  });

  test(`seed ${seed}: written, read and relayed though brokers are killed and frozen`, async (t) => {
    const kafka = { ...direct, requestTimeoutMs: 2_000 };
    await throughPhases(t, seed, kafka, [frozenBroker, leaderLoss, coordinatorLoss]);
  });
}

const DELIVERY_TIMEOUT_MS = 2_000;
/** A pause between attempts, and a busy machine; far from the 30 s a request may take. */
const MUCH_LATER_MS = 4_000;

/** Opened before the fault: what it is about is the delivery, and not the way to the cluster. */
async function openWriter(kafka: KafkaOptions): Promise<Writer> {
  const writer = { deliveryTimeoutMs: DELIVERY_TIMEOUT_MS };
  return await Writer.open({ kafka, log: testLog, signal: AbortSignal.timeout(30_000), writer });
}

async function writeOne(writer: Writer, topic: string, partition: number): Promise<unknown> {
  const builder = new BatchBuilder();
  builder.append({ key: null, value: Buffer.from("one"), timestamp: Date.now() });
  const batch = builder.seal("none");
  assert.ok(batch !== undefined && partition >= 0);
  return await writer.write(topic, partition, batch);
}

/** Writes a record that can't be acknowledged. */
async function assertInVain(t: TestContext, what: string, writer: Writer, topic: string, partition: number) {
  const began = performance.now();
  const outcome = await writeOne(writer, topic, partition).then(
    () => "written",
    (error: unknown) => (error instanceof SpillwayError ? error.code : error),
  );
  const afterMs = performance.now() - began;
  t.diagnostic(`${what}: ${outcome} after ${Math.round(afterMs)} ms`);
  assert.equal(outcome, "DELIVERY_FAILED", what);
  assert.ok(afterMs >= DELIVERY_TIMEOUT_MS, `${what}: given up after ${afterMs} ms`);
  assert.ok(afterMs < DELIVERY_TIMEOUT_MS + MUCH_LATER_MS, `${what}: given up only after ${afterMs} ms`);
}

/** The partition of a topic that a broker, by its node id, leads. */
async function ledBy(topic: string, leader: number): Promise<number> {
  return (await describe(topic)).find((candidate) => candidate.leader === leader)?.partition ?? -1;
}

/** Node ids: one that is dead from now on, and two that live. */
async function brokersWithOneDead(): Promise<readonly [number, number, number]> {
  if (down === undefined) await kill(0);
  const dead = (down ?? 0) + 1;
  const [alive = 0, other = 0] = [1, 2, 3].filter((id) => id !== dead);
  return [dead, alive, other];
}

test("a batch without a leader or an answer fails when its time is up, not before and not much later", async (t) => {
  const [dead, alive] = await brokersWithOneDead();
  const [offline, unanswered] = [lonelyLeaders.indexOf(dead), lonelyLeaders.indexOf(alive)];
  await until("a partition without a leader", async () => (await describe(lonely))[offline]?.leader === -1);
  await using leaderless = await openWriter(direct);
  await assertInVain(t, "no leader", leaderless, lonely, offline);

  await using unheard = await openWriter(proxied);
  await writeOne(unheard, lonely, unanswered);
  const silence = await proxies[alive - 1]?.freeze({ direction: "downstream" });
  try {
    await assertInVain(t, "no answer", unheard, lonely, unanswered);
  } finally {
    await proxies[alive - 1]?.remove(silence ?? "");
  }
});

test("a batch without enough replicas fails when its time is up, not before and not much later", async (t) => {
  const [, alive, frozen] = await brokersWithOneDead();
  const refused = await ledBy(demanding, alive);
  const stalled = await ledBy(demandingLess, alive);
  await until("too few replicas in sync", async () => (await describe(demanding))[refused]?.inSync === 2);
  await using refusing = await openWriter(direct);
  await assertInVain(t, "fewer replicas than it takes", refusing, demanding, refused);

  await using waiting = await openWriter(direct);
  await writeOne(waiting, demandingLess, stalled);
  services.kafka.freeze(frozen - 1);
  try {
    await assertInVain(t, "a replica that doesn't follow", waiting, demandingLess, stalled);
  } finally {
    services.kafka.thaw(frozen - 1);
  }
});
