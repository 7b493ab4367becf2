import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Reaper } from "../../services/reaper.ts";
import { waitUntil } from "../../services/wait-until.ts";
import { DEAD_LETTER_SUFFIX } from "../../src/dead-letter/dead-letter.ts";
import { endedByItself, startPeer } from "../peer-process.ts";
import { cpuSecondsOf, machineCpuSeconds, peakRssMiBOf } from "../proc.ts";
import { rounded } from "../statistics.ts";
import { offsetsBetween, type Topics } from "../topics.ts";
import type { Case } from "./cases.ts";
import type { SinkJob, SinkPeer } from "./peers/peer.ts";
import type { SinkRound, TargetName } from "./result.ts";
import { type Count, committedRecords, type MongoStore, type Place, type Proxies } from "./stores.ts";

const FIRST_DOCUMENT_MS = 90_000;

/** A server to write to. */
export interface TargetServer {
  readonly proxies: Proxies;
  readonly pid: number | undefined;
  /** The sink's URL for an address. */
  url(address: string): string;
}

export interface SinkBench {
  readonly topics: Topics;
  readonly reaper: Reaper;
  readonly servers: Readonly<Partial<Record<TargetName, TargetServer>>>;
  readonly store: MongoStore;
  readonly windowSeconds: number;
  readonly warmupSeconds: Readonly<Record<SinkPeer["warmup"], number>>;
  /** Of each topic. */
  readonly records: number;
  /** For sinks that run on Node. */
  readonly nodeFlags: readonly string[];
}

export interface SinkRun {
  readonly peer: SinkPeer;
  readonly setting: Case;
  readonly topic: string;
  readonly round: number;
}

interface Snapshot extends Count {
  readonly sinkCpu: number;
  readonly databaseCpu: number;
  readonly machineCpu: number;
  readonly cpuAtMs: number;
}

/**
 * Runs a sink as a process of its own and looks at it from outside only: what is in the database and what /proc says, at
 * both ends of a window that begins so long after the first document is there.
 */
export async function measureSink(bench: SinkBench, run: SinkRun): Promise<SinkRound> {
  const { peer, setting, topic, round } = run;
  const { target, model, latencyMs, partitions, keys } = setting;
  const server = bench.servers[target];
  if (server === undefined) throw new Error(`there is no ${target} to write to`);
  const id = [peer.name, target, model, latencyMs, partitions, keys, round].join("-");
  const directory = join(bench.reaper.directory, id);
  await mkdir(directory, { recursive: true });
  // A collection of DynamoDB's is a table, which the sink makes and keeps apart by its name.
  const place: Place | undefined = target === "mongodb" ? await bench.store.open(id) : undefined;
  const job: SinkJob = {
    ...{ brokers: bench.topics.kafka.brokers, topic, partitions, group: `bench-${id}`, target, model, directory },
    url: server.url(await server.proxies.address(latencyMs)),
    database: id,
    collection: place?.collection ?? id,
    nodeFlags: bench.nodeFlags,
  };
  const count = (): Promise<Count> =>
    place === undefined || model === "latest" ? committedRecords(bench.topics, job) : place.count();
  const look = async (pid: number): Promise<Snapshot> => ({
    ...(await count()),
    sinkCpu: cpuSecondsOf(pid),
    databaseCpu: server.pid === undefined ? 0 : cpuSecondsOf(server.pid),
    machineCpu: machineCpuSeconds(),
    cpuAtMs: performance.now(),
  });

  let first: Snapshot;
  let last: Snapshot;
  let peakRssMiB: number;
  try {
    const process = await startPeer(bench.reaper, { name: peer.name, directory, ...(await peer.command(job)) });
    try {
      const hasDocuments = async () => {
        if (!process.running) throw await endedByItself(process);
        return (await count()).documents > 0;
      };
      await waitUntil(hasDocuments, {
        timeoutMs: FIRST_DOCUMENT_MS,
        what: `${peer.name} has written a document`,
        everyMs: 100,
      });
      await pause(bench.warmupSeconds[peer.warmup] * 1_000);
      first = await look(process.pid);
      await pause(bench.windowSeconds * 1_000);
      if (!process.running) throw await endedByItself(process);
      last = await look(process.pid);
      peakRssMiB = peakRssMiBOf(process.pid);
    } finally {
      await process.kill("SIGTERM");
    }
  } finally {
    await place?.drop();
    await rm(directory, { recursive: true, force: true });
  }
  // A sink that had nothing left to do for a part of the window would look slow, and cheap.
  if (last.documents >= bench.records) {
    throw new Error(`${peer.name} came to the end of the topic: preload more than ${bench.records} records`);
  }
  // Offsets are committed for dead letters too.
  if (peer.name === "spillway") await assertNoDeadLetters(bench.topics, topic);
  const seconds = (last.atMs - first.atMs) / 1_000;
  const cpuSeconds = (last.cpuAtMs - first.cpuAtMs) / 1_000;
  const documents = last.documents - first.documents;
  if (documents === 0) throw new Error(`${peer.name} has written nothing within the window`);
  const [sinkCpu, databaseCpu, machineCpu] = (["sinkCpu", "databaseCpu", "machineCpu"] as const).map(
    (what) => (last[what] - first[what]) / cpuSeconds,
  ) as [number, number, number];
  return {
    ...{ name: peer.name, target, model, latencyMs, partitions, keys, round, documents },
    seconds: rounded(seconds, 3),
    docsPerSecond: rounded(documents / seconds, 2),
    cpuMicrosPerDoc: rounded((sinkCpu * seconds * 1e6) / documents, 3),
    peakRssMiB: rounded(peakRssMiB, 1),
    countMs: rounded(Math.max(first.tookMs, last.tookMs), 0),
    sinkCores: rounded(sinkCpu, 2),
    databaseCores: rounded(databaseCpu, 2),
    otherCores: rounded(machineCpu - sinkCpu - databaseCpu, 2),
  };
}

async function assertNoDeadLetters(topics: Topics, topic: string): Promise<void> {
  const letters = topic + DEAD_LETTER_SUFFIX;
  const count = offsetsBetween(await topics.start(letters), await topics.end(letters));
  if (count > 0) throw new Error(`${count} records went to ${letters}: the sink did not write what it was given`);
}
