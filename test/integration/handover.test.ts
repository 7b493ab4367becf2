/** A topic goes from a service's group to a relay and back; every record is handled by one of those who read. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pino } from "pino";
import { parseRule } from "../../src/config/rules.ts";
import { type HandBackOptions, handBack } from "../../src/handover/hand-back.ts";
import type { HandBackReport } from "../../src/handover/report.ts";
import { Brokers } from "../../src/kafka/cluster.ts";
import { committedOffsets, setOffsets } from "../../src/kafka/group-offsets.ts";
import { membershipOf } from "../../src/kafka/groups.ts";
import { RELAY_DEFAULTS, type RelayOptions } from "../../src/relay/options.ts";
import { runRelay } from "../../src/relay/relay.ts";
import { newRelayStats, type RelayStats } from "../../src/relay/stats.ts";
import { batchOf } from "../helpers/batches.ts";
import { JavaMember, javaRead, KafkaJsMember } from "../helpers/group-readers.ts";
import { coordinated, groupOf, kafkaOf, makeTopic, produceAll, startOf, testLog, until } from "../helpers/kafka.ts";
import { QUICK_SESSION, SpillwayProcess } from "../helpers/process.ts";
import type { LogRecord } from "../helpers/record-lines.ts";
import { testServices, uniqueName } from "../helpers/services.ts";
import { deleteRecordsBefore, sendBatches } from "../helpers/topics.ts";

/** Both guarantees in the long form, SPILLWAY_SEEDS=1; one in the suite, which has not the time. */
function inSuite(one: "exactly-once" | "at-least-once") {
  return process.env["SPILLWAY_SEEDS"] === undefined ? [one] : (["exactly-once", "at-least-once"] as const);
}

const { brokers, java } = await testServices();
const kafka = kafkaOf(brokers);
const PARTITIONS = 3;
const KEYS = 50;

/** A hot topic, who reads it, and where it is relayed to. */
class Scene {
  readonly hot: string;
  readonly wide: string;
  readonly service: string;
  readonly relayGroup: string;
  readonly readers: string;
  produced = 0;

  private constructor(name: string) {
    this.hot = uniqueName(`${name}-hot`);
    this.wide = `${this.hot}-wide`;
    this.service = `${this.hot}-service`;
    this.relayGroup = `spillway-relay-${this.hot}`;
    this.readers = `${this.hot}-readers`;
  }

  static async make(name: string, records: number): Promise<Scene> {
    const scene = new Scene(name);
    await makeTopic(kafka, { topic: scene.hot, partitions: PARTITIONS });
    await scene.produce(records);
    return scene;
  }

  async produce(count: number): Promise<void> {
    const records = Array.from({ length: count }, (_, i) => ({
      key: Buffer.from(`key-${((this.produced + i) * 7919) % KEYS}`),
      value: Buffer.from(String(this.produced + i)),
      timestamp: Date.now(),
    }));
    await produceAll(kafka, this.hot, records);
    this.produced += count;
  }

  relayOptions(options: Partial<RelayOptions> = {}): RelayOptions {
    const names = { source: this.hot, target: this.wide, partitions: 8, group: groupOf(this.relayGroup) };
    return { kafka, ...RELAY_DEFAULTS, ...names, from: { kind: "group", group: this.service }, ...options };
  }

  /** Relays until `done`, then stops in order. */
  async relay(done: (stats: RelayStats) => boolean, options: Partial<RelayOptions> = {}): Promise<RelayStats> {
    const stop = new AbortController();
    const stats = newRelayStats();
    const running = runRelay(this.relayOptions(options), { signal: stop.signal, log: testLog, stats });
    const failed = running.then(() => assert.fail("the relay stopped by itself"));
    await Promise.race([failed, until("relaying", () => done(stats))]).finally(() => stop.abort());
    await running;
    return stats;
  }

  /** What the service reads on in the hot topic. */
  async serve(records?: number, protocol: "classic" | "consumer" = "classic"): Promise<readonly LogRecord[]> {
    return await javaRead(java, kafka, {
      ...{ topic: this.hot, group: this.service, protocol },
      ...(records === undefined ? {} : { records }),
    });
  }

  async readWide(records?: number): Promise<readonly LogRecord[]> {
    const reading = { topic: this.wide, group: this.readers };
    return await javaRead(java, kafka, { ...reading, ...(records === undefined ? {} : { records }) });
  }

  async handBack(options: Partial<HandBackOptions> = {}): Promise<HandBackReport> {
    const { hot: source, service: to, relayGroup, wide } = this;
    const wanted = { kafka, source, relayGroup, to, targets: [wide], ...options };
    return await handBack(wanted, { signal: AbortSignal.timeout(120_000), log: testLog });
  }

  async committed(group: string): Promise<Readonly<Record<string, number>>> {
    await using connections = new Brokers(kafka, testLog);
    const offsets = await coordinated(() =>
      committedOffsets(connections, group, { topic: this.hot, partitions: PARTITIONS }),
    );
    return Object.fromEntries([...offsets].map(([partition, offset]) => [partition, Number(offset)]));
  }

  /** As a service's own client would have committed. */
  async commit(group: string, topic: string, offsets: Readonly<Record<number, number>>): Promise<void> {
    await using connections = new Brokers(kafka, testLog);
    const positions = (await startOf(kafka, topic)).flatMap((begin) => {
      const offset = offsets[begin.partition];
      return offset === undefined ? [] : [{ ...begin, offset: BigInt(offset) }];
    });
    await coordinated(() => setOffsets(connections, group, positions, "empty"));
  }

  /** Every record was handled, and each key's for the first time in their order; returns how many were handled again. */
  judge(...readings: readonly (readonly LogRecord[])[]): number {
    const seen = new Set<number>();
    const last = new Map<string, number>();
    let again = 0;
    for (const { key, value } of readings.flat()) {
      const number = Number(value);
      if (seen.has(number)) {
        again++;
        continue;
      }
      seen.add(number);
      assert.ok(number > (last.get(key) ?? -1), `key ${key} has ${number} after ${last.get(key)}`);
      last.set(key, number);
    }
    assert.equal(seen.size, this.produced, "records handled");
    return again;
  }
}

function sum(offsets: Readonly<Record<string, number>>): number {
  return Object.values(offsets).reduce((all, offset) => all + offset, 0);
}

async function hasMembers(group: string): Promise<void> {
  await using connections = new Brokers(kafka, testLog);
  await until(`a member of ${group}`, async () => (await membershipOf(connections, group)).kind === "members", 60_000);
}

test("a relay takes over where a group of the consumer protocol is, to the record, and goes on there when restarted", async () => {
  const scene = await Scene.make("from", 5_000);
  const before = await scene.serve(1_234, "consumer");
  assert.equal(before.length, 1_234);
  const first = await scene.relay(({ recordsWritten }) => recordsWritten >= 3_766);
  assert.equal(first.recordsRead, 3_766);
  assert.equal(sum(await scene.committed(scene.service)), 1_234, "the service's offsets stay");
  await scene.produce(1_000);
  const second = await scene.relay(({ recordsWritten }) => recordsWritten >= 1_000);
  assert.equal(second.recordsRead, 1_000);
  assert.equal(scene.judge(before, await scene.readWide()), 0);
});

test("instances started at once agree where to begin", async () => {
  const scene = await Scene.make("at-once", 3_000);
  const before = await scene.serve(700);
  const stop = new AbortController();
  const all = [newRelayStats(), newRelayStats(), newRelayStats()];
  const running = all.map((stats) => runRelay(scene.relayOptions(), { signal: stop.signal, log: testLog, stats }));
  const written = () => all.reduce((records, { recordsWritten }) => records + recordsWritten, 0);
  const failed = Promise.race(running).then(() => assert.fail("a relay stopped by itself"));
  await Promise.race([failed, until("relaying", () => written() >= 2_300)]).finally(() => stop.abort());
  await Promise.all(running);
  assert.equal(scene.judge(before, await scene.readWide()), 0);
});

for (const kind of ["KafkaJS", "classic", "consumer"] as const) {
  test(`a group with members is neither taken over nor handed back to: ${kind}`, async () => {
    const scene = await Scene.make("active", 100);
    await scene.commit(scene.service, scene.hot, { 0: 1 });
    const reading = { topic: scene.hot, group: scene.service };
    await using _member =
      kind === "KafkaJS"
        ? new KafkaJsMember(kafka, reading)
        : new JavaMember(java, kafka, { ...reading, protocol: kind });
    await hasMembers(scene.service);
    const client = kind === "KafkaJS" ? "kafkajs-member" : `java-${kind}`;
    const expected = { code: "GROUP_ACTIVE", message: new RegExp(`has a member: ${client} at 127\\.0\\.0\\.1`) };
    await assert.rejects(
      scene.relay(() => false),
      expected,
    );
    assert.deepEqual(await scene.committed(scene.relayGroup), {});
    // The coordinator itself refuses what would overtake them.
    await assert.rejects(scene.commit(scene.service, scene.hot, { 0: 5 }), { code: "GROUP_ACTIVE" });
    await assert.rejects(scene.handBack(), expected);
  });
}

test("a share group is told of by its kind, and is no reader: it has no offsets", async () => {
  const scene = await Scene.make("share", 300);
  const share = `${scene.hot}-share`;
  const before = await scene.serve(100);
  await scene.relay(({ recordsWritten }) => recordsWritten >= 200);
  await using _member = new JavaMember(java, kafka, { topic: scene.wide, group: share, protocol: "share" });
  await using connections = new Brokers(kafka, testLog);
  const others = async () => (await membershipOf(connections, share)).kind === "others";
  await until("a member of the share group", others, 60_000);
  await assert.rejects(scene.handBack({ to: share }), { code: "GROUP_ACTIVE", message: /of another kind \(share\)/ });
  await assert.rejects(scene.handBack(), { code: "NOT_DRAINED", message: /No group has committed/ });
  const wide = await scene.readWide();
  const { targets } = await scene.handBack();
  assert.deepEqual(targets, [{ topic: scene.wide, readers: [scene.readers] }]);
  assert.equal(scene.judge(before, wide), 0);
});

test("a partition without a commit is relayed from its beginning, whatever the reset policy; one of an unknown group is refused", async () => {
  const scene = await Scene.make("partly", 900);
  await assert.rejects(
    scene.relay(() => false),
    { code: "GROUP_MISMATCH", message: /has committed nothing in this topic/ },
  );
  await assert.rejects(
    scene.relay(() => false, { from: { kind: "group", group: scene.relayGroup } }),
    { code: "CONFIG_INVALID" },
  );
  await scene.commit(scene.service, scene.hot, { 0: 10, 2: 20 });
  const lines: string[] = [];
  const log = pino({ level: "warn" }, { write: (line: string) => void lines.push(line) });
  const stop = new AbortController();
  const stats = newRelayStats();
  const options = scene.relayOptions({ group: groupOf(scene.relayGroup, { offsetReset: "latest" }) });
  const running = runRelay(options, { signal: stop.signal, log, stats });
  await until("relaying", () => stats.recordsWritten >= 870).finally(() => stop.abort());
  await running;
  assert.equal(stats.recordsRead, 870);
  const warned = lines.map((line) => JSON.parse(line) as { partition?: number; msg: string });
  assert.deepEqual(
    warned.flatMap(({ msg, partition }) => (/committed nothing in this partition/.test(msg) ? [partition] : [])),
    [1],
  );
});

test("what retention took before the take-over is told as lost, not passed over", async () => {
  const scene = await Scene.make("expired", 900);
  await scene.commit(scene.service, scene.hot, { 0: 5, 1: 5, 2: 5 });
  await deleteRecordsBefore(kafka, scene.hot, 1, 105n);
  const stats = await scene.relay(({ recordsWritten }) => recordsWritten >= 785);
  assert.deepEqual([stats.recordsRead, stats.offsetsLost], [785, 100]);
});

test("a group that has read on since is neither gone on from nor handed anything back", async () => {
  const scene = await Scene.make("ahead", 600);
  await scene.serve(100);
  await scene.relay(({ recordsWritten }) => recordsWritten >= 500);
  await scene.readWide();
  await scene.produce(300);
  await scene.serve(600);
  await assert.rejects(scene.handBack(), { code: "GROUP_MISMATCH", message: /has read on by itself/ });
  await assert.rejects(
    scene.relay(() => false),
    { code: "GROUP_MISMATCH", message: /has read on by itself/ },
  );
});

for (const guarantee of inSuite("exactly-once")) {
  test(`${guarantee}: over and back again, every record is handled once, in the order of its key`, async () => {
    const scene = await Scene.make("back", 4_000);
    const before = await scene.serve(500);
    const backfill = `${scene.hot}-backfill`;
    const rule = parseRule(`key ^= key-1 -> ${backfill}/5`) ?? assert.fail("no rule");
    const targets = [scene.wide, backfill];
    await scene.relay(({ recordsWritten }) => recordsWritten >= 3_500, { guarantee, rules: [rule] });

    await assert.rejects(scene.handBack({ targets }), { code: "NOT_DRAINED", message: /No group has committed/ });
    const some = await scene.readWide(900);
    await assert.rejects(scene.handBack({ targets }), { code: "NOT_DRAINED", message: /has not committed all/ });
    const rest = await scene.readWide();
    await assert.rejects(scene.handBack({ targets }), { code: "NOT_DRAINED", message: /No group has committed/ });
    const diverted = await javaRead(java, kafka, { topic: backfill, group: `${scene.readers}-backfill` });

    const planned = await scene.handBack({ targets, dryRun: true });
    assert.equal(sum(await scene.committed(scene.service)), 500, "nothing has changed");
    const report = await scene.handBack({ targets });
    assert.deepEqual(report, { ...planned, dryRun: false });
    assert.deepEqual([report.how, report.handledTwiceAtMost, report.unreadRecords], ["drained", 0n, 0]);
    assert.deepEqual(
      report.targets.map(({ readers }) => readers),
      [[scene.readers], [`${scene.readers}-backfill`]],
    );
    assert.deepEqual(await scene.committed(scene.service), await scene.committed(scene.relayGroup));

    await using service = new KafkaJsMember(kafka, { topic: scene.hot, group: scene.service });
    await service.idle();
    await scene.produce(400);
    await service.progress(400);
    const after = await service.idle();
    assert.equal(after.length, 400, "it goes on exactly there");
    assert.equal(scene.judge(before, some, rest, diverted, after), 0);
  });
}

const FLOOD = 20_000;

test("stopped in the middle of a flood and drained: nothing is handled twice", async () => {
  const scene = await Scene.make("halfway", FLOOD);
  const before = await scene.serve(500, "consumer");
  const ends = new Map([
    [0, 2_500n],
    [1, 1_800n],
    [2, 3_001n],
  ]);
  const options = scene.relayOptions({ until: { kind: "offsets", ends } });
  await runRelay(options, { signal: AbortSignal.timeout(60_000), log: testLog });
  const wide = await scene.readWide();
  const report = await scene.handBack();
  const after = await scene.serve(undefined, "consumer");
  assert.equal(after.length, FLOOD - 7_301);
  assert.equal(report.handledTwiceAtMost, 0n);
  assert.equal(scene.judge(before, wide, after), 0);
});

for (const guarantee of inSuite("at-least-once")) {
  test(`${guarantee}: killed in the middle of a flood, and rewound: nothing is missing, and no more handled twice than was said`, async (t) => {
    const scene = await Scene.make("rewind", FLOOD);
    const before = await scene.serve(500);
    await killHalfway(scene, guarantee);
    await assert.rejects(scene.handBack(), { code: "GROUP_ACTIVE" });
    await using connections = new Brokers(kafka, testLog);
    await until("its session's end", async () => (await membershipOf(connections, scene.relayGroup)).kind === "none");

    const wide = await scene.readWide(1_500);
    await assert.rejects(scene.handBack(), { code: "NOT_DRAINED" });
    {
      await using _reader = new JavaMember(java, kafka, {
        ...{ topic: scene.wide, group: `${scene.readers}-late`, protocol: "classic" },
      });
      await hasMembers(`${scene.readers}-late`);
      // It reads everything, but nobody says that it counts.
      const readers = [scene.readers];
      const planned = await scene.handBack({ rewind: true, dryRun: true, readers });
      assert.equal(sum(await scene.committed(scene.service)), 500, "nothing has changed");
      await until("its commits", async () => {
        const asked = { topic: scene.wide, partitions: 8 };
        return (await committedOffsets(connections, `${scene.readers}-late`, asked)).size > 0;
      });
      await assert.rejects(scene.handBack({ rewind: true }), { code: "GROUP_ACTIVE", message: /readers-late has/ });
      const report = await scene.handBack({ rewind: true, readers });
      assert.deepEqual(report, { ...planned, dryRun: false });
      const after = await scene.serve();
      const again = scene.judge(before, wide, after);
      const { handledTwiceAtMost, unreadRecords } = report;
      t.diagnostic(
        JSON.stringify({ again, handledTwiceAtMost: Number(handledTwiceAtMost), unreadRecords, after: after.length }),
      );
      assert.ok(again <= Number(handledTwiceAtMost), `${again} handled again, ${handledTwiceAtMost} were said`);
      assert.equal(report.uncommittedAtLeast > 0n, guarantee === "at-least-once");
      assert.ok(unreadRecords > 0 && after.length >= unreadRecords);
    }
  });
}

async function killHalfway(scene: Scene, guarantee: string): Promise<void> {
  const names = ["--source", scene.hot, "--target", scene.wide, "--partitions", "8", "--brokers", brokers.join()];
  const from = ["--from", `group:${scene.service}`, "--guarantee", guarantee];
  const slowly = ["--fetch-partition-bytes", "4KiB", "--fetch-response-bytes", "8KiB", "--fetch-queued-bytes", "8KiB"];
  const often = ["--commit-interval-ms", "50", "--transaction-ms", "20", "--transaction-timeout-ms", "2s"];
  await using relay = new SpillwayProcess(["relay", ...names, ...from, ...slowly, ...often, ...QUICK_SESSION]);
  await until("relayed", async () => sum(await scene.committed(scene.relayGroup)) >= 3_500);
  await relay.crash();
  assert.ok(sum(await scene.committed(scene.relayGroup)) < FLOOD, "killed in the middle of it");
}

test("what can't be handed back is refused, each for its reason", async () => {
  const scene = await Scene.make("refused", 600);
  await scene.serve(100);
  await scene.relay(({ recordsWritten }) => recordsWritten >= 500);
  await scene.readWide(300);
  const refused = async (code: string, message: RegExp, options: Partial<HandBackOptions>) =>
    await assert.rejects(scene.handBack(options), { code, message });
  await refused("CONFIG_INVALID", /can't be handed back and be a target/, { targets: [scene.hot] });
  await refused("CONFIG_INVALID", /its own topic/, { to: scene.relayGroup });
  await refused("TOPIC_MISSING", /does not exist/, { targets: [uniqueName("nowhere")] });
  await refused("GROUP_MISMATCH", /nobody has committed nothing/, { to: "nobody" });
  await refused("GROUP_MISMATCH", /nobody has committed nothing/, { relayGroup: "nobody" });
  await refused("NOT_DRAINED", /readers has not committed all: up to \d+ records/, {});
  const fresh = await scene.handBack({ to: uniqueName("fresh"), newGroup: true, rewind: true, dryRun: true });
  assert.ok(fresh.handledTwiceAtMost > 0n && fresh.partitions.every(({ before }) => before === undefined));

  // The unread ones are not in the hot topic any more: only the readers of the wide one can still have them.
  for (const { partition, after } of fresh.partitions) {
    await deleteRecordsBefore(kafka, scene.hot, partition, after + 1n);
  }
  await refused("OFFSET_OUT_OF_RANGE", /Let the readers drain/i, { rewind: true, newGroup: true, to: "fresh" });
  await using connections = new Brokers(kafka, testLog);
  // As a relay has left it that drained an earlier topic of the name.
  const earlier = (await startOf(kafka, scene.hot)).map((begin) => ({ ...begin, topicId: "AAAAAAAAAAAAAAAAAAAAAQ" }));
  await coordinated(() => setOffsets(connections, `${scene.relayGroup}-earlier`, earlier, "marked"));
  await refused("TOPIC_RECREATED", /earlier topic of this name/, { relayGroup: `${scene.relayGroup}-earlier` });
  const stranger = { key: Buffer.from("key-1"), value: Buffer.from("0"), timestamp: Date.now() };
  await sendBatches(connections, scene.wide, 3, [batchOf([stranger])]);
  await refused("TOPIC_MISMATCH", /says nothing of its origin/, { rewind: true });

  // What a reader leaves to others is named, or else counts.
  await scene.readWide();
  await scene.commit("abandoned", scene.wide, { 3: 0 });
  await refused("NOT_DRAINED", /abandoned has not committed all/, {});
  assert.equal((await scene.handBack({ readers: [scene.readers], dryRun: true })).handledTwiceAtMost, 0n);
  await deleteRecordsBefore(kafka, scene.wide, 3, 2n);
  await refused("NOT_DRAINED", /Retention has deleted offsets up to 2 that group abandoned/, {});
});

test("a topic that holds what another topic's relay has written can't be rewound by it", async () => {
  const [scene, other] = [await Scene.make("mine", 300), await Scene.make("other", 300)];
  for (const one of [scene, other]) {
    await one.commit(one.service, one.hot, { 0: 0, 1: 0, 2: 0 });
    await one.relay(({ recordsWritten }) => recordsWritten >= 300, { target: scene.wide });
  }
  await assert.rejects(scene.handBack({ rewind: true }), {
    code: "TOPIC_MISMATCH",
    message: /comes from another topic/,
  });
});

test("the command: exit codes 14 and 15, a dry run, and a report as JSON", async () => {
  const scene = await Scene.make("command", 300);
  await scene.serve(100);
  await scene.relay(({ recordsWritten }) => recordsWritten >= 200);
  const folder = await mkdtemp(join(tmpdir(), "spillway-handback-"));
  const json = join(folder, "report.json");
  const run = async (...args: readonly string[]) => {
    const to = ["--to", `group:${scene.service}`, "--target", scene.wide, "--brokers", brokers.join()];
    await using spillway = new SpillwayProcess(["handback", scene.hot, ...to, "--json", json, ...args]);
    return { code: await spillway.ended(60_000), log: spillway.log };
  };
  const undrained = await run();
  assert.equal(undrained.code, 15);
  assert.match(undrained.log, /No group has committed anything: up to \d+ records of \S+-wide are unread/);
  assert.equal((await run("--group", "nobody")).code, 14);
  await scene.readWide();
  assert.equal((await run("--dry-run")).code, 0);
  assert.equal(sum(await scene.committed(scene.service)), 100);
  assert.equal((await run()).code, 0);
  const report = JSON.parse(await readFile(json, "utf8")) as { dryRun: boolean; partitions: { after: string }[] };
  assert.equal(report.dryRun, false);
  const offsets = await scene.committed(scene.service);
  assert.deepEqual(
    report.partitions.map(({ after }) => Number(after)),
    Object.values(offsets),
  );
  assert.equal(sum(offsets), 300);
  await rm(folder, { recursive: true });
});

test("a topic of dead letters that can't be looked at is told before anything is changed", async () => {
  const scene = await Scene.make("unseen", 300);
  await scene.commit(scene.service, scene.hot, { 0: 0, 1: 0, 2: 0 });
  await scene.relay(({ recordsWritten }) => recordsWritten === 300);
  await scene.commit(scene.readers, scene.wide, Object.fromEntries(Array.from({ length: 8 }, (_, i) => [i, 10_000])));
  // No topic may have such a name; it could as well be one that this user may not see.
  await assert.rejects(scene.handBack({ readers: [scene.readers], deadLetterSuffix: "!" }));
  assert.equal(sum(await scene.committed(scene.service)), 0);
});
