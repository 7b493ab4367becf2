/** The main job as its users run it: the commands as processes, killed, stopped and drowned, judged by the ledger. */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { MongoClient } from "mongodb";
import { buildCli, CLI } from "../../bench/built-cli.ts";
import { freePort } from "../../services/ports.ts";
import { Ledger } from "../../src/demo/ledger.ts";
import { MongoStore } from "../../src/demo/mongo-store.ts";
import { Brokers } from "../../src/kafka/cluster.ts";
import { RecordProducer } from "../../src/kafka/record-producer.ts";
import { runBackfill } from "../../src/producer/backfill.ts";
import { BACKFILL_PROFILES, BackfillPlan, backfillKey } from "../../src/producer/backfill-plan.ts";
import { committedSum, kafkaOf, makeTopic, testLog, until } from "../helpers/kafka.ts";
import { QUICK_SESSION, SpillwayProcess } from "../helpers/process.ts";
import { testServices, uniqueName } from "../helpers/services.ts";

const { brokers, mongoUrl, java, toxiproxy } = await testServices();
const kafka = kafkaOf(brokers);
const DATABASE = uniqueName("main-job");
const never = new AbortController().signal;

before(() => buildCli(AbortSignal.timeout(300_000)));

interface Names {
  readonly hot: string;
  readonly wide: string;
  readonly collection: string;
}

async function prepare(name: string): Promise<Names> {
  const hot = uniqueName(`${name}-hot`);
  const wide = uniqueName(`${name}-wide`);
  await makeTopic(kafka, { topic: hot, partitions: 3 });
  await makeTopic(kafka, { topic: wide, partitions: 24 });
  return { hot, wide, collection: uniqueName(name) };
}

function relay({ hot, wide }: Names, main?: string): SpillwayProcess {
  const args = ["relay", "--brokers", brokers.join(), "--source", hot, "--target", wide, ...QUICK_SESSION];
  return new SpillwayProcess(args, {}, main);
}

function sink(
  { wide, collection }: Names,
  { main, url = mongoUrl, more = [] }: { readonly main?: string; readonly url?: string; readonly more?: string[] } = {},
): SpillwayProcess {
  const args = [
    "sink",
    "--brokers",
    brokers.join(),
    "--topic",
    wide,
    "--collection",
    collection,
    "--database",
    DATABASE,
  ];
  return new SpillwayProcess([...args, ...QUICK_SESSION, ...more], { SPILLWAY_MONGO_URL: url }, main);
}

/** Writes a flood; tells the ledger of each record that is acknowledged. */
async function flood(topic: string, records: number, ledger?: Ledger, tailMs = 0): Promise<void> {
  const signal = AbortSignal.timeout(200_000);
  await using outlet = await RecordProducer.open({ kafka, log: testLog, signal });
  const rate = { kind: "burst", burst: tailMs === 0 ? records : Math.floor(records / 10), tailMs } as const;
  const plan = new BackfillPlan({ ...BACKFILL_PROFILES.burst, keys: 1_000, records, rate });
  const acknowledged = await runBackfill(plan, {
    topic,
    outlet,
    signal,
    onAcknowledged: ({ key, sequence }, place) => ledger?.acknowledged(key, sequence, place),
  });
  assert.equal(acknowledged, records);
}

async function membersOf(group: string): Promise<string> {
  const args = ["--bootstrap-server", brokers.join(), "--describe", "--state", "--group", group];
  return (await java.runTool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", args)).stdout;
}

test("relay and sink killed and stopped in mid-flow: nothing missing, nothing doubled, no key out of order", async (t) => {
  const names = await prepare("crash");
  await using client = new MongoClient(mongoUrl);
  const documents = client.db(DATABASE).collection(names.collection);
  await using store = new MongoStore(mongoUrl, names.collection, DATABASE);
  const sampledKeys = Array.from({ length: 50 }, (_, i) => backfillKey(i));
  const ledger = new Ledger({ store, sampledKeys, orderLookupsPerSecond: 200 });
  const watching = ledger.start();
  watching.catch(() => {});

  const flooding = flood(names.hot, 30_000, ledger, 20_000);
  flooding.catch(() => {});
  let relaying = relay(names);
  let sinking = sink(names);
  try {
    const writtenAtLeast = (count: number) =>
      until(`${count} documents`, async () => (await documents.estimatedDocumentCount()) >= count, 90_000);
    await writtenAtLeast(2_000);
    await relaying.crash();
    relaying = relay(names);
    await writtenAtLeast(5_000);
    await sinking.crash();
    sinking = sink(names);
    await writtenAtLeast(8_000);
    // What waited in the wide topic may have been enough for that. One that has not begun has nothing to stop in order.
    await until("both are at work again", () =>
      [relaying, sinking].every(({ log }) => log.includes("joined the group")),
    );
    await relaying.stop();
    await sinking.stop();
    assert.match(await membersOf(`spillway-relay-${names.hot}`), /Empty\s+0/, "the relay has left its group");
    assert.match(await membersOf(`spillway-sink-${names.wide}`), /Empty\s+0/, "the sink has left its group");
    relaying = relay(names);
    sinking = sink(names);
    await flooding;
    assert.ok((await ledger.drained(never, 60_000)) !== undefined, `not drained:\n${relaying.log}\n${sinking.log}`);
    await relaying.stop();
    await sinking.stop();
  } finally {
    await relaying.crash();
    await sinking.crash();
  }
  const { documents: found, missing, duplicates, strangers, misnamed, orderViolations } = await ledger.verdict();
  t.diagnostic(JSON.stringify({ found, missing, duplicates, strangers, misnamed, orderViolations }));
  assert.deepEqual([missing, duplicates, strangers, misnamed, orderViolations], [0, 0, 0, 0, 0]);
  assert.equal(found, 30_000);
});

test("memory stays flat and under 300 MiB, whether 100,000 or 1,000,000 records wait", async (t) => {
  const peaks = [];
  for (const waiting of [100_000, 1_000_000]) {
    const names = await prepare("memory");
    await flood(names.hot, waiting);
    await using connections = new Brokers(kafka, testLog);
    await using relaying = relay(names, CLI);
    await until(
      "all relayed",
      async () => {
        const hot = { topic: names.hot, partitions: 3 };
        return (await committedSum(connections, `spillway-relay-${names.hot}`, hot)) >= waiting;
      },
      120_000,
    );
    const relayPeak = relaying.peakMiB();
    await relaying.stop();
    // What waits for the sink is the point, not that it is worked off: a while of full speed is enough.
    await using client = new MongoClient(mongoUrl);
    const documents = client.db(DATABASE).collection(names.collection);
    await using sinking = sink(names, { main: CLI });
    await until("documents", async () => (await documents.estimatedDocumentCount()) >= 90_000, 120_000);
    peaks.push({ waiting, relay: Math.round(relayPeak), sink: Math.round(sinking.peakMiB()) });
    await sinking.stop();
  }
  t.diagnostic(JSON.stringify(peaks));
  const [few, many] = peaks;
  assert.ok(few !== undefined && many !== undefined);
  for (const part of ["relay", "sink"] as const) {
    assert.ok(many[part] < 300, `${part}: ${many[part]} MiB`);
    // A relay is through with 100,000 (20 MB) before its buffers are full: those are allowed for, and no more.
    assert.ok(many[part] < few[part] + 100, `${part}: ${few[part]} MiB with 100,000, ${many[part]} with 1,000,000`);
  }
});

test("memory stays where it is in an outage, however often the database is looked for", async (t) => {
  const RECORDS = 60_000;
  const names = await prepare("outage");
  await flood(names.wide, RECORDS);
  await using client = new MongoClient(mongoUrl);
  const documents = client.db(DATABASE).collection(names.collection);
  const { host } = new URL(mongoUrl);
  const proxy = await toxiproxy.createProxy({ name: uniqueName("outage"), upstream: host });
  const port = await freePort();
  // In 20 s as often as in a quarter of an hour with the usual pauses.
  const hasty = ["--retry-base-ms", "5", "--retry-max-ms", "20", "--server-selection-timeout-ms", "100"];
  await using sinking = sink(names, {
    ...{ main: CLI, url: mongoUrl.replace(host, proxy.address) },
    more: [...hasty, "--listen", String(port)],
  });
  const gauge = async (name: string) => {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    return Number(new RegExp(`^spillway_sink_${name}(?:\\{.*\\})? (\\S+)$`, "m").exec(text)?.[1]);
  };
  const peakAfter = async (seconds: number) => {
    await until(`${seconds} s of outage`, async () => (await gauge("outage_seconds")) >= seconds, 120_000);
    return sinking.peakMiB();
  };

  await until("it writes", async () => (await documents.estimatedDocumentCount()) > 0, 120_000);
  await proxy.cut();
  const early = await peakAfter(2);
  let held = Number.NaN;
  await until("it reads no further", async () => {
    const before = held;
    held = await gauge("in_flight_records");
    return held >= 20_000 && held === before;
  });
  const late = await peakAfter(20);
  t.diagnostic(JSON.stringify({ early: Math.round(early), late: Math.round(late), held }));
  assert.equal(await gauge("in_flight_records"), held, "it reads no further");
  assert.ok(late < 300 && late < early + 30, `${early} MiB at the beginning of an outage, ${late} at its end`);
  await proxy.restore();
  await until("all documents", async () => (await documents.countDocuments()) === RECORDS, 120_000);
  await sinking.stop();
  await proxy.delete();
});
