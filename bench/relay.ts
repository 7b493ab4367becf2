/**
 * Relays side by side: the same topic of 3 partitions into 24, by Spillway and by its peers, in turn.
 * `npm run bench:relay -- --json FILE`; `node bench/report.ts FILE` makes the page of it.
 */

import { statfs, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { resolve } from "node:path";
import { pino } from "pino";
import { Reaper } from "../services/reaper.ts";
import { startServices } from "../services/services.ts";
import { buildCli } from "./built-cli.ts";
import { describeMachine } from "./machine.ts";
import { type Bench, measure } from "./measure.ts";
import { type BenchOptions, parseOptions, USAGE } from "./options.ts";
import { byteCopy } from "./peers/byte-copy.ts";
import { kafkaStreams } from "./peers/kafka-streams.ts";
import { kafkajs } from "./peers/kafkajs.ts";
import type { Peer, Variant } from "./peers/peer.ts";
import { spillway, spillwayAtLeastOnce, spillwayWithoutProvenance } from "./peers/spillway.ts";
import { preload } from "./preload.ts";
import {
  type BenchCodec,
  type BenchResult,
  type BenchSettings,
  bestVariant,
  type PeerSettings,
  type Round,
  rowsOf,
  type SourceFacts,
} from "./result.ts";
import { consoleTable, roundLine } from "./table.ts";
import { Topics } from "./topics.ts";
import { KEY_BYTES, KEYS, VALUE_BYTES } from "./values.ts";
import { versionsOf } from "./versions.ts";

const SOURCE_PARTITIONS = 3;
const TARGET_PARTITIONS = 24;
/** Topics are deleted between the runs, and their files soon after: the disk need not hold them all. */
const BROKER = { "log.segment.delete.delay.ms": "1000" };
const DISK_BYTES = 20e9;

const print = (line: string) => void process.stdout.write(`${line}\n`);
process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  let options: BenchOptions;
  try {
    options = parseOptions(args);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 2;
  }
  const interruption = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => interruption.abort(new Error(name)));
  const result = await bench(options, interruption.signal);
  print(`\n${consoleTable(result)}`);
  if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(result, undefined, 2)}\n`);
  return 0;
}

async function bench(options: BenchOptions, signal: AbortSignal): Promise<BenchResult> {
  const { bavail, bsize } = await statfs(tmpdir());
  if (bavail * bsize < DISK_BYTES) throw new Error(`${tmpdir()} has less than ${DISK_BYTES / 1e9} GB left`);
  await buildCli(signal);
  const log = pino({ level: "warn" }, pino.destination(2));
  await using reaper = new Reaper();
  await using services = await startServices({ kafka: { config: BROKER }, own: true, log: print, signal });
  const streams = await kafkaStreams(reaper, signal, print);
  await using topics = new Topics(services.brokers, log);
  const known = [spillwayAtLeastOnce, spillwayWithoutProvenance, spillway, ...streams.peers, kafkajs, byteCopy];
  const peers = known.filter(
    ({ name, guarantee }) => options.peers.includes(name) && options.guarantees.includes(guarantee),
  );
  const settings: BenchSettings = {
    sourcePartitions: SOURCE_PARTITIONS,
    targetPartitions: TARGET_PARTITIONS,
    keys: KEYS,
    keyBytes: KEY_BYTES,
    valueBytes: VALUE_BYTES,
    windowSeconds: options.windowSeconds,
    rounds: options.rounds,
    broker: { ...BROKER, brokers: "1", "replication factor": "1", heap: "512 MB" },
  };
  const run: Bench = {
    topics,
    brokerPid: services.kafka.pid(0),
    reaper,
    log,
    targetPartitions: TARGET_PARTITIONS,
    windowSeconds: options.windowSeconds,
    warmupSeconds: options.warmupSeconds,
    nodeFlags: options.profiles === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${resolve(options.profiles)}`],
  };
  print(JSON.stringify(settings));

  const sources: SourceFacts[] = [];
  const rounds: Round[] = [];
  const peerSettings: PeerSettings[] = [];
  for (const codec of options.codecs) {
    const topic = `hot-${codec}`;
    await topics.create(topic, SOURCE_PARTITIONS);
    const facts = await preload({
      ...{ kafka: topics.kafka, log, topic, partitions: SOURCE_PARTITIONS, codec },
      ...{ records: options.records[codec], batchBytes: options.sourceBatchBytes },
    });
    sources.push(facts);
    print(`\n${JSON.stringify(facts)}`);
    const described = peers.flatMap((peer) => describePeer(peer, codec, options));
    for (const one of described) print(JSON.stringify(one));
    peerSettings.push(...described);
    rounds.push(...(await allRounds(run, peers, codec, topic, options.rounds, signal)));
    await topics.delete(topic);
  }
  return {
    machine: describeMachine(),
    versions: versionsOf(streams.java, await services.kafka.jars()),
    rows: rowsOf(rounds, settings),
    takenAt: new Date().toISOString(),
    settings,
    sources,
    peers: peerSettings,
    rounds,
  };
}

/** Round by round, all peers in each: what else the machine does falls on all of them alike. */
async function allRounds(
  run: Bench,
  peers: readonly Peer[],
  codec: BenchCodec,
  source: string,
  count: number,
  signal: AbortSignal,
): Promise<Round[]> {
  const rounds: Round[] = [];
  for (let round = 1; round <= count; round++) {
    for (const peer of peers) {
      if (peer.codecs !== undefined && !peer.codecs.includes(codec)) continue;
      for (const variant of variantsFor(peer, rounds)) {
        signal.throwIfAborted();
        const measured = await measure(run, { peer, variant, codec, round, source });
        print(roundLine(measured));
        rounds.push(measured);
      }
    }
  }
  return rounds;
}

/** All in the first round; then the best of those. Under another guarantee it is the best too. */
function variantsFor(peer: Peer, before: readonly Round[]): readonly Variant[] {
  const own = before.filter(({ name }) => name === peer.name);
  if (own.length === 0) return peer.variants;
  const [{ variant: best }] = bestVariant(own);
  return peer.variants.filter(({ name }) => name === best);
}

function describePeer(peer: Peer, codec: BenchCodec, { warmupSeconds }: BenchOptions): PeerSettings[] {
  return peer.variants.map((variant) => ({
    name: peer.name,
    guarantee: peer.guarantee,
    variant: variant.name,
    warmupSeconds: warmupSeconds[peer.warmup],
    settings: variant.settings({ codec }),
  }));
}
