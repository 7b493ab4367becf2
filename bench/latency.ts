/**
 * What the relay adds to a record's way: from when a reader of the hot topic has it to when a reader of the wide topic
 * has it, both read_committed, both in this process. `node bench/latency.ts --json FILE`
 */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { pino } from "pino";
import { Reaper } from "../services/reaper.ts";
import { ServiceProcess } from "../services/service-process.ts";
import { startServices } from "../services/services.ts";
import { RecordProducer } from "../src/kafka/record-producer.ts";
import { openSource } from "../src/kafka/source.ts";
import { readRecords } from "../src/record-batch/records.ts";
import { buildCli } from "./built-cli.ts";
import { describeMachine } from "./machine.ts";
import type { Job } from "./peers/peer.ts";
import { spillway, spillwayAtLeastOnce } from "./peers/spillway.ts";
import type { Guarantee } from "./result.ts";
import { rounded } from "./statistics.ts";
import { Topics } from "./topics.ts";

const SOURCE_PARTITIONS = 3;
const TARGET_PARTITIONS = 24;
const VALUE_BYTES = 180;
/** At the rate of the load: connections are open then, and code is compiled. */
const WARMUP_SECONDS = 10;
/** Records a second, and for how many seconds: enough of them for a 99th percentile. */
const LOADS = [
  { recordsPerSecond: 2, seconds: 60 },
  { recordsPerSecond: 1_000, seconds: 20 },
] as const;
const ARRIVAL_MS = 30_000;

interface LatencyRow {
  readonly guarantee: Guarantee;
  readonly recordsPerSecond: number;
  readonly samples: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

const { values } = parseArgs({ options: { json: { type: "string" } } });
const rows: LatencyRow[] = [];
const log = pino({ level: "warn" }, pino.destination(2));
await buildCli(AbortSignal.timeout(300_000));
await using reaper = new Reaper();
await using services = await startServices({
  kafka: true,
  own: true,
  log: (line) => process.stdout.write(`${line}\n`),
});
await using topics = new Topics(services.brokers, log);
for (const peer of [spillwayAtLeastOnce, spillway]) {
  const id = peer.guarantee;
  const job: Job = {
    ...{ brokers: services.brokers, source: `hot-${id}`, target: `wide-${id}`, targetPartitions: TARGET_PARTITIONS },
    ...{ codec: "none" as const, group: `bench-${id}`, directory: reaper.directory, nodeFlags: [] },
  };
  await topics.create(job.source, SOURCE_PARTITIONS);
  await topics.create(job.target, TARGET_PARTITIONS);
  const [variant] = peer.variants;
  if (variant === undefined) throw new RangeError("a peer without a way to run it");
  const { command, args } = await variant.command(job);
  const logFile = join(reaper.directory, `${id}.log`);
  const times = { startTimeoutMs: 10_000, stopTimeoutMs: 30_000, isReady: () => true };
  const relay = new ServiceProcess({ name: peer.name, command, args, logFile, ...times }, reaper);
  await relay.start();
  try {
    for (const load of LOADS) rows.push({ guarantee: peer.guarantee, ...(await measure(job, load)) });
  } finally {
    await relay.kill("SIGTERM");
  }
}
process.stdout.write(`${rows.map((row) => JSON.stringify(row)).join("\n")}\n`);
if (values.json !== undefined) {
  await writeFile(values.json, `${JSON.stringify({ machine: describeMachine(), rows }, undefined, 2)}\n`);
}

async function measure(
  { source, target }: { readonly source: string; readonly target: string },
  { recordsPerSecond, seconds }: (typeof LOADS)[number],
): Promise<Omit<LatencyRow, "guarantee">> {
  const stop = new AbortController();
  const warmup = recordsPerSecond * WARMUP_SECONDS;
  const count = warmup + recordsPerSecond * seconds;
  const [hot, wide] = [await watch(source, stop.signal), await watch(target, stop.signal)];
  await using producer = await RecordProducer.open({ kafka: topics.kafka, log, signal: stop.signal, lingerMs: 0 });
  const startAt = performance.now();
  for (let i = 0; i < count; i++) {
    const value = Buffer.from(String(i).padEnd(VALUE_BYTES));
    const record = { key: Buffer.from(`key-${i % 1_000}`), value, timestamp: Date.now() };
    producer.send(source, record).catch((error: unknown) => stop.abort(error));
    await pause(Math.max(0, startAt + ((i + 1) * 1_000) / recordsPerSecond - performance.now()));
  }
  const giveUpAt = performance.now() + ARRIVAL_MS;
  while (wide.seen.size < count && performance.now() < giveUpAt && !stop.signal.aborted) await pause(20);
  stop.abort(new Error("measured"));
  await Promise.all([hot.ended, wide.ended]);
  if (wide.seen.size < count) throw new Error(`${wide.seen.size} of ${count} records arrived`);
  const added = [...wide.seen]
    .filter(([i]) => i >= warmup)
    .map(([i, at]) => at - (hot.seen.get(i) ?? Number.NaN))
    .sort((a, b) => a - b);
  const percentile = (share: number) => rounded(added[Math.ceil(added.length * share) - 1] ?? Number.NaN, 1);
  return {
    recordsPerSecond,
    samples: added.length,
    p50Ms: percentile(0.5),
    p99Ms: percentile(0.99),
    maxMs: percentile(1),
  };
}

/** Notes when each record that comes in from now on is there to be read. */
async function watch(topic: string, signal: AbortSignal) {
  const positions = await topics.end(topic);
  const seen = new Map<number, number>();
  const read = async () => {
    for await (const fetched of openSource({ kafka: topics.kafka, log, positions, signal })) {
      const now = performance.now();
      for (const { value } of readRecords(fetched)) seen.set(Number(value), now);
    }
  };
  return { seen, ended: read() };
}
