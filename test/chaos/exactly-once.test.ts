/**
 * Exactly once, on real brokers: relays are killed, frozen, joined by others and cut off, and brokers are killed, at
 * seeded random moments, while a producer writes without a pause. Judge is Kafka's own Java client, read_committed.
 *
 * SPILLWAY_KILLS says how many relays are killed: 30 make the long form, with more faults of the other kinds.
 */
import assert from "node:assert/strict";
import { after, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Java } from "../../services/kafka/java.ts";
import { startServices } from "../../services/services.ts";
import { Brokers } from "../../src/kafka/cluster.ts";
import type { KafkaOptions } from "../../src/kafka/options.ts";
import { findCoordinator } from "../../src/kafka/protocol/messages.ts";
import { assertCommitsSound } from "../helpers/commit-watch.ts";
import { kafkaOf, testLog, until } from "../helpers/kafka.ts";
import type { SpillwayProcess } from "../helpers/process.ts";
import { startProxiedKafka } from "../helpers/proxied-kafka.ts";
import { numberedValue } from "../helpers/record-lines.ts";
import { FAULTLESS, faultsOf, judge } from "../helpers/relay-judge.ts";
import { joinedOf, RelayScene } from "../helpers/relay-scene.ts";
import { randomOf, seeds } from "../helpers/seeds.ts";

const KILLS = Number(process.env["SPILLWAY_KILLS"] ?? 2);
const IS_LONG = KILLS >= 20;
const SOURCE_PARTITIONS = 4;
const SHAPE = { sourcePartitions: SOURCE_PARTITIONS, targetPartitions: 8 } as const;
const EXACTLY_ONCE = [
  "--guarantee",
  "exactly-once",
  "--transaction-ms",
  "200",
  "--request-timeout-ms",
  "3000",
] as const;

/** For a busy machine, on top of what the time-outs of Kafka make it. */
const SLACK_MS = 15_000;
const DEADLINE_MS = 60_000;
/** An abandoned transaction that nobody takes over: its time-out, and the brokers' look for such, every so often. */
const HOLD_UP_BOUND_MS = 10_000 + 10_000 + SLACK_MS;
/** The same, shorter. */
const [TIMEOUT_MS, SCAN_MS] = [3_000, 1_000];

const { services, proxies, direct, proxied, stop } = await startProxiedKafka();
after(stop);

/** One run with its relays: one that is always there, killed or not, and another that comes and goes. */
class Run {
  readonly scene: RelayScene;
  readonly random: () => number;
  steady: SpillwayProcess;
  visitor: SpillwayProcess | undefined;
  readonly #test: TestContext;

  constructor(test: TestContext, scene: RelayScene, random: () => number) {
    this.#test = test;
    this.scene = scene;
    this.random = random;
    this.steady = this.startSteady("--log-level", "debug");
  }

  /** A static member: its partitions wait for its return. */
  startSteady(...args: readonly string[]): SpillwayProcess {
    return this.scene.start("--instance-id", "steady", ...args);
  }

  /** Some moment while it is at work: within a transaction, mostly. */
  async moment(): Promise<void> {
    await this.scene.progress(100 + this.random() * 400);
    await sleep(this.random() * 150);
  }

  /** Does something to the relays, waits until they are back at work, and tells how long readers were held up. */
  async heldUpBy(what: string, fault: () => Promise<void>): Promise<void> {
    const { holdUps } = this.scene;
    holdUps.takeLongestMs();
    await fault();
    await until("readers who can go on", () => holdUps.isFree(500), HOLD_UP_BOUND_MS);
    const ms = Math.round(holdUps.takeLongestMs());
    this.#test.diagnostic(`${what}: readers held up for ${ms} ms`);
    assert.ok(ms < HOLD_UP_BOUND_MS, `${what}: readers were held up for ${ms} ms`);
  }
}

type Fault = (run: Run) => Promise<void>;

const kill: Fault = async (run) => {
  await run.moment();
  await run.heldUpBy("a relay killed and started again", async () => {
    await run.steady.crash();
    run.steady = run.startSteady();
    // Now and then it doesn't even come to its work.
    if (run.random() < 0.25) {
      await sleep(run.random() * 1_500);
      await run.steady.crash();
      run.steady = run.startSteady();
    }
    await until("a member again", () => joinedOf(run.steady).generation >= 0, DEADLINE_MS);
  });
};

async function receive(run: Run): Promise<SpillwayProcess> {
  run.visitor ??= run.scene.start();
  const { visitor } = run;
  await until(
    "a share for each",
    () => [run.steady, visitor].every((relay) => joinedOf(relay).partitions === SOURCE_PARTITIONS / 2),
    DEADLINE_MS,
  );
  return visitor;
}

const visit: Fault = async (run) => {
  await run.moment();
  await run.heldUpBy("a relay joins", async () => void (await receive(run)));
  await leave(run);
};

const leave: Fault = async (run) => {
  await run.moment();
  await run.heldUpBy("a relay leaves", async () => {
    await run.visitor?.stop();
    run.visitor = undefined;
  });
};

const killForGood: Fault = async (run) => {
  const visitor = await receive(run);
  await run.moment();
  await run.heldUpBy("a relay killed, another takes over after the session time-out", async () => {
    await visitor.crash();
    run.visitor = undefined;
    await until("all with the other", () => joinedOf(run.steady).partitions === SOURCE_PARTITIONS, DEADLINE_MS);
  });
};

/** Nobody takes over: the brokers' time-out must end what the relay left open. */
const abandon: Fault = async (run) => {
  await run.visitor?.stop();
  run.visitor = undefined;
  await run.moment();
  await run.heldUpBy("a relay killed, nobody takes over", async () => {
    await crashWithinTransaction(run);
    await until("readers who can go on", () => run.scene.holdUps.isFree(0), HOLD_UP_BOUND_MS);
  });
  run.steady = run.startSteady();
  await until("a member again", () => joinedOf(run.steady).generation >= 0, DEADLINE_MS);
};

/** So that a transaction is left open: it is frozen, looked at, and let go on where there is none. */
async function crashWithinTransaction({ scene, steady }: Run): Promise<void> {
  for (;;) {
    steady.kill("SIGSTOP");
    const { looks } = scene.holdUps;
    // What was on its way when it froze may still end the transaction.
    await until("some looks", () => scene.holdUps.looks > looks + 10);
    if (!scene.holdUps.isFree(100)) break;
    steady.kill("SIGCONT");
    await scene.progress(50);
  }
  await steady.crash();
}

const zombie: Fault = async (run) => {
  const visitor = await receive(run);
  await run.moment();
  const { generation } = joinedOf(visitor);
  await run.heldUpBy("a relay frozen, another takes over after the session time-out", async () => {
    visitor.kill("SIGSTOP");
    await until("all with the other", () => joinedOf(run.steady).partitions === SOURCE_PARTITIONS, DEADLINE_MS);
    await run.scene.progressEverywhere(100);
  });
  await run.heldUpBy("a zombie wakes", async () => {
    const before = fencingsOf(run.steady);
    visitor.kill("SIGCONT");
    await until("the zombie a member again", () => joinedOf(visitor).generation > generation, DEADLINE_MS);
    await run.scene.progressEverywhere(100);
    assert.equal(fencingsOf(run.steady), before, `the zombie has fenced its heir:\n${run.steady.log}`);
  });
};

/** How often a relay was told that its transactional id has another owner. */
function fencingsOf({ log }: SpillwayProcess): number {
  return [...log.matchAll(/INVALID_PRODUCER_EPOCH|PRODUCER_FENCED/g)].length;
}

const cuts: Fault = async (run) => {
  const { random } = run;
  await run.heldUpBy("connections cut", async () => {
    for (let round = 0; round < 3; round++) {
      const victims = random() < 0.3 ? proxies : [pick(random, proxies)];
      const undo = await Promise.all(
        victims.map(async (proxy) => {
          if (random() < 0.5) {
            await proxy.cut();
            return () => proxy.restore();
          }
          const reset = await proxy.reset();
          return () => proxy.remove(reset);
        }),
      );
      await sleep(random() * 250);
      for (const restore of undo) await restore();
      await sleep(100 + random() * 300);
    }
    await run.scene.progressEverywhere(50);
  });
};

/** Of the broker that was killed last. */
let returning: Promise<void> | undefined;

/** Kills the broker in a role, has the relays go on without it, and starts it again. */
function loseBroker(role: string, find: (scene: RelayScene) => Promise<number>): Fault {
  return async (run) => {
    const { scene } = run;
    await returning;
    await until("all replicas in sync", () => allInSync([scene.source, scene.target]), DEADLINE_MS);
    const victim = await find(scene);
    await run.moment();
    await run.heldUpBy(`${role} killed`, async () => {
      await services.kafka.kill(victim - 1, "SIGKILL");
      const isReplaced = async () => ![victim, -1].includes(await find(scene).catch(() => -1));
      await until(`another broker as ${role}`, isReplaced, DEADLINE_MS);
      await scene.progressEverywhere(100);
    });
    // It comes back beside the next faults.
    returning = services.kafka.start(victim - 1);
    returning.catch(() => {});
  };
}

const loseLeader = loseBroker("the leader", async ({ target }) => {
  await using brokers = new Brokers(direct, testLog);
  const [topic] = await brokers.topics([target]);
  return topic?.partitions[0]?.leader ?? -1;
});

const loseGroupCoordinator = loseBroker("the group's coordinator", ({ group }) => coordinatorOf(0, group));

const loseTransactionCoordinator = loseBroker("a transaction's coordinator", ({ group, source }) =>
  coordinatorOf(1, `spillway-relay:${group}:${source}-0`),
);

const BROKER_LOSSES = [loseLeader, loseGroupCoordinator, loseTransactionCoordinator];
/** What the long form does beside its kills. */
const ALL_OTHERS = [...times(2, ...BROKER_LOSSES, killForGood, cuts), ...times(3, zombie, visit), abandon];

async function coordinatorOf(keyType: number, key: string): Promise<number> {
  await using brokers = new Brokers(direct, testLog);
  const { coordinators } = await brokers.request(findCoordinator, { keyType, coordinatorKeys: [key] }, "any");
  return coordinators[0]?.nodeId ?? -1;
}

async function allInSync(topics: readonly string[]): Promise<boolean> {
  await using brokers = new Brokers(direct, testLog);
  const described = await brokers.topics(topics).catch(() => []);
  return (
    described.length === topics.length &&
    described.every(({ partitions }) => partitions.every(({ inSync }) => inSync === 3))
  );
}

function times(count: number, ...faults: readonly Fault[]): readonly Fault[] {
  return Array.from({ length: count }, () => faults).flat();
}

function pick<T>(random: () => number, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)] as T;
}

function shuffled<T>(items: readonly T[], random: () => number): readonly T[] {
  return items
    .map((item) => ({ item, place: random() }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ item }) => item);
}

for (const seed of seeds(1)) {
  test(`seed ${seed}: each record is relayed once, whatever is killed, frozen or cut off`, async (t) => {
    const random = randomOf(seed);
    const relayBrokers = proxied.brokers;
    await using scene = await RelayScene.open({
      ...SHAPE,
      ...{ name: "exactly", kafka: direct, relayBrokers, relayArgs: EXACTLY_ONCE, replicationFactor: 3 },
    });
    const run = new Run(t, scene, random);
    await until("transaction version 2", () => /"transactionVersion":2/.test(run.steady.log));
    const faults = [...times(KILLS, kill), ...(IS_LONG ? ALL_OTHERS : [pick(random, BROKER_LOSSES), zombie, cuts])];
    for (const fault of shuffled(faults, random)) await fault(run);
    if (run.visitor !== undefined) await leave(run);
    await returning;
    await scene.finish();
    await run.steady.stop();
    await assertExactlyOnce(t, run, services.kafka, direct);
  });

  test(`seed ${seed}: the same on one broker whose cluster was formatted for transaction version 1`, async (t) => {
    const random = randomOf(seed);
    const scan = { "transaction.abort.timed.out.transaction.cleanup.interval.ms": String(SCAN_MS) };
    await using single = await startServices({
      own: true,
      kafka: { config: scan, features: { "transaction.version": 1 } },
    });
    const kafka = kafkaOf(single.brokers);
    const relayArgs = [...EXACTLY_ONCE, "--transaction-timeout-ms", String(TIMEOUT_MS)];
    await using scene = await RelayScene.open({
      ...SHAPE,
      ...{ name: "version-1", kafka, relayBrokers: single.brokers, relayArgs },
    });
    const run = new Run(t, scene, random);
    await until("transaction version 1", () => /"transactionVersion":1/.test(run.steady.log));
    for (let kills = 0; kills < Math.ceil(KILLS / 2); kills++) await kill(run);
    await abandon(run);
    await scene.finish();
    await run.steady.stop();
    await assertExactlyOnce(t, run, single.kafka, kafka);
  });

  /** A judge that finds nothing could be blind. */
  test(`seed ${seed}: the judge finds duplicates of what is relayed at least once, and nothing else wrong`, async (t) => {
    const random = randomOf(seed);
    const relayArgs = ["--guarantee", "at-least-once", "--commit-interval-ms", "2000"];
    await using scene = await RelayScene.open({
      ...SHAPE,
      ...{ name: "control", kafka: direct, relayBrokers: direct.brokers, relayArgs, replicationFactor: 3 },
    });
    const run = new Run(t, scene, random);
    await until("at work", () => scene.commits.committedRecords > 0);
    for (let kills = 0; kills < 2; kills++) await kill(run);
    await scene.finish();
    await run.steady.stop();
    const { faults } = await judge(services.kafka, direct, scene, scene.flow);
    t.diagnostic(`${scene.flow.sent} records: ${JSON.stringify(faults)}`);
    assert.ok(faults.duplicated > 0, "no kill came between a write and its commit: nothing is proven");
    assert.deepEqual({ ...faults, duplicated: 0 }, FAULTLESS);
  });
}

test("the judge notices what is missing, repeated or out of order", () => {
  const log = Array.from({ length: 10 }, (_, i) => ({ partition: 0, offset: i, key: "key", value: numberedValue(i) }));
  const none = { missing: 0, duplicated: 0, misordered: 0 };
  assert.deepEqual(faultsOf(log, 10), none);
  assert.deepEqual(faultsOf(log.toSpliced(4, 1), 10), { ...none, missing: 1 });
  assert.deepEqual(faultsOf(log, 12), { ...none, missing: 2 });
  assert.deepEqual(faultsOf([...log, ...log.slice(3, 5)], 10), { ...none, duplicated: 2 });
  const [first, second, ...rest] = log;
  assert.ok(first !== undefined && second !== undefined);
  assert.deepEqual(faultsOf([second, first, ...rest], 10), { ...none, misordered: 1 });
  assert.deepEqual(faultsOf([second, { ...first, key: "other" }, ...rest], 10), none);
  assert.throws(() => faultsOf([{ ...first, value: "0 x" }], 10), /not what was written/);
  assert.throws(() => faultsOf(log, 9), /never written/);
});

async function assertExactlyOnce(t: TestContext, { scene }: Run, java: Java, kafka: KafkaOptions) {
  const { flow, commits } = scene;
  const samples = await commits.stop();
  const { faults, source, target, aborted, isIntact } = await judge(java, kafka, scene, flow);
  t.diagnostic(`${flow.sent} records, ${aborted} more in aborted transactions: ${JSON.stringify(faults)}`);
  assert.deepEqual(faults, FAULTLESS);
  assert.ok(isIntact, "keys, values, timestamps or headers are not what was written");
  assertCommitsSound(samples, source, target);
  assert.ok(aborted > 0, "no fault came within a transaction: nothing is proven");
}
