import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "pino";
import type { Reaper } from "../services/reaper.ts";
import { waitUntil } from "../services/wait-until.ts";
import type { Position } from "../src/kafka/topic-partition.ts";
import { countRecords } from "./count-records.ts";
import { endedByItself, startPeer } from "./peer-process.ts";
import type { Peer, Variant } from "./peers/peer.ts";
import { cpuSecondsOf, machineCpuSeconds, peakRssMiBOf } from "./proc.ts";
import type { BenchCodec, Round } from "./result.ts";
import { rounded } from "./statistics.ts";
import { offsetsBetween, type Topics } from "./topics.ts";

const FIRST_RECORD_MS = 60_000;

export interface Bench {
  readonly topics: Topics;
  readonly brokerPid: number;
  readonly reaper: Reaper;
  readonly log: Logger;
  readonly targetPartitions: number;
  readonly windowSeconds: number;
  readonly warmupSeconds: Readonly<Record<Peer["warmup"], number>>;
  /** For peers that run on Node. */
  readonly nodeFlags: readonly string[];
}

export interface Run {
  readonly peer: Peer;
  readonly variant: Variant;
  readonly codec: BenchCodec;
  readonly round: number;
  readonly source: string;
}

interface Snapshot {
  readonly atMs: number;
  readonly ends: readonly Position[];
  readonly peerCpu: number;
  readonly brokerCpu: number;
  readonly machineCpu: number;
}

/**
 * Runs a peer as a process of its own and looks at it from outside only: what is in the target topic and what /proc says,
 * at both ends of a window that begins so long after the first record is there.
 */
export async function measure(bench: Bench, run: Run): Promise<Round> {
  const { topics, log } = bench;
  const { peer, variant, codec, round, source } = run;
  const id = `${peer.name}-${peer.guarantee}-${variant.name.replaceAll(" ", "-")}-${codec}-${round}`;
  const directory = join(bench.reaper.directory, id);
  await mkdir(directory, { recursive: true });
  const target = `wide-${id}`;
  const job = {
    brokers: topics.kafka.brokers,
    source,
    target,
    targetPartitions: bench.targetPartitions,
    codec,
    group: `bench-${id}`,
    directory,
    nodeFlags: bench.nodeFlags,
  };
  await topics.create(target, bench.targetPartitions);
  const process = await startPeer(bench.reaper, { name: peer.name, directory, ...(await variant.command(job)) });
  let first: Snapshot;
  let last: Snapshot;
  let peakRssMiB: number;
  try {
    const start = await topics.start(target);
    const hasRecords = async () => {
      if (!process.running) throw await endedByItself(process);
      return offsetsBetween(start, await topics.end(target)) > 0;
    };
    await waitUntil(hasRecords, {
      timeoutMs: FIRST_RECORD_MS,
      what: `${peer.name} has relayed a record`,
      everyMs: 100,
    });
    await pause(bench.warmupSeconds[peer.warmup] * 1_000);
    first = await look(bench, target, process.pid);
    await pause(bench.windowSeconds * 1_000);
    if (!process.running) throw await endedByItself(process);
    last = await look(bench, target, process.pid);
    peakRssMiB = peakRssMiBOf(process.pid);
    await assertNotAtEnd(bench, run, target);
  } finally {
    await process.kill("SIGTERM");
  }
  const counted = await countRecords({ kafka: topics.kafka, log, from: first.ends, to: last.ends });
  await topics.delete(target);
  await rm(directory, { recursive: true, force: true });

  const seconds = (last.atMs - first.atMs) / 1_000;
  const peerCpu = last.peerCpu - first.peerCpu;
  const brokerCpu = last.brokerCpu - first.brokerCpu;
  return {
    name: peer.name,
    guarantee: peer.guarantee,
    codec,
    variant: variant.name,
    round,
    seconds: rounded(seconds, 3),
    records: counted.records,
    recordsPerSecond: Math.round(counted.records / seconds),
    cpuMicrosPerRecord: rounded((peerCpu * 1e6) / counted.records, 3),
    peakRssMiB: rounded(peakRssMiB, 1),
    batches: counted.batches,
    storedBytes: counted.bytes,
    brokerCores: rounded(brokerCpu / seconds, 2),
    otherCores: rounded((last.machineCpu - first.machineCpu - peerCpu - brokerCpu) / seconds, 2),
  };
}

async function look(bench: Bench, target: string, pid: number): Promise<Snapshot> {
  const ends = await bench.topics.end(target);
  return {
    ends,
    atMs: performance.now(),
    peerCpu: cpuSecondsOf(pid),
    brokerCpu: cpuSecondsOf(bench.brokerPid),
    machineCpu: machineCpuSeconds(),
  };
}

/** A peer that had nothing left to do for a part of the window would look slow, and cheap. */
async function assertNotAtEnd({ topics }: Bench, { peer, source }: Run, target: string): Promise<void> {
  if (peer.loops) return;
  const size = async (topic: string) => offsetsBetween(await topics.start(topic), await topics.end(topic));
  const [written, preloaded] = [await size(target), await size(source)];
  if (written < preloaded) return;
  throw new Error(`${peer.name} came to the end of the source topic: preload more than ${preloaded} records`);
}
