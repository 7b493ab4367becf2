/**
 * Sinks side by side: the same topic into a database that is so far away, by Spillway and by its peers, in turn.
 * `npm run bench:sink -- --json FILE`; `node bench/report.ts FILE` makes the page of it.
 */
import { statfs, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { resolve } from "node:path";
import { pino } from "pino";
import { DYNAMODB_NAME } from "../services/dynamodb.ts";
import { Reaper } from "../services/reaper.ts";
import { type Services, startServices } from "../services/services.ts";
import { buildCli } from "./built-cli.ts";
import { describeMachine } from "./machine.ts";
import { preload } from "./preload.ts";
import { type Case, casesOf } from "./sink/cases.ts";
import { measureSink, type SinkBench, type TargetServer } from "./sink/measure.ts";
import { parseSinkOptions, SINK_USAGE, type SinkBenchOptions } from "./sink/options.ts";
import { kafkajsInsertMany, kafkajsInsertOne } from "./sink/peers/kafkajs.ts";
import { mongoKafkaConnect } from "./sink/peers/mongo-kafka-connect.ts";
import type { SinkPeer } from "./sink/peers/peer.ts";
import { spillwaySink } from "./sink/peers/spillway.ts";
import { rowsOf, type SinkPeerSettings, type SinkResult, type SinkRound } from "./sink/result.ts";
import { MongoStore, Proxies } from "./sink/stores.ts";
import { settingsLine, sinkConsoleTable, sinkRoundLine } from "./sink/table.ts";
import { sinkVersions } from "./sink/versions.ts";
import { Topics } from "./topics.ts";
import { KEY_BYTES, VALUE_BYTES } from "./values.ts";

const BROKER = { "log.segment.delete.delay.ms": "1000" };
const DISK_BYTES = 10e9;
const SOURCE_BATCH_BYTES = 16_384;

const print = (line: string) => void process.stdout.write(`${line}\n`);
process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  let options: SinkBenchOptions;
  try {
    options = parseSinkOptions(args);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${SINK_USAGE}`);
    return 2;
  }
  const interruption = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => interruption.abort(new Error(name)));
  const result = await bench(options, interruption.signal);
  print(`\n${sinkConsoleTable(result)}`);
  if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(result, undefined, 2)}\n`);
  return 0;
}

async function bench(options: SinkBenchOptions, signal: AbortSignal): Promise<SinkResult> {
  await assertDisk();
  await buildCli(signal);
  const log = pino({ level: "warn" }, pino.destination(2));
  await using reaper = new Reaper();
  await using services = await startServices({
    ...{ kafka: { config: BROKER }, mongo: true, dynamodb: options.targets.includes("dynamodb"), toxiproxy: true },
    ...{ own: true, log: print, signal },
  });
  const { peer: connector, java } = await mongoKafkaConnect(reaper, signal, print);
  await using topics = new Topics(services.brokers, log);
  await using store = new MongoStore(services.mongoUrl);
  const cases = casesOf(options);
  const { records, rounds: count, windowSeconds, warmupSeconds } = options;
  const run: SinkBench = {
    ...{ topics, reaper, store, windowSeconds, warmupSeconds, records },
    servers: serversOf(services, options),
    nodeFlags: options.profiles === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${resolve(options.profiles)}`],
  };
  const peers = [spillwaySink(options.sinkOptions), connector, kafkajsInsertMany, kafkajsInsertOne];
  const described = describePeers(peers, cases, options);
  for (const one of described) print(settingsLine(one));
  await preloadAll(cases, topics, records);

  const rounds: SinkRound[] = [];
  // Round by round, all of them in each: what else the machine does falls on all alike.
  for (let round = 1; round <= count; round++) {
    for (const setting of cases) {
      for (const peer of peers.filter(({ name }) => setting.names.includes(name))) {
        signal.throwIfAborted();
        await assertDisk();
        const measured = await measureSink(run, { peer, setting, topic: topicOf(setting), round });
        print(sinkRoundLine(measured));
        rounds.push(measured);
      }
    }
  }
  return {
    machine: describeMachine(),
    versions: sinkVersions(java, await services.kafka.jars()),
    rows: rowsOf(rounds),
    takenAt: new Date().toISOString(),
    databases: {
      mongodb: services.database,
      ...(options.targets.includes("dynamodb") ? { dynamodb: DYNAMODB_NAME } : {}),
    },
    settings: {
      ...{ keyBytes: KEY_BYTES, valueBytes: VALUE_BYTES, windowSeconds, rounds: count, records },
      broker: { ...BROKER, brokers: "1", "replication factor": "1", heap: "512 MB" },
    },
    peers: described,
    rounds,
  };
}

function serversOf(services: Services, { targets }: SinkBenchOptions) {
  const { toxiproxy, mongoUrl, databaseControl } = services;
  const mongodb: TargetServer = {
    proxies: new Proxies(toxiproxy, "mongodb", new URL(mongoUrl).host),
    pid: databaseControl.pid(),
    url: (address) => `mongodb://${address}/?directConnection=true`,
  };
  if (!targets.includes("dynamodb")) return { mongodb };
  const dynamodb: TargetServer = {
    proxies: new Proxies(toxiproxy, "dynamodb", new URL(services.dynamodbUrl).host),
    pid: undefined,
    url: (address) => `http://${address}`,
  };
  return { mongodb, dynamodb };
}

async function preloadAll(cases: readonly Case[], topics: Topics, records: number): Promise<void> {
  const byTopic = new Map(cases.map((setting) => [topicOf(setting), setting]));
  for (const [topic, { partitions, keys }] of byTopic) {
    await topics.create(topic, partitions);
    const what = { kafka: topics.kafka, log: pino({ level: "warn" }, pino.destination(2)), topic, partitions, keys };
    print(JSON.stringify(await preload({ ...what, codec: "none", records, batchBytes: SOURCE_BATCH_BYTES })));
  }
}

function topicOf({ partitions, keys }: Pick<Case, "partitions" | "keys">): string {
  return `records-${partitions}-${keys}`;
}

/** Once for each way it is run. */
function describePeers(
  peers: readonly SinkPeer[],
  cases: readonly Case[],
  { warmupSeconds }: SinkBenchOptions,
): SinkPeerSettings[] {
  const all = peers.flatMap((peer) =>
    cases
      .filter(({ names }) => names.includes(peer.name))
      .map(({ target, model, partitions }) => ({
        ...{ name: peer.name, target, model, partitions, warmupSeconds: warmupSeconds[peer.warmup] },
        settings: peer.settings({ target, model, partitions }),
      })),
  );
  return [...new Map(all.map((one) => [JSON.stringify(one), one])).values()];
}

async function assertDisk(): Promise<void> {
  const { bavail, bsize } = await statfs(tmpdir());
  if (bavail * bsize < DISK_BYTES) throw new Error(`${tmpdir()} has less than ${DISK_BYTES / 1e9} GB left`);
}
