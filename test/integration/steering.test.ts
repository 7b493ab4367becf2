import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { Brokers } from "../../src/kafka/cluster.ts";
import { GroupLag } from "../../src/lag/group-lag.ts";
import type { Until } from "../../src/relay/job.ts";
import { RELAY_DEFAULTS, type RelayOptions } from "../../src/relay/options.ts";
import { Pace } from "../../src/relay/pace.ts";
import { runRelay } from "../../src/relay/relay.ts";
import { changeSettings, followSettings, readSettings, type Settings } from "../../src/relay/settings.ts";
import { newRelayStats } from "../../src/relay/stats.ts";
import type { RelayStatus } from "../../src/relay/status.ts";
import { committedSum, groupOf, javaOracle, kafkaOf, makeTopic, produceAll, testLog, until } from "../helpers/kafka.ts";
import { QUICK_SESSION, SpillwayProcess } from "../helpers/process.ts";
import { testServices, uniqueName } from "../helpers/services.ts";

const { brokers } = await testServices();
const kafka = kafkaOf(brokers);
const control = { kafka, log: testLog, signal: AbortSignal.timeout(500_000) };

async function hotTopic(name: string, records: number): Promise<string> {
  const topic = uniqueName(`${name}-hot`);
  await makeTopic(kafka, { topic, partitions: 3 });
  await produce(topic, records);
  return topic;
}

async function produce(topic: string, count: number, timestamp = Date.now()): Promise<void> {
  const records = Array.from({ length: count }, (_, i) => ({
    ...{ key: Buffer.from(`key-${i % 50}`), value: Buffer.from(String(i)), timestamp },
  }));
  await produceAll(kafka, topic, records);
}

function optionsOf(source: string, options: Partial<RelayOptions> = {}): RelayOptions {
  return { kafka, ...RELAY_DEFAULTS, source, target: `${source}-wide`, group: groupOf(`relay-${source}`), ...options };
}

/** A relay that runs beside the test. */
function relayBeside(options: RelayOptions) {
  const stop = new AbortController();
  const [pace, stats] = [new Pace(), newRelayStats()];
  const running = runRelay(options, { signal: stop.signal, log: testLog, pace, stats });
  running.catch(() => {});
  const end = async () => {
    stop.abort();
    await running;
  };
  return { pace, stats, end, [Symbol.asyncDispose]: end };
}

const untilNow: Until = { kind: "now" };

for (const guarantee of ["exactly-once", "at-least-once"] as const) {
  test(`${guarantee}: a limit holds from the first record on, whatever the size of what is fetched`, async () => {
    const hot = await hotTopic("limited", 1_500);
    const startedAt = performance.now();
    const options = optionsOf(hot, { guarantee, until: untilNow, limits: { recordsPerSecond: 500 } });
    const report = await runRelay(options, { signal: control.signal, log: testLog });
    assert.equal(report?.recordsWritten, 1_500);
    // But for the last piece of each partition, for which nobody waits.
    const seconds = (performance.now() - startedAt) / 1_000;
    assert.ok(seconds >= (1_500 - 3 * 125) / 500, `${seconds} s`);
    assert.equal((await javaOracle(options.target)).records, 1_500);
  });
}

test("a limit in bytes holds, too", async () => {
  const hot = await hotTopic("bytes", 1_500);
  const startedAt = performance.now();
  const options = optionsOf(hot, { until: untilNow, limits: { bytesPerSecond: 10_000 } });
  const report = await runRelay(options, { signal: control.signal, log: testLog });
  assert.equal(report?.recordsWritten, 1_500);
  // A record takes 16 bytes and more.
  const seconds = (performance.now() - startedAt) / 1_000;
  assert.ok(seconds >= (1_500 * 16 - 3 * 2_500) / 10_000, `${seconds} s`);
});

test("a relay that was paused stands still over a restart, keeps its group, and goes on when it is resumed", async () => {
  const hot = await hotTopic("paused", 0);
  const options = optionsOf(hot);
  const name = { group: options.group.group, source: hot };
  await using connections = new Brokers(kafka, testLog);
  const committed = () => committedSum(connections, name.group, { topic: hot, partitions: 3 });
  {
    await using relay = relayBeside(options);
    await produce(hot, 100);
    await until("all relayed", async () => (await committed()) === 100 || undefined);
    await changeSettings(name, { paused: true }, control);
    await until("paused", () => relay.pace.limits.paused);
    await produce(hot, 100);
  }
  assert.equal(await committed(), 100, "what comes in a pause is not relayed at the end, either");
  await using relay = relayBeside(options);
  await until("paused from the beginning", () => relay.pace.limits.paused);
  // It has read what is there, and holds it.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  assert.equal(relay.stats.recordsRead, 0);
  await changeSettings(name, { paused: false, recordsPerSecond: 1_000_000 }, control);
  await until("all relayed", async () => (await committed()) === 200 || undefined);
  assert.equal(relay.pace.limits.recordsPerSecond, 1_000_000);
});

test("what is said of different settings at the same moment all holds, for those who listen and those who come later", async () => {
  const name = { group: uniqueName("told-at-once"), source: "hot" };
  const heard: Settings[] = [];
  await using _ = await followSettings(name, (settings) => heard.push(settings), control);
  const changes: Settings[] = [{ recordsPerSecond: 5 }, { paused: true }, { bytesPerSecond: null }];
  await Promise.all(changes.map((change) => changeSettings(name, change, control)));
  const all = { recordsPerSecond: 5, paused: true, bytesPerSecond: null };
  await until("all is heard", () => isDeepStrictEqual(heard.at(-1), all));
  assert.deepEqual(await readSettings(name, control), all);
});

test("the command line and HTTP reach a relay while it runs, and show what it does", async () => {
  const hot = await hotTopic("told", 3_000);
  const file = join(tmpdir(), `${hot}.json`);
  const named = ["--brokers", brokers.join(), "--group", `group-${hot}`];
  const slow = ["--records-per-second", "30", "--listen", "0", "--until", "now"];
  await using relay = new SpillwayProcess(
    [...["relay", "--source", hot, "--target", `${hot}-wide`], ...[...named, ...slow, ...QUICK_SESSION]],
    { SPILLWAY_CONTROL_TOKEN: "planted-token" },
  );
  const url = await until("an address", () => /"url":"([^"]+)"/.exec(relay.log)?.[1]);
  const get = async () => (await (await fetch(`${url}/status`)).json()) as RelayStatus;
  const post = (path: string, body?: object) =>
    fetch(`${url}${path}`, {
      method: "POST",
      headers: {
        authorization: "Bearer planted-token",
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });

  const seen = await until("relaying", async () => {
    const status = await get();
    return status.stats.recordsRead > 0 && status.partitions.length === 3 ? status : undefined;
  });
  assert.deepEqual(seen.limits, { recordsPerSecond: 30, bytesPerSecond: null });
  assert.equal(
    seen.partitions.reduce((sum, { end }) => sum + Number(end), 0),
    3_000,
  );

  assert.match(await (await fetch(`${url}/metrics`)).text(), /^spillway_relay_left_offsets\{.*\} [1-9]/m);
  assert.equal((await fetch(`${url}/health/ready`)).status, 200);
  assert.equal((await fetch(`${url}/pause`, { method: "POST" })).status, 401);
  assert.equal((await post("/pause")).status, 200);
  await until("paused by HTTP", async () => (await get()).paused || undefined);
  for (const body of [{}, { recordsPerSecond: -1 }, { recordsPerSecond: "5" }, { other: 1 }]) {
    assert.equal((await post("/throttle", body)).status, 400, JSON.stringify(body));
  }
  assert.equal((await fetch(`${url}/other`)).status, 404);
  const fromPage = await fetch(`${url}/resume`, { method: "POST", headers: { origin: "http://a.example" } });
  assert.equal(fromPage.status, 403);

  const told = new SpillwayProcess(["throttle", hot, ...named, "--records-per-second", "off"]);
  assert.equal(await told.ended(60_000), 0, told.log);
  await until("no limit", async () => (await get()).limits.recordsPerSecond === null || undefined);
  assert.equal((await get()).paused, true);

  const look = new SpillwayProcess(["status", hot, ...named, "--json", file]);
  assert.equal(await look.ended(60_000), 0, look.log);
  const status = JSON.parse(await readFile(file, "utf8"));
  assert.deepEqual(status.settings, { paused: true, recordsPerSecond: null });
  assert.equal(status.job.finishedAt, null);
  const left = status.partitions.reduce((sum: number, partition: { left: string }) => sum + Number(partition.left), 0);
  assert.ok(left > 0 && left <= 3_000, `${left}`);

  const resumed = new SpillwayProcess(["resume", hot, ...named]);
  assert.equal(await resumed.ended(60_000), 0, resumed.log);
  assert.equal(await relay.ended(60_000), 0, relay.log);
  assert.match(relay.log, /"partition":2,"offset":"\d+","end":"\d+","left":"0".*"msg":"progress"/);
  assert.doesNotMatch(relay.log, /planted-token/);
  assert.equal((await javaOracle(`${hot}-wide`)).records, 3_000);
});

test("it gives way while another group is too far behind, and no longer", async () => {
  const others = await hotTopic("others", 300);
  const other = optionsOf(others);
  const upTo = async (end: Until) => {
    await runRelay({ ...other, until: end }, { signal: control.signal, log: testLog });
  };
  await upTo({ kind: "offsets", ends: new Map([0, 1, 2].map((partition) => [partition, 1n])) });
  const hot = await hotTopic("giving-way", 30);
  const bound = { kind: "messages", messages: 100 } as const;
  await using relay = relayBeside(optionsOf(hot, { yieldTo: { group: other.group.group, bound } }));
  await until("giving way", () => relay.pace.ceiling);
  await until("and still relaying", () => relay.stats.recordsWritten === 30 || undefined);
  await upTo(untilNow);
  await until("no longer", () => relay.pace.ceiling === undefined || undefined, 60_000);
});

test("lag is counted in messages, and in seconds of what is next to be read", async () => {
  const hot = uniqueName("lag-hot");
  await makeTopic(kafka, { topic: hot, partitions: 3 });
  const ago = Date.now() - 600_000;
  for (let i = 0; i < 3; i++) await produce(hot, 300, ago + i * 200_000);
  const options = optionsOf(hot);
  const { group } = options.group;
  await using lag = new GroupLag({ ...control, group, withAge: true });
  assert.deepEqual(await lag.look(), [], "a group that has committed nothing");
  // A topic of many batches, whose middle is next to be read in one partition.
  const ends = new Map([0, 1, 2].map((partition) => [partition, 1n]));
  await runRelay({ ...options, until: { kind: "offsets", ends } }, control);
  const lags = await lag.look();
  assert.deepEqual(lags.map(({ partition }) => partition).toSorted(), [0, 1, 2]);
  assert.equal(
    lags.reduce((sum, { messages }) => sum + Number(messages), 0),
    897,
  );
  for (const { seconds = 0 } of lags) assert.ok(seconds >= 600 && seconds < 700, `${seconds} s`);
  await runRelay({ ...options, until: untilNow }, control);
  for (const { messages, seconds } of await lag.look()) assert.deepEqual([messages, seconds], [0n, 0]);
});
