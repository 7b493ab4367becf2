/**
 * How long a quiet topic's record takes from when it is due to be produced until its document can be read, by Spillway's
 * defaults. `npm run bench:sink-latency -- --json FILE`
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { pino } from "pino";
import { Reaper } from "../services/reaper.ts";
import { startServices } from "../services/services.ts";
import { positive } from "./arguments.ts";
import { buildCli } from "./built-cli.ts";
import { describeMachine } from "./machine.ts";
import { startPeer } from "./peer-process.ts";
import { quietTopic } from "./quiet-topic.ts";
import { spillwaySink } from "./sink/peers/spillway.ts";
import { MongoStore, Proxies } from "./sink/stores.ts";
import { rounded } from "./statistics.ts";
import { Topics } from "./topics.ts";

const LATENCIES = [0, 100];
const PARTITIONS = 3;
const PER_SECOND = 2;
const POLL_MS = 2;
const WARMUP_MS = 10_000;
/** What the aim allows for batching, on top of one write. */
const ALLOWED_MS = 100;

interface LatencyRow {
  readonly latencyMs: number;
  readonly recordsPerSecond: number;
  readonly samples: number;
  readonly resolutionMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** p99 is at most 100 ms more than one write. */
  readonly isReached: boolean;
}

const { values } = parseArgs({ options: { json: { type: "string" }, seconds: { type: "string" } } });
const seconds = positive("seconds", values.seconds ?? "100");
const rows: LatencyRow[] = [];
const log = pino({ level: "warn" }, pino.destination(2));
const signal = AbortSignal.timeout(LATENCIES.length * (seconds * 1_000 + 5 * 60_000));
await buildCli(signal);
await using reaper = new Reaper();
await using services = await startServices({
  ...{ kafka: true, mongo: true, toxiproxy: true, own: true, signal },
  log: (line) => process.stdout.write(`${line}\n`),
});
await using topics = new Topics(services.brokers, log);
await using store = new MongoStore(services.mongoUrl);
const proxies = new Proxies(services.toxiproxy, "mongodb", new URL(services.mongoUrl).host);
for (const latencyMs of LATENCIES) {
  const row = await measure(latencyMs);
  process.stdout.write(`${JSON.stringify(row)}\n`);
  rows.push(row);
}
const { database } = services;
process.stdout.write(`Database: ${database}, behind toxiproxy.\n`);
if (values.json !== undefined) {
  await writeFile(values.json, `${JSON.stringify({ machine: describeMachine(), database, rows }, undefined, 2)}\n`);
}

async function measure(latencyMs: number): Promise<LatencyRow> {
  const id = `quiet-${latencyMs}`;
  await topics.create(id, PARTITIONS);
  const place = await store.open(id);
  const command = await spillwaySink([]).command({
    ...{ brokers: services.brokers, topic: id, partitions: PARTITIONS, group: `bench-${id}`, model: "insert" },
    ...{ target: "mongodb", database: id, collection: place.collection, directory: reaper.directory, nodeFlags: [] },
    url: `mongodb://${await proxies.address(latencyMs)}/?directConnection=true`,
  });
  const sink = await startPeer(reaper, { name: id, directory: join(reaper.directory), ...command });
  try {
    const { messages, p50Ms, p99Ms, maxMs } = await quietTopic(
      {
        ...{ kafka: topics.kafka, log, signal, topic: id, place, mongoUrl: services.mongoUrl },
        ...{ recordsPerSecond: PER_SECOND, keys: 4, pollMs: POLL_MS, warmupMs: WARMUP_MS },
      },
      () => pause(seconds * 1_000),
    );
    return {
      ...{ latencyMs, recordsPerSecond: PER_SECOND, samples: messages, resolutionMs: POLL_MS },
      ...{ p50Ms: rounded(p50Ms, 1), p99Ms: rounded(p99Ms, 1), maxMs: rounded(maxMs, 1) },
      isReached: p99Ms <= latencyMs + ALLOWED_MS,
    };
  } finally {
    await sink.kill("SIGTERM");
    await place.drop();
  }
}
