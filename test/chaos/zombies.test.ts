/**
 * Members of a group that are given up and come back: a process frozen for longer than its session, a member that
 * doesn't heed a rebalance in time, one whose place another has taken. Nothing they do may count any more.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Generation } from "../../src/kafka/generation.ts";
import { GroupMember, type GroupOptions } from "../../src/kafka/group-member.ts";
import type { Position } from "../../src/kafka/topic-partition.ts";
import { assertCommitsSound, type CommitSample, CommitWatch } from "../helpers/commit-watch.ts";
import { assertWrittenOnce, Flow } from "../helpers/flow.ts";
import { groupOf, kafkaOf, makeTopic, testLog, until } from "../helpers/kafka.ts";
import { QUICK_SESSION, SpillwayProcess } from "../helpers/process.ts";
import { firstAppearances, numberedValue, readLogs } from "../helpers/record-lines.ts";
import { testServices, uniqueName } from "../helpers/services.ts";

const PARTITIONS = 4;
const { brokers, java } = await testServices();
const kafka = kafkaOf(brokers);

test("a relay that is frozen for longer than its session moves no offset when it wakes", async (t) => {
  const [hot, wide, group] = [uniqueName("zombie-hot"), uniqueName("zombie-wide"), uniqueName("zombie")];
  await makeTopic(kafka, { topic: hot, partitions: PARTITIONS });
  await makeTopic(kafka, { topic: wide, partitions: 12 });
  const args = [
    "relay",
    "--guarantee",
    "at-least-once",
    "--brokers",
    brokers.join(),
    "--source",
    hot,
    "--target",
    wide,
    "--partitions",
    "12",
  ];
  const quick = ["--group", group, ...QUICK_SESSION];
  // Much is read and written, and not yet committed, when it is frozen; and it commits soon after it wakes.
  const start = () => new SpillwayProcess([...args, ...quick, "--commit-interval-ms", "1500"]);

  await using watch = new CommitWatch({ kafka, group, source: hot, partitions: PARTITIONS, target: wide });
  await using flow = new Flow(kafka, hot, 1_000);
  await using zombie = start();
  await until("the first relay at work", () => watch.committedRecords > 1_000);
  await using heir = start();
  await until("the second relay's share", () => partitionsOf(heir) === PARTITIONS / 2);
  const shared = watch.committedRecords;
  await until("both at work", () => watch.committedRecords > shared + 2_000);

  zombie.kill("SIGSTOP");
  await until("all partitions with the second relay", () => partitionsOf(heir) === PARTITIONS);
  const taken = new Map(watch.committed);
  await until("work done in each of them", () =>
    taken.entries().every(([partition, offset]) => (watch.committed.get(partition) ?? 0) > offset + 300),
  );
  const before = watch.samples.length;
  const lengthOfLog = zombie.log.length;
  zombie.kill("SIGCONT");
  await until("the zombie a member again", () => /joined the group/.test(zombie.log.slice(lengthOfLog)));
  const again = watch.committedRecords;
  await until("both at work again", () => watch.committedRecords > again + 2_000);
  assert.match(zombie.log.slice(lengthOfLog), /generation is over/);

  await flow.stop();
  await until("all of it committed", () => watch.committedRecords >= flow.sent);
  await zombie.stop();
  await heir.stop();
  const samples = await watch.stop();

  const logs = await readLogs(java, kafka, [hot, wide]);
  const hotLog = logs.get(hot) ?? [];
  const wideLog = logs.get(wide) ?? [];
  assertWrittenOnce(hotLog, flow);
  const { places, repeats } = firstAppearances(wideLog);
  assert.equal(places.size, flow.sent, "records relayed");
  assertCommitsSound(samples, hotLog, wideLog);
  t.diagnostic(
    `${flow.sent} records, ${repeats} relayed again, ${samples.length} looks at the commits, ${samples.length - before} since it woke`,
  );
});

/** As it said when it joined last. */
function partitionsOf({ log }: SpillwayProcess): number | undefined {
  const joined = [...log.matchAll(/"partitions":(\d+),"msg":"joined the group"/g)].at(-1);
  return joined === undefined ? undefined : Number(joined[1]);
}

test("a generation's commit is refused once the group has gone on without the member", async () => {
  const topic = uniqueName("late");
  const group = uniqueName("late");
  await makeTopic(kafka, { topic, partitions: PARTITIONS });
  // It may take 1 s to join again, and doesn't: the coordinator gives it up though its heart beats.
  await using slow = memberOf(topic, group, { rebalanceTimeoutMs: 1_000 });
  const late = await slow.next();
  await late.commit(at(late, 10n));
  assert.deepEqual(await committedBy(topic, group), [10, 10, 10, 10]);

  await using heir = memberOf(topic, group, { rebalanceTimeoutMs: 1_000 });
  const owner = await heir.next();
  assert.equal(owner.assignment.length, PARTITIONS);
  assert.ok(owner.id > late.id);
  await owner.commit(at(owner, 20n));

  await assert.rejects(late.commit(at(late, 15n)), { code: "FENCED" });
  await until("told", () => late.signal.aborted);
  assert.deepEqual(await committedBy(topic, group), [20, 20, 20, 20]);

  // And once more when it is a member again: what it does as one must not open the door to the old generation.
  const next = await slow.next();
  assert.ok(next.id > owner.id);
  await assert.rejects(late.commit(at(late, 15n)), { code: "FENCED" });
  assert.deepEqual(await committedBy(topic, group), [20, 20, 20, 20]);
  await next.commit(at(next, 30n));
});

test("a generation's commit is refused when another process has taken the static member's place", async () => {
  const topic = uniqueName("static");
  const group = uniqueName("static");
  await makeTopic(kafka, { topic, partitions: PARTITIONS });
  await using first = memberOf(topic, group, { instanceId: "only" });
  const old = await first.next();
  await old.commit(at(old, 10n));
  await using second = memberOf(topic, group, { instanceId: "only" });
  const owner = await second.next();
  await owner.commit(at(owner, 20n));
  await assert.rejects(old.commit(at(old, 15n)), { code: "FENCED" });
  await assert.rejects(first.next(), { code: "FENCED" });
  assert.deepEqual(await committedBy(topic, group), [20, 20, 20, 20]);
});

test("a generation's commit is refused when the group is empty by now", async () => {
  const topic = uniqueName("empty");
  const group = uniqueName("empty");
  await makeTopic(kafka, { topic, partitions: PARTITIONS });
  await using slow = memberOf(topic, group, { rebalanceTimeoutMs: 1_000 });
  const late = await slow.next();
  {
    await using heir = memberOf(topic, group, { rebalanceTimeoutMs: 1_000 });
    const owner = await heir.next();
    await owner.commit(at(owner, 20n));
  }
  await assert.rejects(late.commit(at(late, 15n)), { code: "FENCED" });
  assert.deepEqual(await committedBy(topic, group), [20, 20, 20, 20]);
});

/** The judge of commits must notice what it is there for. */
test("the judge notices an offset that goes back, and one that covers what is not in the target", () => {
  const log = Array.from({ length: 10 }, (_, i) => ({ partition: 0, offset: i, key: "key", value: numberedValue(i) }));
  const sample = (committed: number, end: number): CommitSample => ({
    committed: new Map([[0, committed]]),
    ends: new Map([[0, end]]),
  });
  assertCommitsSound([sample(-1, 0), sample(3, 3), sample(3, 8), sample(8, 8)], log, log);
  assert.throws(() => assertCommitsSound([sample(5, 8), sample(3, 8)], log, log), /went back from 5 to 3/);
  assert.throws(() => assertCommitsSound([sample(5, 8), sample(-1, 8)], log, log), /went back/);
  assert.throws(() => assertCommitsSound([sample(6, 5)], log, log), /the record at 5 was not in the target/);
  const holed = log.filter(({ offset }) => offset !== 4);
  assert.throws(() => assertCommitsSound([sample(6, 10)], log, holed), /the record at 4 was not in the target/);
});

/** A member whose generations are asked for one by one: it lives in each until the next is wanted. */
function memberOf(topic: string, group: string, options: Partial<GroupOptions>) {
  const stop = new AbortController();
  const member = new GroupMember({
    ...groupOf(group, options),
    kafka,
    topics: [topic],
    signal: stop.signal,
    log: testLog,
  });
  const generations = member.generations();
  return {
    async next(): Promise<Generation> {
      const { value } = await generations.next();
      assert.ok(value !== undefined, "the member has stopped");
      return value;
    },
    async [Symbol.asyncDispose](): Promise<void> {
      stop.abort();
      await generations.return();
      await member[Symbol.asyncDispose]();
    },
  };
}

function at({ assignment }: Generation, offset: bigint): readonly Position[] {
  return assignment.map((partition) => ({ ...partition, offset }));
}

async function committedBy(topic: string, group: string): Promise<readonly (number | undefined)[]> {
  await using watch = new CommitWatch({ kafka, group, source: topic, partitions: PARTITIONS, target: topic });
  await until("a look at the commits", () => watch.committed.size === PARTITIONS);
  return Array.from({ length: PARTITIONS }, (_, partition) => watch.committed.get(partition));
}
