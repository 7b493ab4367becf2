import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, test } from "node:test";
import { Kafka, logLevel } from "kafkajs";
import { Brokers } from "../../src/kafka/cluster.ts";
import { GroupMember } from "../../src/kafka/group-member.ts";
import { setOffsets } from "../../src/kafka/group-offsets.ts";
import { EARLIEST, type Isolation, LATEST, offsetsAt } from "../../src/kafka/offsets.ts";
import { RecordProducer } from "../../src/kafka/record-producer.ts";
import { openSource } from "../../src/kafka/source.ts";
import type { Position } from "../../src/kafka/topic-partition.ts";
import { LAG_DEFAULTS, type LagOptions } from "../../src/lag/options.ts";
import { readLag, watchLag } from "../../src/lag/read-lag.ts";
import type { GroupLagReport, LagReport, PartitionLagReport } from "../../src/lag/report.ts";
import type { NewRecord } from "../../src/record-batch/batch-builder.ts";
import { readRecords } from "../../src/record-batch/records.ts";
import { Beside } from "../helpers/beside.ts";
import { JavaMember } from "../helpers/group-readers.ts";
import { coordinated, groupOf, kafkaOf, makeTopic, produceAll, startOf, testLog, until } from "../helpers/kafka.ts";
import { testServices, uniqueName } from "../helpers/services.ts";
import { deleteRecordsBefore, whenLed } from "../helpers/topics.ts";

const { brokers, java } = await testServices();
const kafka = kafkaOf(brokers);
const context = { log: testLog, signal: AbortSignal.timeout(500_000) };
const QUICK = { stalledAfterMs: 3_000, blockedAfterMs: 500 };
/** Long enough ago that nothing seems to arrive. */
const LONG_AGO = Date.now() - 3_600_000;
// These take their time beside the first test.
const transactions = await writeTransactions();
const compacted = writeCompacted();
compacted.catch(() => {});

function optionsOf(groups: readonly string[], options: Partial<LagOptions> = {}): LagOptions {
  return { ...LAG_DEFAULTS, kafka, groups, intervalMs: 300, judge: QUICK, ...options };
}

async function lagOf(groups: readonly string[], options: Partial<LagOptions> = {}): Promise<LagReport> {
  const report = await readLag(optionsOf(groups, options), context);
  assert.deepEqual(report.unseen, []);
  return report;
}

async function groupLag(group: string, options: Partial<LagOptions> = {}): Promise<GroupLagReport> {
  const { groups } = await lagOf([group], options);
  return groups[0] ?? assert.fail(`${group} is not in the report`);
}

/** What one look can tell. */
async function firstLook(group: string, options: Partial<LagOptions> = {}): Promise<GroupLagReport> {
  for await (const { groups } of watchLag(optionsOf([group], options), context, assert.fail)) {
    return groups[0] ?? assert.fail(`${group} is not in the report`);
  }
  return assert.fail("no look");
}

function records(count: number, timestamp = LONG_AGO): NewRecord[] {
  return Array.from({ length: count }, (_, i) => ({
    ...{ key: Buffer.from(`key-${i % 20}`), value: Buffer.from(String(i)), timestamp: timestamp + i },
  }));
}

/** As if a reader without a place of its own had committed. */
async function commit(group: string, positions: readonly Position[]): Promise<void> {
  await using connections = new Brokers(kafka, testLog);
  await coordinated(() => setOffsets(connections, group, positions, "empty"));
}

async function placesOf(topic: string, timestamp: bigint, isolation: Isolation = "read_uncommitted") {
  await using connections = new Brokers(kafka, testLog);
  return await whenLed(async () => offsetsAt(connections, await startOf(kafka, topic), timestamp, isolation));
}

/** A member that has its partitions and commits nothing, until it is disposed of. */
function standingMember(group: string, topic: string): Beside {
  return new Beside(async (signal) => {
    await using member = new GroupMember({ ...groupOf(group), kafka, topics: [topic], signal, log: testLog });
    for await (const generation of member.generations()) {
      if (generation.signal.aborted) continue;
      const over = AbortSignal.any([generation.signal, signal]);
      await new Promise((resolve) => over.addEventListener("abort", resolve, { once: true }));
    }
  });
}

async function untilRead(group: string, topic: string, member: Beside): Promise<void> {
  await until(`a member with its partitions of ${topic}`, async () => {
    member.check();
    const { members, partitions } = await firstLook(group);
    return members === 1 && partitions.every(({ reader }) => reader !== undefined);
  });
}

/** What Kafka's own consumer gets from each offset on, up to where it may read. */
async function javaCounts(positions: readonly Position[]): Promise<readonly number[]> {
  const [first] = positions;
  const views = positions.map(({ partition, offset }) => `read_committed/${partition}/${offset}`);
  const args = [brokers.join(), first?.topic ?? "", ...views];
  const { code, stdout, stderr } = await java.runJavaSource("test/java/IsolatedViews.java", args);
  assert.equal(code, 0, stderr);
  return stdout
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { records: number }).records);
}

function countsOf(partitions: readonly PartitionLagReport[]) {
  return partitions.map(({ messages: { messages, exact } }) => (exact ? messages : `~${messages}`));
}

test("where Kafka's own tools can tell the lag, it is the same; what retention has taken is lost, and named", async () => {
  const [topic, read] = [uniqueName("lag-plain"), uniqueName("lag-read")];
  await makeTopic(kafka, { topic, partitions: 3, config: { "retention.ms": "7200000" } });
  await makeTopic(kafka, { topic: read, partitions: 1 });
  await produceAll(kafka, read, records(10));
  // A member of the consumer protocol: it takes its time.
  await using _member = new JavaMember(java, kafka, { topic: read, group: read, protocol: "consumer" });
  await produceAll(kafka, topic, records(600));
  const group = uniqueName("lag-plain");
  const starts = await placesOf(topic, EARLIEST);
  await commit(
    group,
    starts.map((place) => ({ ...place, offset: BigInt(place.partition) })),
  );
  const { status, members, messages, partitions, seconds = 0 } = await groupLag(group);
  const counts = countsOf(partitions);
  assert.deepEqual([counts, messages.messages], [await kafkaJsLag(group, topic), 597]);
  assert.deepEqual(counts, await toolLag(group));
  assert.deepEqual([status, members], ["idle", 0]);
  // The oldest is an hour old, and kept for two.
  assert.ok(seconds >= 3_599 && seconds < 4_200, `${seconds} s`);
  for (const { untilDeleted, next, committed, arrival } of partitions) {
    assert.equal(untilDeleted.kind, "in");
    if (untilDeleted.kind === "in") assert.ok(untilDeleted.seconds > 3_000 && untilDeleted.seconds <= 3_601);
    assert.equal(next?.offset, committed);
    assert.match(next?.key ?? "", /^key-\d+$/);
    assert.equal(arrival?.perSecond, 0);
  }

  // Beyond what may be read it is estimated, and says so.
  const estimated = await groupLag(group, { read: { bytes: 0, ms: 1_000 } });
  assert.deepEqual(
    countsOf(estimated.partitions),
    counts.map((count) => `~${count}`),
  );
  assert.equal(estimated.seconds, undefined);

  await deleteRecordsBefore(kafka, topic, 1, 101n);
  const after = await groupLag(group);
  const [, lost] = after.partitions;
  assert.equal(lost?.status, "losing data");
  assert.match(lost?.reason ?? "", /^offsets 1 to 100 were deleted before they were read: 100 offsets lost$/);
  assert.equal(lost?.messages.messages, Number((await placesOf(topic, LATEST))[1]?.offset) - 101);
  assert.equal(after.status, "losing data");

  const {
    members: one,
    partitions: [place],
  } = await until("a member of the consumer protocol", async () => {
    const seen = await firstLook(read);
    return seen.partitions[0]?.reader !== undefined && seen.messages.messages === 0 && seen;
  });
  assert.deepEqual([one, place?.status], [1, "caught up"]);
  assert.match(place?.reader ?? "", /^java-consumer at \S+$/);
});

/** What KafkaJS's admin client makes of it. */
async function kafkaJsLag(group: string, topic: string): Promise<readonly number[]> {
  const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    const [committed] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
    const ends = await admin.fetchTopicOffsets(topic);
    const behind = new Map(ends.map(({ partition, offset }) => [partition, Number(offset)]));
    const byNumber = (committed?.partitions ?? []).toSorted((a, b) => a.partition - b.partition);
    return byNumber.map(({ partition, offset }) => (behind.get(partition) ?? 0) - Number(offset));
  } finally {
    await admin.disconnect();
  }
}

/** By partition, as `kafka-consumer-groups` prints it. */
async function toolLag(group: string): Promise<readonly number[]> {
  const tool = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
  const { stdout } = await java.runTool(tool, ["--bootstrap-server", brokers.join(), "--describe", "--group", group]);
  // GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG …
  const rows = [...stdout.matchAll(/^\S+ +\S+ +(\d+) +\d+ +\d+ +(\d+) /gm)];
  return rows.toSorted((a, b) => Number(a[1]) - Number(b[1])).map(([, , lag]) => Number(lag));
}

test("what a transaction's markers, aborted records and compaction leave is counted as Kafka's own consumer does", async () => {
  const { topic, control, writing } = transactions;
  const written = until("the transactions", async () => (await placesOf(control, LATEST))[0]?.offset === 1n, 90_000);
  await Promise.race([written, writing.then(({ stderr }) => assert.fail(`not written: ${stderr}`))]);

  // Two transactions are open now.
  const stable = await placesOf(topic, LATEST, "read_committed");
  const [fromStart, fromMiddle, atEnd] = [uniqueName("from-start"), uniqueName("from-middle"), uniqueName("at-end")];
  const middle = stable.map((place) => ({ ...place, offset: place.offset / 2n }));
  await commit(fromStart, await placesOf(topic, EARLIEST));
  await commit(fromMiddle, middle);
  await commit(atEnd, stable);
  const seen = await lagOf([fromStart, fromMiddle, atEnd]);
  const positions = [...(await placesOf(topic, EARLIEST)), ...middle];
  const expected = await javaCounts(positions);
  const of = (report: LagReport, name: string) => report.groups.find(({ group }) => group === name)?.partitions ?? [];
  assert.deepEqual([...countsOf(of(seen, fromStart)), ...countsOf(of(seen, fromMiddle))], expected);
  for (const { end, committed, messages } of of(seen, fromStart))
    assert.ok(messages.messages < Number(end - committed));
  assert.deepEqual(countsOf(of(seen, atEnd)), [0, 0, 0]);
  // With less to be read than there is, the bounds hold.
  for (const bytes of [1, 3_000, 20_000]) {
    const bounded = await firstLook(fromStart, { read: { bytes, ms: 10_000 } });
    assert.equal(bounded.messages.exact, false);
    for (const [i, { messages }] of bounded.partitions.entries()) {
      assert.ok(messages.messages > 0 && messages.messages <= messages.atMost);
      assert.ok((expected[i] ?? 0) <= messages.atMost, `${JSON.stringify(messages)}, in truth ${expected[i]}`);
      if (messages.exact) assert.equal(messages.messages, expected[i]);
    }
  }
  // One that reads uncommitted records is behind nothing.
  const uncommitted = uniqueName("uncommitted");
  await commit(uncommitted, await placesOf(topic, LATEST));
  for (const { messages, end, committed, openTransaction } of (await firstLook(uncommitted)).partitions) {
    assert.deepEqual([messages.messages, end, openTransaction], [0, committed, undefined]);
  }

  // One that has come to the end of what is committed stands before the oldest of them.
  {
    await using member = standingMember(atEnd, topic);
    await untilRead(atEnd, topic, member);
    const { status, partitions } = await groupLag(atEnd);
    assert.equal(status, "blocked", JSON.stringify(partitions.map(({ reason }) => reason)));
    for (const { openTransaction, reason, end, written: high, seconds } of partitions) {
      assert.match(openTransaction?.transactionalId ?? "", new RegExp(`^${topic}-[12]$`));
      assert.equal(openTransaction?.heldBack, Number(high - end));
      assert.ok((openTransaction?.seconds ?? 0) > 0.5);
      assert.match(reason, new RegExp(`behind the transaction of "${topic}-[12]", producer \\d+, open for`));
      assert.equal(seconds, 0);
    }
  }

  await sendTo(control, 1, [{ key: null, value: null, timestamp: 1 }]);
  assert.equal((await writing).code, 0);
  const ends = await placesOf(topic, LATEST);
  // Where the last marker stands: there is an offset behind it, and nothing to be read.
  await commit(
    atEnd,
    ends.map((place) => ({ ...place, offset: place.offset - 1n })),
  );
  const holes = await compacted;
  const inHoles = { ...holes, offset: 10n };
  const [last = [], ofHoles] = await Promise.all([
    javaCounts(ends.map((place) => ({ ...place, offset: place.offset - 1n }))),
    javaCounts([inHoles]),
  ]);
  const after = await groupLag(atEnd);
  assert.deepEqual(countsOf(after.partitions), last);
  assert.ok(last.includes(0), `no partition ends in a marker: ${last}`);
  // There is an offset, and no record: nobody is behind.
  const read = after.partitions.filter(({ messages }) => messages.messages === 0);
  for (const { status, seconds, committed, end } of read) {
    assert.ok(status === "caught up" || status === "idle", status);
    assert.deepEqual([seconds, end - committed], [0, 1n]);
  }

  const reader = uniqueName("compacted");
  await commit(reader, [inHoles]);
  const { partitions } = await groupLag(reader);
  assert.deepEqual(countsOf(partitions), ofHoles);
  assert.ok((partitions[0]?.messages.messages ?? 0) < 389, "compaction has left holes");
  assert.deepEqual(partitions[0]?.untilDeleted, { kind: "never" });
});

/** Committed and aborted ones, in the end two that are open until a record comes in partition 1 of the control topic. */
async function writeTransactions() {
  const [topic, control] = [uniqueName("lag-transactions"), uniqueName("lag-control")];
  await makeTopic(kafka, { topic, partitions: 3 });
  await makeTopic(kafka, { topic: control, partitions: 2 });
  const args = [brokers.join(), topic, "3", control, "11"];
  const writing = java.runJavaSource("test/java/Transactions.java", args, { timeoutMs: 100_000 });
  writing.catch(() => {});
  return { topic, control, writing };
}

/** One in which compaction has left holes. */
async function writeCompacted(): Promise<Position> {
  const topic = uniqueName("lag-compacted");
  const config = { "cleanup.policy": "compact", "segment.ms": "200", "min.cleanable.dirty.ratio": "0.001" };
  await makeTopic(kafka, { topic, partitions: 1, config });
  await produceAll(kafka, topic, records(399));
  // By its timestamp it begins a segment, and those before can be compacted.
  await produceAll(kafka, topic, records(1, Date.now()));
  const [start] = await startOf(kafka, topic);
  assert.ok(start !== undefined);
  await until("the compaction", async () => (await countFrom(start, 400n)) < 300);
  return start;
}

async function countFrom(position: Position, end: bigint): Promise<number> {
  let count = 0;
  for await (const part of openSource({ kafka, positions: [position], ...context })) {
    count += [...readRecords(part)].length;
    if (part.nextOffset >= end) break;
  }
  return count;
}

async function sendTo(topic: string, partition: number, wanted: readonly NewRecord[]): Promise<void> {
  await using producer = await RecordProducer.open({ kafka, ...context });
  const sent = wanted.map((record) => producer.send(topic, record, partition));
  await producer.flush();
  await Promise.all(sent);
}

test("a group is told to stand, with the record it stands before; then to come closer, and when it will be there", async () => {
  const [topic, group] = [uniqueName("lag-standing"), uniqueName("lag-standing")];
  await makeTopic(kafka, { topic, partitions: 1 });
  await produceAll(kafka, topic, records(5_000));
  const [start] = await placesOf(topic, EARLIEST);
  assert.ok(start !== undefined);
  await commit(group, [{ ...start, offset: 7n }]);
  {
    await using member = standingMember(group, topic);
    await untilRead(group, topic, member);
    assert.equal((await firstLook(group)).status, "unclear");
    const { status, partitions } = await groupLag(group);
    assert.equal(status, "stalled");
    assert.match(
      partitions[0]?.reason ?? "",
      /^spillway at \S+ has committed nothing for .+, before offset 7, key "key-7"$/,
    );
    assert.deepEqual(partitions[0]?.catchUp, { kind: "never" });
    const parked = await groupLag(group, {
      parked: (ofGroup, place) => ({ keys: ofGroup === group && place.topic === topic ? 3 : 0, sinceMs: undefined }),
    });
    assert.deepEqual([parked.status, parked.partitions[0]?.parked], ["stalled", 3]);
  }
  await until("no member", async () => (await firstLook(group)).members === 0);

  // A reader of ten records a look: commits by hand, as its group has no members.
  const stop = new AbortController();
  const options = optionsOf([group]);
  let looks = 0;
  for await (const report of watchLag(options, { ...context, signal: stop.signal }, assert.fail)) {
    const [one] = report.groups[0]?.partitions ?? [];
    assert.ok(one !== undefined);
    assert.equal(one.messages.messages, Number(one.end - one.committed));
    if (++looks >= 3) {
      assert.equal(one.status, "keeping up", one.reason);
      assert.ok((one.consumption?.perSecond ?? 0) > 0);
      assert.equal(one.catchUp.kind, "in");
      stop.abort();
    }
    await commit(group, [{ ...start, offset: 7n + 1_000n * BigInt(looks) }]);
  }
  assert.equal(looks, 3);
});

const MAIN = resolve(import.meta.dirname, "../../src/cli/main.ts");
const directory = mkdtempSync(join(tmpdir(), "spillway-lag-"));
after(() => rmSync(directory, { recursive: true }));

function commandLine(args: readonly string[]) {
  const { PATH = "", HOME = "" } = process.env;
  const env = { PATH, HOME, SPILLWAY_TEST_RUN: process.env["SPILLWAY_TEST_RUN"] ?? "" };
  return { args: [MAIN, "lag", "--brokers", brokers.join(), ...args], options: { env, timeout: 60_000 } };
}

async function lag(...args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const { args: all, options } = commandLine(args);
  return await new Promise((done) => {
    execFile(process.execPath, all, options, (error, stdout, stderr) => {
      done({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
    });
  });
}

test("the command line shows all groups, says it as JSON, checks, and watches", async () => {
  const [topic, idle, losing] = [uniqueName("lag-cli"), uniqueName("lag-cli-idle"), uniqueName("lag-cli-losing")];
  await makeTopic(kafka, { topic, partitions: 2 });
  await sendTo(topic, 0, records(20));
  await deleteRecordsBefore(kafka, topic, 0, 5n);
  const starts = await placesOf(topic, EARLIEST);
  await commit(idle, starts);
  await commit(
    losing,
    starts.map((place) => ({ ...place, offset: 0n })),
  );

  const file = join(directory, "lag.json");
  const [all, checked] = await Promise.all([
    lag("--topic", topic, "--json", file),
    lag("--group", losing, "--json", "-", "--check"),
  ]);
  assert.equal(all.code, 0, all.stderr);
  assert.match(all.stdout, new RegExp(`^${idle}: idle, 15 waiting, 6\\d min behind, 0 members$`, "m"));
  assert.match(all.stdout, new RegExp(`^ +${topic} +0 +losing data +15 +6\\d min `, "m"));
  assert.match(all.stdout, /^ +offsets 0 to 4 were deleted before they were read: 5 offsets lost$/m);
  const report = JSON.parse(readFileSync(file, "utf8")) as LagReport;
  assert.deepEqual(
    report.groups.map(({ group, status }) => [group, status]),
    [
      [idle, "idle"],
      [losing, "losing data"],
    ],
  );

  assert.equal(checked.code, 18);
  const [seen] = (JSON.parse(checked.stdout) as LagReport).groups;
  const { committed, logStart, reader } = seen?.partitions[0] ?? {};
  // Offsets are strings there, and what isn't known is null.
  assert.deepEqual([committed, logStart, reader], ["0", "5", null]);

  const { args, options } = commandLine(["--group", idle, "--watch", "--interval", "500ms", "--check"]);
  const watching = spawn(process.execPath, args, { ...options, stdio: ["ignore", "pipe", "ignore"] });
  let lines = "";
  watching.stdout.setEncoding("utf8").on("data", (text: string) => {
    lines += text;
  });
  const ended = once(watching, "close");
  await until("two looks", () => lines.split("\n").length > 2);
  watching.kill("SIGTERM");
  const [code] = await ended;
  assert.equal(code, 0);
  const [first, second] = lines.split("\n").map((line) => (line === "" ? undefined : (JSON.parse(line) as LagReport)));
  assert.deepEqual([first?.looks, second?.looks], [1, 2]);
});
