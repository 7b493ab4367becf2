/**
 * Exactly once, on real brokers: relays are killed, frozen, joined by others and cut off, and brokers are killed, at
 * seeded random moments, while a producer writes without a pause. Judge is Kafka's own Java client, read_committed.
 *
 * SPILLWAY_KILLS says how many relays are killed: 30 make the long form, with more faults of the other kinds.
 */
import assert from "node:assert/strict";
import { after, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startServices } from "../../services/services.ts";
import { Brokers } from "../../src/kafka/cluster.ts";
import { findCoordinator } from "../../src/kafka/protocol/messages.ts";
import { assertCommitsSound } from "../helpers/commit-watch.ts";
import { kafkaOf, testLog, until } from "../helpers/kafka.ts";
import type { SpillwayProcess } from "../helpers/process.ts";
import { startProxiedKafka } from "../helpers/proxied-kafka.ts";
import { numberedValue } from "../helpers/record-lines.ts";
import { FAULTLESS, faultsOf, judge } from "../helpers/relay-judge.ts";
import { joinedOf, RelayScene } from "../helpers/relay-scene.ts";
import { randomOf, seeds } from "../helpers/seeds.ts";

const KILLS = Number(process.env["SPILLWAY_KILLS"] ?? 4);
const IS_LONG = KILLS >= 20;
const SOURCE_PARTITIONS = 4;
const SHAPE = { sourcePartitions: SOURCE_PARTITIONS, targetPartitions: 8 } as const;
const EXACTLY_ONCE = [
  "--guarantee",
  "exactly-once",
  "--transaction-ms",
  "100",
  "--request-timeout-ms",
  "3000",
] as const;

/** For a busy machine, on top of what the time-outs of Kafka make it. */
const SLACK_MS = 15_000;
/** An abandoned transaction that nobody takes over: its time-out, and the brokers' look for such, every so often. */
const HOLD_UP_BOUND_MS = 10_000 + 10_000 + SLACK_MS;

const { services, proxies, direct, proxied, stop } = await startProxiedKafka();
after(stop);

/** One run with its relays: one that is always there, killed or not, and another that comes and goes. */
class Run {
  readonly scene: RelayScene;
  readonly random: () => number;
  steady: SpillwayProcess;
  visitor: SpillwayProcess | undefined;
  readonly holdUps = new Map<string, number[]>();

  constructor(scene: RelayScene, random: () => number) {
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
    await this.scene.progress(100 + this.random() * 900);
    await sleep(this.random() * 150);
  }

  /** Does something to the relays, waits until they are back at work, and notes how long readers were held up. */
  async heldUpBy(what: string, fault: () => Promise<void>): Promise<void> {
    const { holdUps } = this.scene;
    holdUps.takeLongestMs();
    await fault();
    await until("readers who can go on", () => holdUps.isFree(500), HOLD_UP_BOUND_MS);
    const ms = Math.round(holdUps.takeLongestMs());
    dbg(what, ms);
    this.holdUps.set(what, [...(this.holdUps.get(what) ?? []), ms]);
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
    await until("a member again", () => joinedOf(run.steady).generation >= 0);
    dbg(run.steady.log.slice(-3000));
  });
};

async function receive(run: Run): Promise<SpillwayProcess> {
  run.visitor ??= run.scene.start();
  const { visitor } = run;
  await until("a share for each", () =>
    [run.steady, visitor].every((relay) => joinedOf(relay).partitions === SOURCE_PARTITIONS / 2),
  );
  return visitor;
}

const visit: Fault = async (run) => {
  await run.moment();
  await run.heldUpBy("a relay joins", async () => void (await receive(run)));
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
    await until("all with the other", () => joinedOf(run.steady).partitions === SOURCE_PARTITIONS);
  });
};

const zombie: Fault = async (run) => {
  const visitor = await receive(run);
  await run.moment();
  const { generation } = joinedOf(visitor);
  await run.heldUpBy("a relay frozen, another takes over after the session time-out", async () => {
    visitor.kill("SIGSTOP");
    await until("all with the other", () => joinedOf(run.steady).partitions === SOURCE_PARTITIONS);
    await run.scene.progressEverywhere(100);
  });
  await run.heldUpBy("a zombie wakes", async () => {
    visitor.kill("SIGCONT");
    await until("the zombie a member again", () => joinedOf(visitor).generation > generation);
    await run.scene.progressEverywhere(100);
  });
};

const cuts: Fault = async (run) => {
  const { random } = run;
  await run.heldUpBy("connections cut", async () => {
    for (let round = 0; round < 5; round++) {
      const victims = random() < 0.3 ? proxies : [proxies[Math.floor(random() * proxies.length)] ?? proxies[0]];
      const undo = await Promise.all(
        victims.map(async (proxy) => {
          if (random() < 0.5) {
            await proxy?.cut();
            return () => proxy?.restore();
          }
          const reset = await proxy?.reset();
          return () => proxy?.remove(reset ?? "");
        }),
      );
      await sleep(random() * 250);
      for (const restore of undo) await restore();
      await sleep(100 + random() * 300);
    }
    await run.scene.progressEverywhere(50);
  });
};

/** Kills the broker in a role, has the relays go on without it, and starts it again. */
function loseBroker(role: string, find: (scene: RelayScene) => Promise<number>): Fault {
  return async (run) => {
    const { scene } = run;
    const victim = await find(scene);
    await run.moment();
    await run.heldUpBy(`${role} killed`, async () => {
      await services.kafka.kill(victim - 1, "SIGKILL");
      const isReplaced = async () => ![victim, -1].includes(await find(scene).catch(() => -1));
      await until(`another broker as ${role}`, isReplaced, 60_000);
      await scene.progressEverywhere(100);
    });
    await services.kafka.start(victim - 1);
    await until("all replicas in sync", () => allInSync([scene.source, scene.target]), 60_000);
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
    const run = new Run(scene, random);
    await until("transaction version 2", () => /"transactionVersion":2/.test(run.steady.log));
    const brokerLosses = [loseLeader, loseGroupCoordinator, loseTransactionCoordinator];
    const others = IS_LONG
      ? [
          ...brokerLosses,
          ...brokerLosses,
          zombie,
          zombie,
          zombie,
          visit,
          visit,
          visit,
          killForGood,
          killForGood,
          cuts,
          cuts,
        ]
      : [shuffled(brokerLosses, random)[0] ?? loseLeader, zombie, visit, cuts];
    for (const fault of shuffled([...Array<Fault>(KILLS).fill(kill), ...others], random)) await fault(run);
    dbg('faults over');
    await scene.finish();
    dbg('finished');
    await run.visitor?.stop();
    await run.steady.stop();
    dbg('stopped');
    await assertExactlyOnce(t, scene, run.holdUps);
  });
}

async function assertExactlyOnce(t: TestContext, scene: RelayScene, holdUps: ReadonlyMap<string, readonly number[]>) {
  const { flow, commits } = scene;
  const samples = await commits.stop();
  const { faults, source, target, aborted, isIntact } = await judge(services.kafka, direct, scene, flow);
  dbg('judged');
  t.diagnostic(`${flow.sent} records, ${aborted} more in aborted transactions: ${JSON.stringify(faults)}`);
  for (const [what, ms] of holdUps) t.diagnostic(`${what}: readers held up for ${ms.join(", ")} ms`);
  assert.deepEqual(faults, FAULTLESS);
  assert.ok(isIntact, "keys, values, timestamps or headers are not what was written");
  assertCommitsSound(samples, source, target);
  assert.ok(aborted > 0, "no fault came within a transaction: nothing is proven");
}

function dbg(...x: unknown[]) { if (process.env["XDBG"]) console.error(new Date().toISOString().slice(14,23), ...x); }
